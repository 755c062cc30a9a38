/**
 * What a shard store promises, one behaviour a test, each run against PostgreSQL and against the in-memory model. After
 * every test the books of the whole database must balance.
 */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { randomUUID } from "node:crypto"
import type { IdempotencyKey } from "../../src/domain/commands.ts"
import { ProductId } from "../../src/domain/ids.ts"
import type { BatchWrite } from "../../src/domain/batch.ts"
import type { Applied, NotApplied, StoreRejected, StoreUnknown } from "../../src/inventory/ShardStore.ts"
import {
  type Parts,
  type Writer,
  attempt,
  booksBalance,
  extension,
  heldPart,
  hold,
  leaseOf,
  movement,
  newKey,
  order,
  orderOf,
  release,
  sell,
  sendBack,
  stockOf,
  takeOver,
  unitsOf,
} from "./selling.ts"
import { StoreUnderTest } from "./StoreUnderTest.ts"

const implementations: ReadonlyArray<readonly [string, Layer.Layer<StoreUnderTest, unknown>]> = [
  ["in memory", StoreUnderTest.memory],
  ["on PostgreSQL", StoreUnderTest.postgres],
]

const writerOf = (shard: number) => Effect.flatMap(StoreUnderTest, ({ first }) => takeOver(first, shard))
const rowsNow = Effect.flatMap(StoreUnderTest, ({ rows }) => rows)

/** The SQLSTATE that a batch is refused with; nothing may have changed. */
const refusal = Effect.fnUntraced(function* (writer: Writer, parts: Parts) {
  const before = yield* rowsNow
  const error = yield* Effect.flip(writer.store.commit(writer.next(parts)))
  assert.deepStrictEqual(yield* rowsNow, before)
  return error._tag === "StoreRejected" ? error.sqlState : assert.fail("the outcome is unknown")
})

/** Whether a write was applied; where it was not, nothing may have changed. */
const isApplied = Effect.fnUntraced(function* (
  commit: Effect.Effect<Applied | NotApplied, StoreRejected | StoreUnknown>,
) {
  const before = yield* rowsNow
  const { _tag } = yield* commit
  if (_tag === "NotApplied") assert.deepStrictEqual(yield* rowsNow, before)
  return _tag === "Applied"
})

for (const [name, implementation] of implementations) {
  layer(implementation, { excludeTestServices: true })(`a shard store ${name}`, (it) => {
    const behaves = <E>(sentence: string, test: Effect.Effect<void, E, StoreUnderTest>) =>
      it.effect(sentence, () => Effect.andThen(test, booksBalance))

    describe("orders", () => {
      behaves(
        "an order takes its units and has its lines",
        Effect.gen(function* () {
          const [lamp, chair] = [yield* sell(), yield* sell({ price: 250, stocked: 5 })]
          const writer = yield* writerOf(0)
          const placed = order([
            [lamp, 2],
            [chair, 5],
          ])
          const applied = yield* writer.write({ orders: [placed] })

          const { orderId } = placed.command
          assert.deepStrictEqual(applied.unplaced, [])
          assert.sameDeepMembers(
            [...applied.stock],
            [
              { productId: lamp.productId, stocked: 3, available: 1 },
              { productId: chair.productId, stocked: 5, available: 0 },
            ],
          )
          const { batches, orderLines, orders } = yield* rowsNow
          assert.deepInclude(orders, { orderId, status: "reserved", total: 1_450, homeShard: 0 })
          assert.sameDeepMembers(
            orderLines.filter((line) => line.orderId === orderId),
            [
              { orderId, productId: lamp.productId, quantity: 2, unitPrice: 100 },
              { orderId, productId: chair.productId, quantity: 5, unitPrice: 250 },
            ],
          )
          const record = batches.find((row) => row.shard === 0 && row.batch === writer.batch)
          assert.deepStrictEqual(record?.events, [{ type: "order.reserved", orderId }])
          assert.strictEqual(record?.committedAtMillis, applied.atMillis)
        }),
      )

      behaves(
        "orders of one batch add up, product by product",
        Effect.gen(function* () {
          const lamp = yield* sell({ stocked: 10 })
          const writer = yield* writerOf(0)
          const applied = yield* writer.write({ orders: [order([[lamp, 3]]), order([[lamp, 4]])] })
          assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 10, available: 3 }])
        }),
      )

      behaves(
        "a plain batch with a known key is refused whole, and its number stays free",
        Effect.gen(function* () {
          const lamp = yield* sell()
          const writer = yield* writerOf(0)
          const key = newKey()
          yield* writer.write({ orders: [order([[lamp, 1]], { key })] })
          assert.strictEqual(
            yield* refusal(writer, { orders: [order([[lamp, 1]]), order([[lamp, 1]], { key })] }),
            "23505",
          )
          yield* writer.write({ orders: [order([[lamp, 1]])] })
          assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
        }),
      )

      behaves(
        "a guarded batch leaves out the orders whose key is known, whatever they ask for, and takes nothing for them",
        Effect.gen(function* () {
          const lamp = yield* sell({ stocked: 9, limitPerCustomer: 9 })
          const writer = yield* writerOf(0)
          const key = newKey()
          yield* writer.write({ orders: [order([[lamp, 1]], { key })] })
          const repeated = order([[lamp, 2]], { key: { ...key, fingerprint: newKey().fingerprint } })
          const fresh = order([[lamp, 3]], { customer: "bob" })
          const applied = yield* writer.write({ form: "guarded", orders: [repeated, fresh] })

          assert.deepStrictEqual(applied.unplaced, [repeated.command.orderId])
          assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 9, available: 5 }])
          assert.deepStrictEqual(applied.units, [{ productId: lamp.productId, customer: "bob", units: 3 }])
          const { batches, orderLines } = yield* rowsNow
          assert.notDeepNestedInclude(orderLines, { orderId: repeated.command.orderId })
          const record = batches.find((row) => row.shard === 0 && row.batch === writer.batch)
          assert.deepStrictEqual(record?.events, [{ type: "order.reserved", orderId: fresh.command.orderId }])
        }),
      )

      behaves(
        "of two orders of one guarded batch with one key, one is placed",
        Effect.gen(function* () {
          const lamp = yield* sell()
          const writer = yield* writerOf(0)
          const key = newKey()
          const twins = [order([[lamp, 1]], { key }), order([[lamp, 1]], { key })]
          const applied = yield* writer.write({ form: "guarded", orders: twins })
          assert.lengthOf(applied.unplaced, 1)
          assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
        }),
      )

      behaves(
        "two callers may use one key",
        Effect.gen(function* () {
          const lamp = yield* sell()
          const writer = yield* writerOf(0)
          const [ann, bob] = [newKey(), newKey()]
          yield* writer.write({
            orders: [order([[lamp, 1]], { key: ann }), order([[lamp, 1]], { key: { ...bob, key: ann.key } })],
          })
          assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
        }),
      )
    })

    describe("the fence", () => {
      behaves(
        "a batch under an old epoch, a used number or a number ahead is not applied",
        Effect.gen(function* () {
          const lamp = yield* sell()
          const { first, second } = yield* StoreUnderTest
          const old = yield* takeOver(first, 0)
          yield* old.write({ orders: [order([[lamp, 1]])] })
          const writer = yield* takeOver(second, 0)
          assert.strictEqual(writer.epoch, old.epoch + 1)
          assert.strictEqual(writer.batch, old.batch)

          const commit = (at: Partial<BatchWrite>) =>
            isApplied(writer.store.commit({ ...writer.next({ orders: [order([[lamp, 1]])] }), ...at }))
          assert.isFalse(yield* isApplied(old.store.commit(old.next({ orders: [order([[lamp, 1]])] }))))
          assert.isFalse(yield* commit({ epoch: writer.epoch + 1 }))
          assert.isFalse(yield* commit({ batch: writer.batch }))
          assert.isFalse(yield* commit({ batch: writer.batch + 2 }))
          assert.isFalse(yield* commit({ shard: 99 }))
          assert.isTrue(yield* commit({}))
          assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
        }),
      )

      behaves(
        "an attempt that arrives again changes nothing, whatever it carries",
        Effect.gen(function* () {
          const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1 })]
          const elsewhere = yield* writerOf(1)
          const placed = hold([[chair, 1]])
          yield* elsewhere.write({ holds: [placed] })
          const writer = yield* writerOf(0)
          const write = writer.next({
            orders: [order([[lamp, 1]], { ...orderOf(placed), held: [heldPart(placed, 1)] })],
            movements: [movement(lamp, 5)],
          })
          assert.isTrue(yield* isApplied(writer.store.commit(write)))
          assert.isFalse(yield* isApplied(writer.store.commit(write)))
          assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 8, available: 7 })
        }),
      )

      behaves(
        "a voided number is used up: an attempt under it that comes late is not applied",
        Effect.gen(function* () {
          const lamp = yield* sell()
          const writer = yield* writerOf(0)
          const write = writer.next({ orders: [order([[lamp, 1]])] })
          const { batch, epoch } = write
          assert.strictEqual((yield* writer.store.voidBatch(0, { epoch, batch }))._tag, "Applied")
          assert.isFalse(yield* isApplied(writer.store.commit(write)))
          const { lease, record } = yield* writer.store.inspect(0, batch)
          assert.deepStrictEqual(lease, { epoch, batch })
          assert.deepInclude(record, { epoch, voided: true })
          writer.batch = batch
          yield* writer.write({ orders: [order([[lamp, 1]])] })
        }),
      )

      behaves(
        "a number that was applied, or belongs to another epoch, cannot be voided",
        Effect.gen(function* () {
          const lamp = yield* sell()
          const { first, second } = yield* StoreUnderTest
          const writer = yield* takeOver(first, 0)
          yield* writer.write({ orders: [order([[lamp, 1]])] })
          const { batch, epoch } = writer
          assert.strictEqual((yield* first.voidBatch(0, { epoch, batch }))._tag, "NotApplied")
          assert.deepInclude((yield* first.inspect(0, batch)).record, { epoch, voided: false })
          yield* takeOver(second, 0)
          assert.strictEqual((yield* first.voidBatch(0, { epoch, batch: batch + 1 }))._tag, "NotApplied")
          assert.isNull((yield* first.inspect(0, batch + 1)).record)
        }),
      )

      behaves(
        "a batch that carries nothing uses its number",
        Effect.gen(function* () {
          const writer = yield* writerOf(0)
          const applied = yield* writer.write({})
          assert.deepStrictEqual([applied.stock, applied.units, applied.unplaced], [[], [], []])
          assert.deepInclude(yield* leaseOf(writer.store, 0), { epoch: writer.epoch, batch: writer.batch })
        }),
      )

      behaves(
        "several shards are taken over at once, each with an epoch of its own",
        Effect.gen(function* () {
          const { first } = yield* StoreUnderTest
          const before = [yield* leaseOf(first, 2), yield* leaseOf(first, 3)] as const
          const leases = yield* first.acquire([3, 2], "a test")
          assert.deepInclude(leases.get(2), { batch: before[0].batch, epoch: before[0].epoch + 1 })
          assert.deepInclude(leases.get(3), { batch: before[1].batch, epoch: before[1].epoch + 1 })
        }),
      )
    })

    describe("what the schema refuses", () => {
      behaves(
        "is definite, names its SQLSTATE, changes nothing and leaves the number free",
        Effect.gen(function* () {
          const lamp = yield* sell({ stocked: 3, limitPerCustomer: 2 })
          const writer = yield* writerOf(0)
          const ghost = { ...lamp, productId: ProductId.make(randomUUID()) }
          const key = newKey()
          const twice = order([[lamp, 1]])
          const cases: ReadonlyArray<readonly [string, Parts, string]> = [
            ["more than there is", { orders: [order([[lamp, 4]])] }, "23514"],
            ["more than there is, by two", { orders: [order([[lamp, 2]]), order([[lamp, 2]])] }, "23514"],
            ["more than there is, held", { holds: [hold([[lamp, 4]])] }, "23514"],
            ["no units", { orders: [order([[lamp, 0]])] }, "23514"],
            ["a line beyond its bound", { orders: [order([[lamp, 10_001]])] }, "23514"],
            ["a negative price", { orders: [order([[{ ...lamp, price: -1 }, 1]])] }, "23514"],
            ["a price beyond its bound", { orders: [order([[{ ...lamp, price: 1_000_000_001 }, 1]])] }, "23514"],
            ["an empty key", { orders: [order([[lamp, 1]], { key: { ...key, key: "" } })] }, "23514"],
            ["a long key", { orders: [order([[lamp, 1]], { key: { ...key, key: "k".repeat(256) } })] }, "23514"],
            ["a short fingerprint", { orders: [order([[lamp, 1]], { key: { ...key, fingerprint: "00" } })] }, "23514"],
            ["a currency in small letters", { orders: [{ ...order([[lamp, 1]]), currency: "eur" }] }, "23514"],
            ["nobody", { orders: [order([[lamp, 1]], { customer: "" })] }, "23514"],
            [
              "an order that ends as it begins",
              { orders: [{ ...twice, command: { ...twice.command, reservationTtlMillis: 0 } }] },
              "23514",
            ],
            [
              "one product twice",
              {
                orders: [
                  order([
                    [lamp, 1],
                    [lamp, 1],
                  ]),
                ],
              },
              "23505",
            ],
            ["a hold of what does not exist", { holds: [hold([[ghost, 1]])] }, "23503"],
            ["a movement of what does not exist", { movements: [movement(ghost, 1)] }, "23503"],
            ["writing off what is sold", { movements: [movement(lamp, -4)] }, "23514"],
            ["a movement of nothing", { movements: [{ ...movement(lamp, 0), kind: "corrected" }] }, "23514"],
            ["more than a product can have", { movements: [movement(lamp, 2_147_483_647)] }, "22003"],
          ]
          const found: Array<readonly [string, string]> = []
          for (const [what, parts] of cases) found.push([what, yield* refusal(writer, parts)])
          assert.deepStrictEqual(
            found,
            cases.map(([what, , sqlState]) => [what, sqlState] as const),
          )
          const beyond = yield* refusal(writer, { movements: [movement(lamp, 2_147_483_648)] })
          assert.strictEqual(beyond.slice(0, 2), "22")
          yield* writer.write({ orders: [order([[lamp, 3]])] })
        }),
      )

      behaves(
        "one order that oversells takes its whole batch along",
        Effect.gen(function* () {
          const [lamp, chair] = [yield* sell(), yield* sell()]
          const writer = yield* writerOf(0)
          assert.strictEqual(yield* refusal(writer, { orders: [order([[chair, 1]]), order([[lamp, 4]])] }), "23514")
        }),
      )
    })

    describe("holds", () => {
      behaves(
        "a hold takes units, and counts them for its customer where there is a limit",
        Effect.gen(function* () {
          const [lamp, chair] = [yield* sell({ limitPerCustomer: 3 }), yield* sell()]
          const writer = yield* writerOf(0)
          const applied = yield* writer.write({
            holds: [
              hold([
                [lamp, 2],
                [chair, 1],
              ]),
            ],
          })
          assert.deepStrictEqual(applied.units, [{ productId: lamp.productId, customer: "ann", units: 2 }])
          assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
          assert.deepStrictEqual(yield* stockOf(chair), { stocked: 3, available: 2 })
          assert.strictEqual(yield* unitsOf(chair), null)
        }),
      )

      behaves(
        "a second Hold takes no units: it moves the rows to its attempt and gives them its time",
        Effect.gen(function* () {
          const lamp = yield* sell({ limitPerCustomer: 3 })
          const writer = yield* writerOf(0)
          const held = hold([[lamp, 2]], { ttlMillis: 0 })
          yield* writer.write({ holds: [held] })
          const applied = yield* writer.write({ extensions: [extension(held, attempt(2))] })
          assert.deepStrictEqual([applied.unextended, applied.stock, applied.units], [[], [], []])
          assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
          assert.strictEqual(yield* unitsOf(lamp), 2)
          yield* writer.write({ releases: [release(held, { attempt: attempt(2), onlyExpired: true })] })
          assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
        }),
      )

      behaves(
        "the same attempt may extend its own rows; an earlier one may not, and one without rows is told so",
        Effect.gen(function* () {
          const [lamp, chair] = [yield* sell(), yield* sell()]
          const writer = yield* writerOf(0)
          const held = hold([[lamp, 1]], { attempt: attempt(5) })
          yield* writer.write({ holds: [held] })
          const same = extension(held, attempt(5))
          const earlier = extension(held, attempt(4))
          const stranger = extension(hold([[lamp, 1]]), attempt(6))
          const partly = extension({ ...held, lines: [...held.lines, ...hold([[chair, 1]]).lines] }, attempt(6))
          const unextended = [same, earlier, stranger, partly].map((tried) =>
            Effect.map(writer.write({ extensions: [tried] }), (applied) => applied.unextended.includes(tried)),
          )
          assert.deepStrictEqual(yield* Effect.all(unextended), [false, true, true, true])
          yield* writer.write({ releases: [release(held, { attempt: attempt(6) })] })
          assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 3 })
        }),
      )

      behaves(
        "a release gives back what it deleted, once, and only its own attempt's rows",
        Effect.gen(function* () {
          const [lamp, chair] = [yield* sell({ limitPerCustomer: 3 }), yield* sell()]
          const writer = yield* writerOf(0)
          const held = hold(
            [
              [lamp, 2],
              [chair, 3],
            ],
            { attempt: attempt(2) },
          )
          yield* writer.write({ holds: [held] })
          const early = yield* writer.write({ releases: [release(held, { attempt: attempt(1) })] })
          assert.deepStrictEqual([early.stock, early.units], [[], []])
          const applied = yield* writer.write({ releases: [release(held)] })
          assert.sameDeepMembers(
            [...applied.stock],
            [
              { productId: lamp.productId, stocked: 3, available: 3 },
              { productId: chair.productId, stocked: 3, available: 3 },
            ],
          )
          assert.deepStrictEqual(applied.units, [{ productId: lamp.productId, customer: "ann", units: 0 }])
          const again = yield* writer.write({ releases: [release(held)] })
          assert.deepStrictEqual([again.stock, again.units], [[], []])
        }),
      )

      behaves(
        "the sweeper's release gives back what is past its time and leaves what is not",
        Effect.gen(function* () {
          const lamp = yield* sell({ stocked: 5 })
          const writer = yield* writerOf(0)
          const [over, live] = [hold([[lamp, 1]], { ttlMillis: 0 }), hold([[lamp, 2]])]
          yield* writer.write({ holds: [over, live] })
          yield* writer.write({
            releases: [release(over, { onlyExpired: true }), release(live, { onlyExpired: true })],
          })
          assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 5, available: 3 })
        }),
      )

      behaves(
        "a release lowers no count where none was kept",
        Effect.gen(function* () {
          const lamp = yield* sell()
          const writer = yield* writerOf(0)
          const held = hold([[lamp, 2]])
          yield* writer.write({ holds: [held] })
          const applied = yield* writer.write({ releases: [release(held)] })
          assert.deepStrictEqual(applied.units, [])
          assert.strictEqual(yield* unitsOf(lamp), null)
        }),
      )

      behaves(
        "a hold that is there already is refused by the schema",
        Effect.gen(function* () {
          const lamp = yield* sell()
          const writer = yield* writerOf(0)
          const held = hold([[lamp, 1]])
          yield* writer.write({ holds: [held] })
          assert.strictEqual(yield* refusal(writer, { form: "guarded", holds: [held] }), "23505")
        }),
      )
    })

    describe("orders over several shards", () => {
      behaves(
        "an order consumes its holds: its lines are theirs, and nobody's stock or units move for them again",
        Effect.gen(function* () {
          const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1, price: 70, limitPerCustomer: 2 })]
          const [home, elsewhere] = [yield* writerOf(0), yield* writerOf(1)]
          const held = hold([[chair, 2]])
          yield* elsewhere.write({ holds: [held] })
          const placed = order([[lamp, 1]], { ...orderOf(held), held: [heldPart(held, 1)] })
          const applied = yield* home.write({ orders: [placed] })
          assert.deepStrictEqual(applied.unplaced, [])
          assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 3, available: 2 }])

          const { holds, orderLines } = yield* rowsNow
          assert.isFalse(holds.some((row) => row.productId === chair.productId))
          const { orderId } = placed.command
          assert.deepInclude(orderLines, { orderId, productId: chair.productId, quantity: 2, unitPrice: 70 })
          assert.deepStrictEqual(yield* stockOf(chair), { stocked: 3, available: 1 })
          assert.strictEqual(yield* unitsOf(chair), 2)
          const late = yield* elsewhere.write({ releases: [release(held)] })
          assert.deepStrictEqual(late.stock, [])
        }),
      )

      behaves(
        "an order whose holds are not all there, as it counts on them and in time, is left out and nothing of it is taken",
        Effect.gen(function* () {
          const [lamp, chair, table] = [yield* sell(), yield* sell({ shard: 1 }), yield* sell({ shard: 2 })]
          const [home, one, two] = [yield* writerOf(0), yield* writerOf(1), yield* writerOf(2)]
          const held = hold([[chair, 1]], { attempt: attempt(2) })
          const over = hold([[chair, 1]], { ttlMillis: 0 })
          yield* one.write({ holds: [held, over] })
          const missing = hold([[table, 1]], { ...orderOf(held), attempt: attempt(2) })
          const part = heldPart(held, 1)
          const changed = (change: object) => ({ ...part, lines: part.lines.map((line) => ({ ...line, ...change })) })
          const variants = [
            [part, heldPart(missing, 2)],
            [{ ...part, attempt: attempt(1) }],
            [{ ...part, attempt: attempt(3) }],
            [{ ...part, shard: 2 }],
            [changed({ quantity: 2 })],
            [changed({ unitPrice: 99 })],
          ].map((parts) => order([[lamp, 1]], { ...orderOf(held), held: parts }))
          const otherRequest = order([[lamp, 1]], {
            key: { ...newKey(), caller: held.command.caller, key: held.command.key },
            held: [part],
          })
          variants.push(otherRequest)
          const late = order([[lamp, 1]], { ...orderOf(over), held: [heldPart(over, 1)] })
          for (const form of ["plain", "guarded"] as const) {
            for (const tried of [...variants, late]) {
              const other = order([[lamp, 1]])
              const applied = yield* home.write({ form, orders: [tried, other], movements: [movement(lamp, 1)] })
              assert.deepStrictEqual(applied.unplaced, [tried.command.orderId])
            }
          }
          const { holds, orders } = yield* rowsNow
          assert.lengthOf(
            holds.filter((row) => row.productId === chair.productId),
            2,
          )
          const tried = new Set([...variants, late].map(({ command }) => command.orderId))
          assert.isFalse(orders.some((row) => tried.has(row.orderId)))
          yield* two.write({})
        }),
      )

      behaves(
        "an order whose key is known consumes nothing",
        Effect.gen(function* () {
          const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1 })]
          const [home, elsewhere] = [yield* writerOf(0), yield* writerOf(1)]
          const held = hold([[chair, 1]])
          yield* elsewhere.write({ holds: [held] })
          yield* home.write({ orders: [order([[lamp, 1]], orderOf(held))] })
          const repeated = order([[lamp, 1]], { ...orderOf(held), held: [heldPart(held, 1)] })
          assert.strictEqual(yield* refusal(home, { orders: [repeated] }), "23505")
          const applied = yield* home.write({ form: "guarded", orders: [repeated] })
          assert.deepStrictEqual([applied.unplaced, applied.stock], [[repeated.command.orderId], []])
          yield* elsewhere.write({ releases: [release(held)] })
          assert.deepStrictEqual(yield* stockOf(chair), { stocked: 3, available: 3 })
        }),
      )
    })

    describe("returns", () => {
      behaves(
        "a return is applied once, to the stock and to its customer's count",
        Effect.gen(function* () {
          const chair = yield* sell({ shard: 1, limitPerCustomer: 3 })
          const [home, elsewhere] = [yield* writerOf(0), yield* writerOf(1)]
          const held = hold([[chair, 2]])
          yield* elsewhere.write({ holds: [held] })
          const placed = order([], { ...orderOf(held), held: [heldPart(held, 1)] })
          yield* home.write({ orders: [placed] })
          const back = yield* sendBack(placed, chair, 2)
          assert.deepStrictEqual(yield* elsewhere.store.pendingReturns(1, 10), [back])

          const foreign = yield* home.write({ returns: [back] })
          assert.deepStrictEqual([foreign.stock, foreign.units], [[], []])
          const applied = yield* elsewhere.write({ returns: [back, back] })
          assert.deepStrictEqual(applied.stock, [{ productId: chair.productId, stocked: 3, available: 3 }])
          assert.deepStrictEqual(applied.units, [{ productId: chair.productId, customer: "ann", units: 0 }])
          const again = yield* elsewhere.write({ returns: [back] })
          assert.deepStrictEqual([again.stock, again.units], [[], []])
          assert.deepStrictEqual(yield* elsewhere.store.pendingReturns(1, 10), [])
        }),
      )
    })

    describe("movements", () => {
      behaves(
        "a movement changes what is stocked and what is available, and is written once a key",
        Effect.gen(function* () {
          const lamp = yield* sell()
          const writer = yield* writerOf(0)
          const [received, writtenOff] = [movement(lamp, 7), movement(lamp, -4)]
          yield* writer.write({ movements: [received] })
          const applied = yield* writer.write({ movements: [writtenOff] })
          assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 6, available: 6 }])
          assert.strictEqual(yield* refusal(writer, { movements: [movement(lamp, 1, received)] }), "23505")
          const repeated = movement(lamp, 1, received)
          const guarded = yield* writer.write({ form: "guarded", movements: [repeated] })
          assert.deepStrictEqual([guarded.unmoved, guarded.stock], [[repeated.movementId], []])
        }),
      )

      behaves(
        "what comes and what goes in one batch is one step: only its sum has to fit",
        Effect.gen(function* () {
          const lamp = yield* sell({ limitPerCustomer: 9 })
          const writer = yield* writerOf(0)
          const held = hold([[lamp, 2]])
          yield* writer.write({ holds: [held] })
          const applied = yield* writer.write({
            orders: [order([[lamp, 4]])],
            releases: [release(held)],
            movements: [movement(lamp, 3)],
            holds: [hold([[lamp, 1]], { customer: "bob" })],
          })
          assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 6, available: 1 }])
          assert.sameDeepMembers(
            [...applied.units],
            [
              { productId: lamp.productId, customer: "ann", units: 4 },
              { productId: lamp.productId, customer: "bob", units: 1 },
            ],
          )
        }),
      )
    })

    describe("reading", () => {
      behaves(
        "a shard reads its own products, and whether holds may exist",
        Effect.gen(function* () {
          const [lamp, held, foreign] = [yield* sell(), yield* sell(), yield* sell({ shard: 1 })]
          const writer = yield* writerOf(0)
          yield* writer.write({ holds: [hold([[held, 1]])] })
          const productIds = [lamp, held, foreign].map((product) => product.productId)
          const read = yield* writer.store.products(0, [...productIds, ProductId.make(randomUUID())])
          assert.sameDeepMembers(
            read.map(({ available, mayHaveHolds, productId, stocked }) => ({
              productId,
              stocked,
              available,
              mayHaveHolds,
            })),
            [
              { productId: lamp.productId, stocked: 3, available: 3, mayHaveHolds: false },
              { productId: held.productId, stocked: 3, available: 2, mayHaveHolds: true },
            ],
          )
          assert.deepInclude(read[0], {
            price: 100,
            currency: "EUR",
            limitPerCustomer: null,
            saleStartsAtMillis: null,
            paused: false,
            archived: false,
          })
          assert.deepStrictEqual(yield* writer.store.products(0, []), [])
        }),
      )

      behaves(
        "facts are the keys, holds and held units asked for, and nothing else",
        Effect.gen(function* () {
          const lamp = yield* sell({ stocked: 20, limitPerCustomer: 9 })
          const writer = yield* writerOf(0)
          const [placed, moved, held] = [order([[lamp, 1]]), movement(lamp, 1), hold([[lamp, 2]])]
          const applied = yield* writer.write({
            orders: [placed, order([[lamp, 1]])],
            movements: [moved, movement(lamp, 1)],
            holds: [held, hold([[lamp, 3]])],
          })
          const nameOf = ({ caller, fingerprint, key }: IdempotencyKey) => ({
            caller,
            key,
            fingerprint,
          })
          const facts = yield* writer.store.facts(0, {
            orderKeys: [placed.command, placed.command, newKey()],
            movementKeys: [moved],
            holds: [held.command, { ...held.command, fingerprint: newKey().fingerprint }],
            heldProducts: [lamp.productId],
          })
          const [knownOrder, ...otherOrders] = facts.orders.filter(({ orderId }) => orderId === placed.command.orderId)
          assert.isTrue(facts.orders.every(({ orderId }) => orderId === placed.command.orderId))
          assert.isDefined(knownOrder)
          assert.isAtMost(otherOrders.length, 1)
          assert.deepInclude(knownOrder, nameOf(placed.command))
          assert.strictEqual(knownOrder?.createdAtMillis, applied.atMillis)
          assert.strictEqual(knownOrder?.expiresAtMillis, applied.atMillis + 60_000)
          assert.deepStrictEqual(
            facts.movements.map(({ movementId }) => movementId),
            [moved.movementId],
          )
          assert.deepInclude(facts.movements[0], { ...nameOf(moved), createdAtMillis: applied.atMillis })
          assert.lengthOf(facts.holds, 1)
          assert.deepInclude(facts.holds[0], {
            ...nameOf(held.command),
            productId: lamp.productId,
            quantity: 2,
            unitPrice: 100,
            attempt: attempt(1),
          })
          assert.deepStrictEqual(facts.heldUnits, [{ productId: lamp.productId, units: 5 }])
          assert.deepStrictEqual(
            yield* writer.store.facts(0, { orderKeys: [], movementKeys: [], holds: [], heldProducts: [] }),
            {
              lease: { epoch: writer.epoch, batch: writer.batch },
              orders: [],
              movements: [],
              holds: [],
              heldUnits: [],
            },
          )
          assert.deepStrictEqual(
            yield* writer.store.units(0, [
              { productId: lamp.productId, customer: "ann" },
              { productId: lamp.productId, customer: "eve" },
            ]),
            [{ productId: lamp.productId, customer: "ann", units: 7 }],
          )
        }),
      )

      behaves(
        "the sweeper finds what is past its time, the oldest first and no more than it asked for",
        Effect.gen(function* () {
          const lamp = yield* sell({ shard: 3, stocked: 20 })
          const writer = yield* writerOf(3)
          const oldest = hold([[lamp, 1]], { ttlMillis: -2_000 })
          const older = hold([[lamp, 1]], { ttlMillis: -1_000 })
          yield* writer.write({ holds: [older, hold([[lamp, 1]]), oldest] })
          assert.sameDeepMembers(
            [...(yield* writer.store.expiredHolds(3, 10))],
            [release(older, { onlyExpired: true }), release(oldest, { onlyExpired: true })],
          )
          assert.deepStrictEqual(yield* writer.store.expiredHolds(3, 1), [release(oldest, { onlyExpired: true })])
          assert.deepStrictEqual(yield* writer.store.expiredHolds(2, 10), [])
          const due = yield* writer.store.dueShards([2, 3])
          assert.deepStrictEqual([due.includes(2), due.includes(3)], [false, true])
        }),
      )
    })
  })
}

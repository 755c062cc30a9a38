/**
 * Holds, and the orders of other shards that consume them.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import {
  ann,
  attempt,
  extension,
  heldPart,
  hold,
  movement,
  newFingerprint,
  order,
  orderOf,
  release,
  sell,
  stockOf,
  unitsOf,
} from "./selling.ts"
import { onBothStores, refusal, rowsNow, writerOf } from "./suite.ts"

onBothStores("holds", (behaves) => {
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
      assert.deepStrictEqual(applied.units, [{ productId: lamp.productId, customer: ann, units: 2 }])
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
      assert.sameDeepMembers(
        [...applied.units],
        [
          { productId: lamp.productId, customer: ann, units: 0 },
          { productId: chair.productId, customer: ann, units: null },
        ],
      )
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
      assert.deepStrictEqual(applied.units, [{ productId: lamp.productId, customer: ann, units: null }])
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
        [{ ...part, fingerprint: newFingerprint() }],
        [changed({ quantity: 2 })],
        [changed({ unitPrice: 99 })],
      ].map((parts) => order([[lamp, 1]], { ...orderOf(held), held: parts }))
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

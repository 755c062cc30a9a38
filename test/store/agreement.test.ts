/**
 * PostgreSQL and the in-memory model given the same arbitrary batches, most of them wrong in some way: they accept,
 * leave out and refuse the same, and their rows end the same. The simulation's word is worth what this shows.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as fc from "fast-check"
import type { HoldWrite, OrderWrite } from "../../src/domain/batch.ts"
import { keyName } from "../../src/domain/commands.ts"
import type { CallerId } from "../../src/domain/ids.ts"
import type { Applied } from "../../src/inventory/store/ShardStore.ts"
import {
  amend,
  attempt,
  batchWrite,
  booksBalance,
  cancel,
  expire,
  extension,
  heldPart,
  hold,
  movement,
  newCaller,
  newKey,
  order,
  orderOf,
  type Parts,
  release,
  sell,
  takeOver,
} from "./selling.ts"
import { type ProductToSell, type Rows, type Store, StoreUnderTest } from "./StoreUnderTest.ts"

const historiesMax = 30
const wish = fc.nat(9)
/** One in this many. Not for zero, which generators prefer. */
const oneIn = (many: number) => fc.nat(many - 1).map((number) => number === Math.floor(many / 2))
const attemptNumber = fc.constantFrom(1, 1, 2)

const batch = fc.record({
  shard: fc.nat(1),
  form: fc.constantFrom("guarded", "guarded", "guarded", "guarded", "guarded", "plain"),
  orders: fc.array(
    fc.record({
      wish,
      consumes: fc.boolean(),
      repeats: oneIn(4),
      attempt: attemptNumber,
      sellsCart: fc.constantFrom(null, null, "current", "stale"),
    }),
    { maxLength: 2 },
  ),
  /** Each hold is touched once a batch, as the planner sees to. */
  holds: fc.uniqueArray(
    fc.record({
      wish,
      attempt: attemptNumber,
      change: fc.constantFrom("hold", "hold", "hold", "release", "extend", "sweep"),
      ttlMillis: fc.constantFrom(0, 60_000, 60_000),
    }),
    { selector: (row) => row.wish, maxLength: 3 },
  ),
  movements: fc.array(fc.record({ key: fc.nat(5), delta: fc.integer({ min: -3, max: 3 }) }), { maxLength: 1 }),
  /** Each order ends once a batch, as the planner sees to, and each product is edited once. */
  endings: fc.uniqueArray(
    fc.record({
      /** Counted back from the order placed last. */
      order: fc.nat(2),
      expires: oneIn(3),
      isOver: oneIn(4),
      leavesLineOut: oneIn(8),
    }),
    { selector: (row) => row.order, maxLength: 2 },
  ),
  returns: fc.boolean(),
  amendments: fc.array(
    fc.record({
      isStale: fc.constantFrom(false, false, true),
      change: fc.record(
        {
          name: fc.constantFrom("a lamp", "a chair", "a table", ""),
          price: fc.constantFrom(1, 2, 3, 1_000_000_001).map((amount) => ({ amount, currency: "EUR" })),
          limitPerCustomer: fc.constantFrom(null, 9),
          saleStartsAtMillis: fc.constantFrom(null, 5_000),
          paused: fc.boolean(),
          archived: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
    }),
    { maxLength: 1 },
  ),
  /** What somebody does to the cart before the batch. */
  fillsCart: fc.boolean(),
})
const histories = fc.sample(fc.array(batch, { minLength: 10, maxLength: 30, size: "max" }), historiesMax)

/** What was answered, without the time; of a refusal only that it was one, since a batch may break several rules. */
const answerOf = (applied: Applied) => {
  const byName = (left: object, right: object) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1)
  const { cartsChanged, stock, unamended, unended, unextended, units, unmoved, unplaced } = applied
  return {
    unplaced: unplaced.toSorted(),
    cartsChanged: cartsChanged.toSorted(),
    unmoved,
    unextended,
    unended: unended.toSorted(),
    unamended,
    stock: stock.toSorted(byName),
    units: units.toSorted(byName),
  }
}

const rowsOf = (rows: Rows, productIds: ReadonlySet<string>, callers: ReadonlySet<string>) => {
  const { carts, customerUnits, holds, orderLines, orders, pendingReturns, products, stock } = rows
  const lines = orderLines.filter((row) => productIds.has(row.productId))
  const placed = new Set(lines.map((row) => row.orderId))
  return [
    lines,
    orders.filter((row) => placed.has(row.orderId)),
    carts.flatMap((row) => (callers.has(row.caller) ? [{ ...row, lines: JSON.stringify(row.lines) }] : [])),
    ...[stock, products, holds, pendingReturns, customerUnits].map((table) =>
      table.filter((row) => productIds.has(row.productId)),
    ),
  ].map((table) => table.map((row) => JSON.stringify(row, Object.keys(row).toSorted())).toSorted())
}

/** What is read before a batch, as the actor reads it: the product, and everybody's units of it. */
const readBefore = Effect.fnUntraced(function* (store: Store, of: ProductToSell, callers: ReadonlyArray<CallerId>) {
  const { productId, shard } = of
  const [state] = yield* store.products(shard, [productId])
  const units = yield* store.units(
    shard,
    callers.map((customer) => ({ productId, customer })),
  )
  const returns = (yield* store.pendingReturns(shard, 1_000)).filter((row) => row.productId === productId)
  const had = new Map(units.map((row) => [row.customer, row.units]))
  return { state: state ?? assert.fail("the product is gone"), had, returns }
})

layer(StoreUnderTest.postgres, { excludeTestServices: true })("PostgreSQL and the in-memory model", (it) => {
  it.effect.each(histories.map((history, number) => ({ history, number })))("agree on history $number", ({ history }) =>
    Effect.gen(function* () {
      const real = yield* StoreUnderTest
      const model = yield* Effect.provide(StoreUnderTest, Layer.fresh(StoreUnderTest.memory))
      const products = [
        yield* sell({ stocked: 30, limitPerCustomer: 9 }),
        yield* sell({ shard: 1, stocked: 30 }),
      ] as const
      for (const product of products) yield* model.createProduct(product)
      const callers = [newCaller(), newCaller()] as const
      const wishes = [1, 2, 1, 3, 1, 1, 2, 1, 3, 1].map((quantity) => ({
        key: newKey(callers[quantity === 1 ? 0 : 1]),
        quantity,
      }))
      const keys = Array.from({ length: 6 }, () => newKey())
      const carts = new Map<CallerId, number>()
      /** The holds that each shard has made. */
      const held: ReadonlyArray<Array<HoldWrite>> = [[], []]
      const placed: Array<{ readonly order: OrderWrite; readonly lines: ReadonlyArray<ProductToSell> }> = []

      type Before = Effect.Success<ReturnType<typeof readBefore>>
      const partsOf = (drawn: (typeof history)[number], { had, returns, state }: Before): Parts => {
        const [product, other] = drawn.shard === 0 ? products : [products[1], products[0]]
        const counted = { ...product, price: state.price, countsUnits: state.countsUnits }
        const holdOf = (number: number, by: number, ttlMillis = 60_000, of = counted) => {
          const { key, quantity } = wishes[number] ?? assert.fail("no such wish")
          return hold([[of, quantity]], { key, attempt: attempt(by), ttlMillis, unitsBefore: had.get(key.caller) ?? 0 })
        }
        const changes = drawn.holds.map((row) => ({ ...row, held: holdOf(row.wish, row.attempt, row.ttlMillis) }))
        const changing = (change: string) => changes.filter((row) => row.change === change)
        const checkouts = new Set<CallerId>()
        const everyOrder = drawn.orders.map((row) => {
          const elsewhere = held[other.shard]?.at(-1 - (row.wish % 3)) ?? holdOf(row.wish, row.attempt, 0, other)
          const { caller } = elsewhere.command
          const parts = row.consumes ? [heldPart(elsewhere, other.shard)] : []
          const name = row.consumes || row.repeats ? orderOf(elsewhere) : { key: newKey(caller) }
          const options = { ...name, held: parts, unitsBefore: had.get(caller) ?? 0 }
          if (row.sellsCart === null || checkouts.has(caller)) return order([[counted, 1]], options)
          checkouts.add(caller)
          const cartVersion = (carts.get(caller) ?? 1) - (row.sellsCart === "stale" ? 1 : 0)
          return order([[counted, 1]], { ...options, cartVersion })
        })
        // Each key is written once a batch, as the planner sees to.
        const orders = [...new Map(everyOrder.map((row) => [keyName(row.command), row])).values()]
        const endings = drawn.endings.flatMap((row) => {
          const ended = placed.at(-1 - row.order)
          if (ended === undefined) return []
          const lines = row.leavesLineOut ? ended.lines.slice(1) : ended.lines
          return [row.expires ? expire(ended.order, ...lines) : cancel(ended.order, ...lines)]
        })
        return {
          form: drawn.form,
          orders,
          holds: changing("hold").map((row) => row.held),
          extensions: changing("extend").map((row) => extension(row.held, attempt(row.attempt), row.ttlMillis)),
          releases: [
            ...changing("release").map((row) => release(row.held)),
            ...changing("sweep").map((row) => release(row.held, { onlyExpired: true })),
          ],
          movements: drawn.movements.map(({ delta, key }) => movement(product, delta, keys[key])),
          endings,
          returns: drawn.returns ? returns : [],
          amendments: drawn.amendments.map(({ change, isStale }) =>
            amend(product, change, state.version + (isStale ? 1 : 0)),
          ),
        }
      }

      const sides = yield* Effect.forEach([real.first, model.first], (store) =>
        Effect.all([takeOver(store, 0), takeOver(store, 1)]),
      )
      for (const drawn of history) {
        const [product, other] = drawn.shard === 0 ? products : [products[1], products[0]]
        for (const [number, caller] of callers.entries()) {
          if (!drawn.fillsCart || number !== drawn.shard) continue
          const lines = [{ productId: product.productId, quantity: 1 }]
          const versions = [yield* real.fillCart(caller, lines), yield* model.fillCart(caller, lines)]
          assert.strictEqual(versions[0], versions[1])
          carts.set(caller, versions[0] ?? 1)
        }
        for (const row of drawn.endings) {
          const ended = placed.at(-1 - row.order)?.order.command.orderId
          if (ended === undefined || !row.isOver) continue
          yield* real.ageOrder(ended)
          yield* model.ageOrder(ended)
        }
        const before = yield* readBefore(real.first, product, callers)
        assert.deepStrictEqual(yield* readBefore(model.first, product, callers), before)
        const parts = partsOf(drawn, before)
        const answers = yield* Effect.forEach(sides, (writers) => {
          const writer = writers[drawn.shard] ?? writers[0]
          const at = { shard: drawn.shard, epoch: writer.epoch, batch: writer.batch + 1 }
          return Effect.match(writer.store.commit(batchWrite(at, parts)), {
            onFailure: (error) => error._tag,
            onSuccess: (outcome) => {
              if (outcome._tag === "NotApplied") return outcome._tag
              writer.batch += 1
              return answerOf(outcome)
            },
          })
        })
        assert.deepStrictEqual(answers[0], answers[1], JSON.stringify(history))
        const [answer] = answers
        if (answer === undefined || typeof answer === "string") continue
        held[drawn.shard]?.push(...(parts.holds ?? []))
        for (const row of parts.orders ?? []) {
          const { caller, cartVersion, orderId } = row.command
          if (answer.unplaced.includes(orderId)) continue
          placed.push({ order: row, lines: row.command.held.length === 0 ? [product] : [product, other] })
          if (cartVersion !== null) carts.set(caller, cartVersion + 1)
        }
      }
      const productIds = new Set<string>(products.map((product) => product.productId))
      const names = new Set<string>(callers)
      assert.deepStrictEqual(rowsOf(yield* real.rows, productIds, names), rowsOf(yield* model.rows, productIds, names))
      yield* booksBalance
      yield* Effect.provideService(booksBalance, StoreUnderTest, model)
    }),
  )
})

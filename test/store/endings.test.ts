/**
 * How reservations end, and how their units come back: at once to the home's own stock, by a return to others'.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { nothingAsked } from "../../src/inventory/store/ShardStore.ts"
import {
  ann,
  bob,
  cancel,
  expire,
  heldPart,
  hold,
  newKey,
  order,
  orderOf,
  returnsOf,
  sell,
  stockOf,
  unitsOf,
  type Writer,
  refund,
} from "./selling.ts"
import { StoreUnderTest } from "./StoreUnderTest.ts"
import { onBothStores, refusal, rowsNow, writerOf } from "./suite.ts"

const statusOf = Effect.fnUntraced(function* ({ command }: ReturnType<typeof order>) {
  const { orders } = yield* rowsNow
  return orders.find((row) => row.orderId === command.orderId)?.status
})

const eventsOf = Effect.fnUntraced(function* ({ batch, shard }: Writer) {
  const { batches } = yield* rowsNow
  return batches.find((row) => row.shard === shard && row.batch === batch)?.events
})

onBothStores("endings", (behaves) => {
  behaves(
    "a cancelled order is over, its units and its customer's count are back, and everybody is told",
    Effect.gen(function* () {
      const [lamp, chair] = [yield* sell({ limitPerCustomer: 2 }), yield* sell()]
      const writer = yield* writerOf(0)
      const placed = order([
        [lamp, 2],
        [chair, 3],
      ])
      yield* writer.write({ orders: [placed] })
      const applied = yield* writer.write({ endings: [cancel(placed, lamp, chair)] })

      assert.deepStrictEqual(applied.unended, [])
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
      assert.strictEqual(yield* statusOf(placed), "cancelled")
      assert.deepStrictEqual(yield* eventsOf(writer), [{ type: "order.cancelled", orderId: placed.command.orderId }])
      assert.lengthOf((yield* rowsNow).pendingReturns, 0)
    }),
  )

  behaves(
    "an order ends once: whoever comes again is told that it did not, and gives nothing back",
    Effect.gen(function* () {
      const { ageOrder } = yield* StoreUnderTest
      const lamp = yield* sell({ limitPerCustomer: 9 })
      const writer = yield* writerOf(0)
      const [placed, other] = [order([[lamp, 2]]), order([[lamp, 1]])]
      const { orderId } = placed.command
      yield* writer.write({ orders: [placed, other] })
      yield* writer.write({ endings: [cancel(placed, lamp)] })
      const again = yield* writer.write({ endings: [cancel(placed, lamp)] })
      assert.deepStrictEqual([again.unended, again.stock, again.units], [[orderId], [], []])
      yield* ageOrder(orderId)
      const late = yield* writer.write({ endings: [expire(placed, lamp), cancel(other, lamp)] })
      assert.deepStrictEqual(late.unended, [orderId])
      assert.deepStrictEqual(yield* eventsOf(writer), [{ type: "order.cancelled", orderId: other.command.orderId }])
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 3 })
    }),
  )

  behaves(
    "an order is cancelled only while its time runs, and expires only when it is over",
    Effect.gen(function* () {
      const { ageOrder } = yield* StoreUnderTest
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const [live, over] = [order([[lamp, 1]]), order([[lamp, 2]])]
      yield* writer.write({ orders: [live, over] })
      yield* ageOrder(over.command.orderId)
      const wrong = yield* writer.write({ endings: [expire(live, lamp), cancel(over, lamp)] })
      assert.sameMembers([...wrong.unended], [live.command.orderId, over.command.orderId])
      assert.deepStrictEqual(wrong.stock, [])
      assert.deepStrictEqual(yield* eventsOf(writer), [])
      const right = yield* writer.write({ endings: [cancel(live, lamp), expire(over, lamp)] })
      assert.deepStrictEqual(right.unended, [])
      assert.deepStrictEqual([yield* statusOf(live), yield* statusOf(over)], ["cancelled", "expired"])
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 3 })
    }),
  )

  behaves(
    "what was paid never expires; cancelled or refunded it gives its units back and is refunded, once",
    Effect.gen(function* () {
      const { ageOrder, payOrder } = yield* StoreUnderTest
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const placed = order([[lamp, 2]])
      const { orderId } = placed.command
      yield* writer.write({ orders: [placed] })
      yield* payOrder(orderId)
      const other = order([[lamp, 1]])
      yield* writer.write({ orders: [other] })
      assert.deepStrictEqual(
        (yield* writer.write({ endings: [refund(other, lamp)] })).unended,
        [other.command.orderId],
        "nobody paid",
      )
      yield* payOrder(other.command.orderId)
      yield* ageOrder(orderId)
      assert.deepStrictEqual((yield* writer.write({ endings: [expire(placed, lamp)] })).unended, [orderId])
      assert.strictEqual(yield* statusOf(placed), "paid")
      const ends = [cancel(placed, lamp), refund(other, lamp)]
      assert.deepStrictEqual((yield* writer.write({ endings: ends })).unended, [])
      assert.deepStrictEqual([yield* statusOf(placed), yield* statusOf(other)], ["refunded", "refunded"])
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 3 })
      assert.lengthOf((yield* writer.write({ endings: ends })).unended, 2)
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 3 })
    }),
  )

  behaves(
    "only its home ends an order, and only with all of its lines and no other",
    Effect.gen(function* () {
      const [lamp, chair, table] = [yield* sell(), yield* sell(), yield* sell()]
      const [home, elsewhere] = [yield* writerOf(0), yield* writerOf(1)]
      const placed = order([
        [lamp, 1],
        [chair, 2],
      ])
      const { orderId } = placed.command
      yield* home.write({ orders: [placed] })
      assert.deepStrictEqual((yield* elsewhere.write({ endings: [cancel(placed, lamp, chair)] })).unended, [orderId])
      assert.deepStrictEqual((yield* home.write({ endings: [cancel(placed, lamp)] })).unended, [orderId])
      assert.deepStrictEqual((yield* home.write({ endings: [cancel(placed)] })).unended, [orderId])
      assert.deepStrictEqual((yield* home.write({ endings: [cancel(placed, lamp, table)] })).unended, [orderId])
      const unknown = order([[lamp, 1]])
      const strange = yield* home.write({ endings: [cancel(unknown, lamp)] })
      assert.deepStrictEqual([strange.unended, strange.stock], [[unknown.command.orderId], []])
      assert.strictEqual(yield* statusOf(placed), "reserved")
    }),
  )

  behaves(
    "units of other shards travel by the returns that the ending names, and are counted until they arrive",
    Effect.gen(function* () {
      const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1, limitPerCustomer: 3 })]
      const [home, elsewhere] = [yield* writerOf(0), yield* writerOf(1)]
      const held = hold([[chair, 2]], { key: newKey(bob) })
      yield* elsewhere.write({ holds: [held] })
      const placed = order([[lamp, 1]], { ...orderOf(held), held: [heldPart(held, 1)] })
      yield* home.write({ orders: [placed] })
      const ending = cancel(placed, lamp, chair)
      const ended = yield* home.write({ endings: [ending] })
      assert.deepStrictEqual(ended.stock, [{ productId: lamp.productId, stocked: 3, available: 3 }])
      assert.deepStrictEqual(ended.units, [{ productId: lamp.productId, customer: bob, units: null }])
      const [back, ...others] = returnsOf(ending, 1)
      assert.deepStrictEqual(others, [])
      const { orderId } = placed.command
      const [productId, quantity, returnId] = [chair.productId, 2, back?.returnId ?? ""]
      const returning = { returnId, shard: 1, productId, orderId, customer: bob, quantity }
      assert.deepInclude((yield* rowsNow).pendingReturns, returning)
      assert.strictEqual(yield* unitsOf(chair, bob), 2)
      assert.deepStrictEqual(yield* stockOf(chair), { stocked: 3, available: 1 })

      yield* elsewhere.write({ returns: returnsOf(ending, 1) })
      assert.strictEqual(yield* unitsOf(chair, bob), 0)
      assert.deepStrictEqual(yield* stockOf(chair), { stocked: 3, available: 3 })
    }),
  )

  behaves(
    "a return is applied once, to the stock and to its customer's count",
    Effect.gen(function* () {
      const chair = yield* sell({ shard: 1, limitPerCustomer: 3 })
      const [home, elsewhere] = [yield* writerOf(0), yield* writerOf(1)]
      const held = hold([[chair, 2]])
      yield* elsewhere.write({ holds: [held] })
      const placed = order([], { ...orderOf(held), held: [heldPart(held, 1)] })
      yield* home.write({ orders: [placed] })
      const ending = cancel(placed, chair)
      yield* home.write({ endings: [ending] })
      const returns = returnsOf(ending, 1)
      assert.deepStrictEqual(yield* elsewhere.store.pendingReturns(1, 10), returns)

      const foreign = yield* home.write({ returns })
      assert.deepStrictEqual([foreign.stock, foreign.units], [[], []])
      const applied = yield* elsewhere.write({ returns: [...returns, ...returns] })
      assert.deepStrictEqual(applied.stock, [{ productId: chair.productId, stocked: 3, available: 3 }])
      assert.deepStrictEqual(applied.units, [{ productId: chair.productId, customer: ann, units: 0 }])
      const again = yield* elsewhere.write({ returns })
      assert.deepStrictEqual([again.stock, again.units], [[], []])
      assert.deepStrictEqual(yield* elsewhere.store.pendingReturns(1, 10), [])
    }),
  )

  behaves(
    "a return that was named before is refused whole, and the order stays as it is",
    Effect.gen(function* () {
      const chair = yield* sell({ shard: 1 })
      const [home, elsewhere] = [yield* writerOf(0), yield* writerOf(1)]
      const [first, second] = [hold([[chair, 1]]), hold([[chair, 1]])]
      yield* elsewhere.write({ holds: [first, second] })
      const orders = [first, second].map((held) => order([], { ...orderOf(held), held: [heldPart(held, 1)] }))
      yield* home.write({ orders })
      const [one, other] = orders.map((placed) => cancel(placed, chair))
      if (one === undefined || other === undefined) return assert.fail("two orders")
      yield* home.write({ endings: [one] })
      const same = one.lines.map((line) => line.returnId)
      const lines = other.lines.map((line) => ({ ...line, returnId: same[0] ?? line.returnId }))
      assert.strictEqual(yield* refusal(home, { endings: [{ ...other, lines }] }), "23505")
      yield* home.write({ endings: [other] })
      yield* elsewhere.write({ returns: [...returnsOf(one, 1), ...returnsOf(other, 1)] })
      assert.deepStrictEqual(yield* stockOf(chair), { stocked: 3, available: 3 })
    }),
  )

  behaves(
    "what an ending gives back is in the stock with what its batch sells, moved in one step",
    Effect.gen(function* () {
      const lamp = yield* sell({ limitPerCustomer: 5 })
      const writer = yield* writerOf(0)
      const placed = order([[lamp, 3]])
      yield* writer.write({ orders: [placed] })
      const applied = yield* writer.write({
        endings: [cancel(placed, lamp)],
        orders: [order([[lamp, 1]], { unitsBefore: 3 }), order([[lamp, 2]], { key: newKey(bob) })],
      })
      assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 3, available: 0 }])
      assert.sameDeepMembers(
        [...applied.units],
        [
          { productId: lamp.productId, customer: ann, units: 1 },
          { productId: lamp.productId, customer: bob, units: 2 },
        ],
      )
    }),
  )

  behaves(
    "an order's status is a fact that can be asked for, and a reservation whose time is over counts as expired",
    Effect.gen(function* () {
      const { ageOrder, payOrder } = yield* StoreUnderTest
      const lamp = yield* sell({ stocked: 4 })
      const writer = yield* writerOf(0)
      const orders = [1, 2, 3, 4].map(() => order([[lamp, 1]]))
      const [live, over, paid, cancelled] = orders
      if (live === undefined || over === undefined || paid === undefined || cancelled === undefined) return
      yield* writer.write({ orders })
      yield* ageOrder(over.command.orderId)
      yield* payOrder(paid.command.orderId)
      yield* ageOrder(paid.command.orderId)
      yield* writer.write({ endings: [cancel(cancelled, lamp)] })
      const statuses = [...orders, order([[lamp, 1]])].map(({ command }) => command.orderId)
      const facts = yield* writer.store.facts(0, { ...nothingAsked, statuses })
      const status = (of: typeof live) => facts.statuses.find((row) => row.orderId === of.command.orderId)?.status
      assert.deepStrictEqual(orders.map(status), ["reserved", "expired", "paid", "cancelled"])
      assert.lengthOf(facts.statuses, 4)
    }),
  )

  behaves(
    "the sweeper finds reservations whose time is over with all their lines, the oldest first and no more than it asked for",
    Effect.gen(function* () {
      const { ageOrder } = yield* StoreUnderTest
      const [lamp, chair] = [yield* sell({ shard: 2, stocked: 5 }), yield* sell({ shard: 3 })]
      const [home, elsewhere] = [yield* writerOf(2), yield* writerOf(3)]
      const held = hold([[chair, 1]], { key: newKey(bob) })
      yield* elsewhere.write({ holds: [held] })
      const younger = order([[lamp, 1]], { ...orderOf(held), held: [heldPart(held, 3)] })
      const [older, live, ended] = [order([[lamp, 1]]), order([[lamp, 1]]), order([[lamp, 1]])]
      yield* home.write({ orders: [older, live, ended] })
      yield* home.write({ orders: [younger], endings: [cancel(ended, lamp)] })
      for (const { command } of [older, younger, ended]) yield* ageOrder(command.orderId)

      const found = yield* home.store.expiredOrders(2, 10)
      assert.deepStrictEqual(
        found.map(({ caller, homeShard, orderId, status }) => [orderId, caller, homeShard, status]),
        [
          [older.command.orderId, ann, 2, "expired"],
          [younger.command.orderId, bob, 2, "expired"],
        ],
      )
      assert.sameDeepMembers(
        [...(found[1]?.lines ?? [])],
        [
          { productId: lamp.productId, shard: 2 },
          { productId: chair.productId, shard: 3 },
        ],
      )
      assert.lengthOf(yield* home.store.expiredOrders(2, 1), 1)
      assert.deepStrictEqual(yield* home.store.expiredOrders(3, 10), [])
      const due = yield* home.store.dueShards([1, 2, 3])
      assert.deepStrictEqual([due.includes(2), due.includes(3)], [true, false])
      assert.deepStrictEqual(yield* home.store.endableOrder(younger.command.orderId), found[1] ?? null)
      assert.deepInclude(yield* home.store.endableOrder(live.command.orderId), { status: "reserved", homeShard: 2 })
      assert.deepInclude(yield* home.store.endableOrder(ended.command.orderId), { status: "cancelled" })
      assert.isNull(yield* home.store.endableOrder(order([[lamp, 1]]).command.orderId))

      const ending = expire(younger, lamp, chair)
      yield* home.write({ endings: [expire(older, lamp), ending] })
      assert.deepStrictEqual(yield* home.store.expiredOrders(2, 10), [])
      const after = yield* home.store.dueShards([2, 3])
      assert.deepStrictEqual([after.includes(2), after.includes(3)], [false, true])
      yield* elsewhere.write({ returns: returnsOf(ending, 3) })
    }),
  )
})

/**
 * Payments: how they begin, what becomes of them, and what of their orders.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { nothingAsked } from "../../src/inventory/store/ShardStore.ts"
import { declined, extend, pay, paymentsOf, refunded, statusOf, toldLast } from "./lives.ts"
import { cancel, expire, newCaller, newFingerprint, newKey, order, refund, sell, stockOf, unitsOf } from "./selling.ts"
import { StoreUnderTest } from "./StoreUnderTest.ts"
import { onBothStores, rowsNow, writerOf } from "./suite.ts"

onBothStores("payments", (behaves) => {
  behaves(
    "a charge begins as processing, and pays its order when it succeeds",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const placed = order([[lamp, 2]])
      yield* writer.write({ orders: [placed] })
      const payment = extend(placed)
      const { paymentId } = payment
      const begun = yield* writer.write({ payments: [payment] })
      assert.deepStrictEqual(begun.payments, [{ paymentId, status: "processing" }])
      assert.deepStrictEqual([yield* statusOf(placed), yield* toldLast(0)], ["reserved", ["payment.processing"]])

      const settled = yield* writer.write({ settlements: [pay(payment)] })
      assert.deepStrictEqual(settled.payments, [{ paymentId, status: "succeeded" }])
      assert.deepStrictEqual(
        [yield* statusOf(placed), yield* toldLast(0)],
        ["paid", ["order.paid", "payment.succeeded"]],
      )
      const { payments } = yield* rowsNow
      assert.deepInclude(payments, {
        paymentId,
        orderId: placed.command.orderId,
        caller: payment.caller,
        key: payment.key,
        fingerprint: payment.fingerprint,
        method: "card",
        reference: null,
        amount: 200,
        currency: "EUR",
        status: "succeeded",
        declineCode: null,
        isSettled: true,
      })
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
    }),
  )

  behaves(
    "a payment made elsewhere pays its order at once",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const placed = order([[lamp, 1]])
      yield* writer.write({ orders: [placed] })
      const payment = extend(placed, { isExternal: true })
      const { payments } = yield* writer.write({ payments: [payment] })
      assert.deepStrictEqual(payments, [{ paymentId: payment.paymentId, status: "succeeded" }])
      assert.deepStrictEqual(
        [yield* statusOf(placed), yield* toldLast(0)],
        ["paid", ["order.paid", "payment.succeeded"]],
      )
      const again = yield* writer.write({ payments: [extend(placed)], settlements: [] })
      assert.deepStrictEqual(again.payments, [])
    }),
  )

  behaves(
    "one at a time: another begins only after the first was declined",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const placed = order([[lamp, 1]])
      yield* writer.write({ orders: [placed] })
      const [first, second] = [extend(placed), extend(placed)]
      yield* writer.write({ payments: [first] })
      assert.deepStrictEqual((yield* writer.write({ payments: [second] })).payments, [])
      yield* writer.write({ settlements: [pay(first, declined)] })
      assert.strictEqual(yield* statusOf(placed), "reserved")
      yield* writer.write({ payments: [second] })
      yield* writer.write({ settlements: [pay(second)] })
      assert.deepStrictEqual(yield* paymentsOf(placed), {
        [first.paymentId]: "declined",
        [second.paymentId]: "succeeded",
      })
      assert.strictEqual(yield* statusOf(placed), "paid")
    }),
  )

  behaves(
    "a key that is taken begins nothing, whichever order it paid and whichever home it paid it at",
    Effect.gen(function* () {
      const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1 })]
      const [home, other] = [yield* writerOf(0), yield* writerOf(1)]
      const [here, there, third] = [order([[lamp, 1]]), order([[chair, 1]]), order([[lamp, 1]])]
      yield* home.write({ orders: [here, third] })
      yield* other.write({ orders: [there] })
      const key = newKey()
      const payment = extend(here, { key })
      yield* home.write({ payments: [payment] })
      const reused = { ...key, fingerprint: newFingerprint() }
      assert.deepStrictEqual((yield* other.write({ payments: [extend(there, { key: reused })] })).payments, [])
      const beside = extend(third)
      const both = yield* home.write({ payments: [extend(here, { key }), beside] })
      assert.deepStrictEqual(both.payments, [{ paymentId: beside.paymentId, status: "processing" }])
      assert.deepStrictEqual([yield* statusOf(there), yield* paymentsOf(there)], ["reserved", {}])

      const facts = yield* other.store.facts(1, { ...nothingAsked, paymentKeys: [key], payments: [payment.paymentId] })
      assert.deepInclude(facts.paymentKeys[0], { ...key, paymentId: payment.paymentId })
      assert.deepInclude(facts.payments[0], { paymentId: payment.paymentId, status: "processing" })
    }),
  )

  behaves(
    "only a reservation of this home in its time begins to be paid",
    Effect.gen(function* () {
      const { ageOrder } = yield* StoreUnderTest
      const lamp = yield* sell({ stocked: 5 })
      const [home, other] = [yield* writerOf(0), yield* writerOf(1)]
      const [late, gone, live, never] = [order([[lamp, 1]]), order([[lamp, 1]]), order([[lamp, 1]]), order([[lamp, 1]])]
      yield* home.write({ orders: [late, gone, live] })
      yield* ageOrder(late.command.orderId)
      yield* home.write({ endings: [cancel(gone, lamp)] })
      const { payments } = yield* home.write({ payments: [late, gone, never].map((placed) => extend(placed)) })
      assert.deepStrictEqual(payments, [])
      assert.deepStrictEqual((yield* other.write({ payments: [extend(live)] })).payments, [])
      const facts = yield* home.store.facts(0, { ...nothingAsked, statuses: [late.command.orderId] })
      assert.deepStrictEqual(facts.statuses, [{ orderId: late.command.orderId, status: "expired" }])
    }),
  )

  behaves(
    "the first payment makes an order's time last, a second one does not, and none makes it shorter",
    Effect.gen(function* () {
      const lamp = yield* sell({ stocked: 5 })
      const writer = yield* writerOf(0)
      const [short, long] = [order([[lamp, 1]], { ttlMillis: 60_000 }), order([[lamp, 1]], { ttlMillis: 900_000 })]
      yield* writer.write({ orders: [short, long] })
      const lasts = Effect.fnUntraced(function* (placed: typeof short) {
        const { orders } = yield* writer.store.facts(0, { ...nothingAsked, orderKeys: [placed.command] })
        const [row] = orders
        return row === undefined ? 0 : row.expiresAtMillis - row.createdAtMillis
      })
      const first = extend(short)
      yield* writer.write({ payments: [first, extend(long)] })
      const extended = yield* lasts(short)
      assert.isAtLeast(extended, 120_000)
      assert.strictEqual(yield* lasts(long), 900_000)
      yield* writer.write({ settlements: [pay(first, declined)] })
      yield* writer.write({ payments: [extend(short, { extensionMillis: 500_000 })] })
      assert.strictEqual(yield* lasts(short), extended)
    }),
  )

  behaves(
    "money for an order that is over, cancelled or expired goes back",
    Effect.gen(function* () {
      const { ageOrder } = yield* StoreUnderTest
      const lamp = yield* sell({ stocked: 5 })
      const writer = yield* writerOf(0)
      const placed = [order([[lamp, 1]]), order([[lamp, 1]]), order([[lamp, 1]])] as const
      const [over, cancelled, expired] = placed
      yield* writer.write({ orders: placed })
      const payments = placed.map((row) => extend(row))
      yield* writer.write({ payments })
      yield* ageOrder(over.command.orderId)
      yield* ageOrder(expired.command.orderId)
      yield* writer.write({ endings: [cancel(cancelled, lamp), expire(expired, lamp)] })
      const settled = yield* writer.write({ settlements: payments.map((payment) => pay(payment)) })
      assert.deepStrictEqual(
        settled.payments.map((row) => row.status),
        ["refunding", "refunding", "refunding"],
      )
      assert.deepStrictEqual(yield* toldLast(0), ["payment.refunding", "payment.refunding", "payment.refunding"])
      assert.deepStrictEqual(yield* Effect.all(placed.map(statusOf)), ["reserved", "cancelled", "expired"])
      const back = yield* writer.write({ settlements: payments.map((payment) => pay(payment, refunded)) })
      assert.deepStrictEqual(
        back.payments.map((row) => row.status),
        ["refunded", "refunded", "refunded"],
      )
    }),
  )

  behaves(
    "what became of a charge is written once, of its own order and home, and in no other order",
    Effect.gen(function* () {
      const lamp = yield* sell({ stocked: 5 })
      const [home, other] = [yield* writerOf(0), yield* writerOf(1)]
      const [mine, yours] = [order([[lamp, 1]]), order([[lamp, 1]])]
      yield* home.write({ orders: [mine, yours] })
      const payment = extend(mine)
      yield* home.write({ payments: [payment] })
      const settled = (settlement: ReturnType<typeof pay>, writer = home) =>
        Effect.map(writer.write({ settlements: [settlement] }), ({ payments }) => payments.map((row) => row.status))
      assert.deepStrictEqual(yield* settled(pay({ ...payment, orderId: yours.command.orderId })), [])
      assert.deepStrictEqual(yield* settled(pay(payment), other), [])
      assert.deepStrictEqual(yield* settled(pay(payment, refunded)), [])
      assert.deepStrictEqual(yield* settled(pay(payment)), ["succeeded"])
      for (const result of [undefined, declined, refunded]) {
        assert.deepStrictEqual(yield* settled(pay(payment, result)), [])
      }
      assert.deepStrictEqual([yield* statusOf(mine), yield* statusOf(yours)], ["paid", "reserved"])
    }),
  )

  behaves(
    "a paid order is refunded with its units and its money, whoever ends it, and never expires",
    Effect.gen(function* () {
      const { ageOrder } = yield* StoreUnderTest
      const lamp = yield* sell({ limitPerCustomer: 3 })
      const writer = yield* writerOf(0)
      const [charged, elsewhere] = [order([[lamp, 1]]), order([[lamp, 2]])]
      yield* writer.write({ orders: [charged, elsewhere] })
      const payments = [extend(charged), extend(elsewhere, { isExternal: true })] as const
      yield* writer.write({ payments })
      yield* writer.write({ settlements: [pay(payments[0])] })
      yield* ageOrder(charged.command.orderId)
      assert.deepStrictEqual((yield* writer.write({ endings: [expire(charged, lamp)] })).unended, [
        charged.command.orderId,
      ])
      const { unended } = yield* writer.write({ endings: [cancel(charged, lamp), refund(elsewhere, lamp)] })
      assert.deepStrictEqual(unended, [])
      assert.deepStrictEqual(yield* toldLast(0), [
        "order.refunded",
        "order.refunded",
        "payment.refunded",
        "payment.refunding",
      ])
      assert.deepStrictEqual([yield* statusOf(charged), yield* statusOf(elsewhere)], ["refunded", "refunded"])
      assert.deepStrictEqual(
        { ...(yield* paymentsOf(charged)), ...(yield* paymentsOf(elsewhere)) },
        { [payments[0].paymentId]: "refunding", [payments[1].paymentId]: "refunded" },
      )
      assert.deepStrictEqual([yield* stockOf(lamp), yield* unitsOf(lamp)], [{ stocked: 3, available: 3 }, 0])
    }),
  )

  behaves(
    "a reservation is not refunded",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const placed = order([[lamp, 1]])
      yield* writer.write({ orders: [placed] })
      yield* writer.write({ payments: [extend(placed)] })
      assert.deepStrictEqual((yield* writer.write({ endings: [refund(placed, lamp)] })).unended, [
        placed.command.orderId,
      ])
      assert.strictEqual(yield* statusOf(placed), "reserved")
    }),
  )

  behaves(
    "payments begin and settle beside orders and holds of a product that counts units, in one batch",
    Effect.gen(function* () {
      const lamp = yield* sell({ limitPerCustomer: 5, stocked: 5 })
      const writer = yield* writerOf(0)
      const [first, second] = [order([[lamp, 1]]), order([[lamp, 1]])]
      yield* writer.write({ orders: [first, second] })
      const [begun, beside] = [extend(first), extend(second)]
      yield* writer.write({ payments: [begun] })
      const eve = newCaller()
      const applied = yield* writer.write({
        orders: [order([[lamp, 1]], { key: newKey(eve) })],
        payments: [beside],
        settlements: [pay(begun)],
      })
      assert.sameDeepMembers(
        [...applied.payments],
        [
          { paymentId: begun.paymentId, status: "succeeded" },
          { paymentId: beside.paymentId, status: "processing" },
        ],
      )
      assert.deepStrictEqual([yield* unitsOf(lamp), yield* unitsOf(lamp, eve)], [2, 1])
    }),
  )
})

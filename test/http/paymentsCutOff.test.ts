/**
 * What a crash leaves of a payment at each of its steps, made without one: the row, the charge, both, or neither. A
 * process that is really killed is `test/process/paymentsKilled.test.ts`.
 */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient } from "effect/sql"
import { CallerId, OrderId, PaymentId } from "../../src/domain/ids.ts"
import { Inventory } from "../../src/inventory/Inventory.ts"
import { PaymentSimulator } from "../../src/payments/simulator/server.ts"
import { chargeOf, orderOf, pay, paymentIn, reservedOrder, setTimeBack, until } from "../payments/paying.ts"
import { assertBooksClosed, assertRefused, cancel } from "./shopping.ts"
import { testServerWith } from "./testServer.ts"

const newPaymentId = () => PaymentId.make(SecureRandom.uuidV7Unsafe())

/** A payment that was begun for this order, and then nothing more. */
const begun = Effect.fnUntraced(function* (orderId: string, method: string, paymentId = newPaymentId()) {
  const inventory = yield* Inventory
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly shard: number; readonly caller: string }>`
    select home_shard as shard, caller from orders where id = ${orderId}`
  assert.exists(row)
  const name = { caller: CallerId.make(row.caller), key: `cut off ${orderId}`, fingerprint: "ab".repeat(16) }
  const order = { orderId: OrderId.make(orderId), extensionMillis: 60_000 }
  const payment = { _tag: "Charge", method } as const
  const command = { _tag: "Extend" as const, ...name, ...order, paymentId, payment }
  assert.strictEqual((yield* inventory.submit(row.shard, command, Date.now() + 5_000))._tag, "Begun")
  return paymentId
})

const atProvider = Effect.fnUntraced(function* (path: string, body: unknown) {
  const { url } = yield* PaymentSimulator
  return yield* Effect.promise((signal) =>
    fetch(`${url}${path}`, {
      signal,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }).then((response) => response.status),
  )
})

const charged = (paymentId: string, method: string) =>
  Effect.map(atProvider("/v1/charges", { paymentId, amount: 200, currency: "EUR", method }), (status) =>
    assert.strictEqual(status, 200),
  )

const paymentOf = (token: string, orderId: string) =>
  Effect.map(orderOf(token, orderId), ({ payments, status }) => {
    const payment = payments.at(-1)
    return `${status}, ${payment?.status}${payment?.declineCode === undefined ? "" : `: ${payment.declineCode}`}`
  })

const becomes = (token: string, orderId: string, outcome: string) =>
  until(`the order is ${outcome}`, paymentOf(token, orderId), (seen) => seen === outcome)

const booksOf = (paymentId: string) =>
  Effect.map(chargeOf(paymentId), (charge) => [charge?.charges ?? 0, charge?.refunds ?? 0])

/** Nobody's callbacks are in time for these: each is about what the reconciler does, as soon as it looks. */
const unheard = testServerWith(
  {},
  {
    reconciler: { intervalMillis: 50, quietMillis: 0 },
  },
)

layer(unheard, { excludeTestServices: true })("a payment that was cut off", (it) => {
  it.effect("before it was charged is charged", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      const paymentId = yield* begun(id, "success")
      yield* becomes(token, id, "paid, succeeded")
      assert.deepStrictEqual(yield* booksOf(paymentId), [1, 0])
    }),
  )

  it.effect("before it was declined is declined, and the order may be paid another way", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      const paymentId = yield* begun(id, "insufficient_funds")
      yield* becomes(token, id, "reserved, declined: insufficient_funds")
      assert.deepStrictEqual(yield* booksOf(paymentId), [0, 0])
      assert.strictEqual(paymentIn(yield* pay(token, id, "q", "success")).status, "succeeded")
    }),
  )

  it.effect("after it was charged is written down, and not charged again", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      // The other way round, so that the reconciler cannot come in between.
      const paymentId = newPaymentId()
      yield* charged(paymentId, "success")
      yield* begun(id, "success", paymentId)
      yield* becomes(token, id, "paid, succeeded")
      assert.deepStrictEqual(yield* booksOf(paymentId), [1, 0])
    }),
  )

  it.effect("whose order was given up meanwhile takes no money, or gives it back", () =>
    Effect.gen(function* () {
      for (const isCharged of [false, true]) {
        const { id, token } = yield* reservedOrder
        const paymentId = newPaymentId()
        if (isCharged) yield* charged(paymentId, "late_success")
        yield* begun(id, "late_success", paymentId)
        yield* cancel(token, id)
        yield* until("it is over", paymentOf(token, id), (seen) => /declined: cancelled|refunded/.test(seen))
        const [charges, refunds] = yield* booksOf(paymentId)
        assert.strictEqual(charges, refunds)
      }
    }),
  )

  it.effect("whose order's time is over takes no money, or gives it back", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      const paymentId = newPaymentId()
      yield* charged(paymentId, "late_success")
      yield* begun(id, "late_success", paymentId)
      yield* setTimeBack(id)
      yield* becomes(token, id, "expired, refunded")
      assert.deepStrictEqual(yield* booksOf(paymentId), [1, 1])
      assertRefused(yield* pay(token, id, "q", "success"), 409, "expired")
    }),
  )

  it.effect("while its money went back goes back once", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      const { id: paymentId } = paymentIn(yield* pay(token, id, "p", "success"))
      // The provider gave it back already, as for a process that was killed before it wrote that down.
      assert.strictEqual(yield* atProvider(`/v1/charges/${paymentId}/refund`, {}), 200)
      assert.strictEqual((yield* cancel(token, id)).body["status"], "refunded")
      yield* becomes(token, id, "refunded, refunded")
      assert.deepStrictEqual(yield* booksOf(paymentId), [1, 1])
      yield* assertBooksClosed
    }),
  )
})

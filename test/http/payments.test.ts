import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient } from "effect/sql"
import { paymentsOfOrderMax } from "../../src/payments/paymentBounds.ts"
import {
  chargeOf,
  orderOf,
  pay,
  paymentIn,
  reservedOrder,
  reservedOrderOf,
  setTimeBack,
  until,
} from "../payments/paying.ts"
import { assertBooksClosed, assertRefused, available, cancel, isReplayed, refund } from "./shopping.ts"
import { adminToken, call, newCustomer, testServer } from "./testServer.ts"

/** The order's payments as customers see them, as status and reason. */
const outcomes = (token: string, orderId: string) =>
  Effect.map(orderOf(token, orderId), ({ payments }) =>
    payments.map(({ declineCode, status }) => (declineCode === undefined ? status : `${status}: ${declineCode}`)),
  )

const untilStatus = (token: string, orderId: string, status: string) =>
  until(`the order is ${status}`, orderOf(token, orderId), (order) => order.status === status)

layer(testServer, { excludeTestServices: true })("paying an order", (it) => {
  it.effect("pays it once, and the same key tells the same payment again", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      const answer = yield* pay(token, id, "p", "success")
      const payment = paymentIn(answer)
      assert.deepInclude(payment, { status: "succeeded", method: "success", amount: { amount: 200, currency: "EUR" } })
      assert.isFalse(isReplayed(answer))
      const order = yield* orderOf(token, id)
      assert.strictEqual(order.status, "paid")
      assert.exists(order.paidAt)
      assert.deepStrictEqual(order.payments, [payment])
      const again = yield* pay(token, id, "p", "success")
      assert.deepStrictEqual(paymentIn(again), payment)
      assert.isTrue(isReplayed(again))
      assertRefused(yield* pay(token, id, "p", "declined"), 422, "idempotency_key_reused")
      assertRefused(yield* pay(token, id, "q", "success"), 409, "already_paid")
      assert.deepInclude(yield* chargeOf(payment.id), { charges: 1, refunds: 0 })
      yield* assertBooksClosed
    }),
  )

  it.effect("that was declined is told so with 201, and another key may try another way", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      assert.deepInclude(paymentIn(yield* pay(token, id, "p", "declined")), {
        status: "declined",
        declineCode: "card_declined",
      })
      assert.strictEqual(paymentIn(yield* pay(token, id, "q", "insufficient_funds")).declineCode, "insufficient_funds")
      assert.strictEqual(paymentIn(yield* pay(token, id, "r", "cowrie shells")).declineCode, "unknown_method")
      assert.strictEqual((yield* orderOf(token, id)).status, "reserved")
      assert.strictEqual(paymentIn(yield* pay(token, id, "s", "success")).status, "succeeded")
      assert.deepStrictEqual(yield* outcomes(token, id), [
        "declined: card_declined",
        "declined: insufficient_funds",
        "declined: unknown_method",
        "succeeded",
      ])
      const again = yield* pay(token, id, "p", "declined")
      assert.isTrue(isReplayed(again))
      assert.strictEqual(paymentIn(again).status, "declined")
    }),
  )

  it.effect("is listed in pages for whoever pays, and for nobody else", () =>
    Effect.gen(function* () {
      const { id, merchant, token } = yield* reservedOrder
      for (const key of ["a", "b", "c"]) yield* pay(token, id, key, "declined")
      const path = `/v1/orders/${id}/payments`
      const first = yield* call(`${path}?limit=2`, { token })
      assert.strictEqual(first.status, 200, first.text)
      const ids = (first.body["data"] as ReadonlyArray<{ readonly id: string }>).map((payment) => payment.id)
      assert.deepStrictEqual([ids.length, first.body["hasMore"]], [2, true])
      const rest = yield* call(`${path}?limit=2&starting_after=${ids[1]}`, { token })
      assert.strictEqual((rest.body["data"] as ReadonlyArray<unknown>).length, 1)
      assert.isFalse(rest.body["hasMore"])
      assert.strictEqual((yield* call(path, { token: yield* adminToken() })).status, 200)
      for (const stranger of [merchant.token, (yield* newCustomer()).token]) {
        assertRefused(yield* call(path, { token: stranger }), 404, "not_found")
        assertRefused(yield* pay(stranger, id, "x", "success"), 404, "not_found")
      }
    }),
  )

  it.effect("needs a key, and is taken elsewhere by channels alone", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      const path = `/v1/orders/${id}/payments`
      assertRefused(yield* call(path, { token, json: { method: "success" } }), 400, "idempotency_key_missing")
      const send = (json: unknown) => call(path, { token, json, headers: { "idempotency-key": "p" } })
      for (const json of [
        { method: "external", reference: "till 1" },
        { method: "external" },
        { method: "success", reference: "till 1" },
        { method: "" },
        { method: "a\nb" },
        {},
      ]) {
        assertRefused(yield* send(json), 422, "invalid")
      }
      assert.deepStrictEqual((yield* orderOf(token, id)).payments, [])
      const nowhere = `/v1/orders/${SecureRandom.uuidV7Unsafe()}/payments`
      assertRefused(
        yield* call(nowhere, { token, json: { method: "success" }, headers: { "idempotency-key": "p" } }),
        404,
        "not_found",
      )
    }),
  )

  it.effect("with several keys at once is taken up by one of them", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      const keys = ["a", "b", "c", "d"]
      const answers = yield* Effect.forEach(keys, (key) => pay(token, id, key, "late_success"), {
        concurrency: "unbounded",
      })
      assert.strictEqual(answers.filter(({ status }) => status === 201).length, 1)
      for (const answer of answers) {
        if (answer.status !== 201) assertRefused(answer, 409, "payment_in_progress")
      }
      assert.deepStrictEqual(yield* outcomes(token, id), ["processing"])
    }),
  )

  it.effect("with one key many times at once is one payment", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      const answers = yield* Effect.forEach(Array.from({ length: 12 }), () => pay(token, id, "p", "success"), {
        concurrency: "unbounded",
      })
      assert.strictEqual(new Set(answers.map((answer) => paymentIn(answer).id)).size, 1)
      assert.strictEqual(answers.filter((answer) => !isReplayed(answer)).length, 1)
      assert.deepStrictEqual(yield* outcomes(token, id), ["succeeded"])
    }),
  )

  it.effect("of an order that was cancelled is refused with what it has become", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      yield* cancel(token, id)
      const answer = yield* pay(token, id, "p", "success")
      assertRefused(answer, 409, "not_payable")
      assert.strictEqual(answer.body["orderStatus"], "cancelled")
    }),
  )

  it.effect("is tried so many times and no more, and what was tried is told all the same", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { id, token } = yield* reservedOrder
      const first = paymentIn(yield* pay(token, id, "p", "declined"))
      yield* sql`insert into payments (id, order_id, caller, key, fingerprint, method, amount, currency, status, decline_code,
          created_at, settled_at)
        select gen_random_uuid(), p.order_id, p.caller, 'more ' || n, p.fingerprint, p.method, p.amount, p.currency, p.status,
          p.decline_code, p.created_at, p.settled_at
        from payments p cross join generate_series(2, ${paymentsOfOrderMax}::int) n where p.id = ${first.id}`
      assertRefused(yield* pay(token, id, "q", "success"), 409, "too_many_payments")
      assert.deepStrictEqual(paymentIn(yield* pay(token, id, "p", "declined")), first)
    }),
  )

  it.effect("is answered within the deadline although the provider loses the first answer or the first request", () =>
    Effect.gen(function* () {
      for (const method of ["timeout_after_charging", "timeout_before_charging", "server_error"]) {
        const { id, token } = yield* reservedOrder
        const payment = paymentIn(yield* pay(token, id, "p", method))
        assert.strictEqual(payment.status, "succeeded", method)
        assert.deepInclude(yield* chargeOf(payment.id), { charges: 1, refunds: 0 })
        assert.strictEqual((yield* orderOf(token, id)).status, "paid")
      }
    }),
  )
})

layer(testServer, { excludeTestServices: true })("a payment that takes its time", (it) => {
  it.effect("is processing until the provider calls back, whether it succeeds or not", () =>
    Effect.gen(function* () {
      for (const [method, orderStatus, outcome] of [
        ["delayed", "paid", "succeeded"],
        ["delayed_declined", "reserved", "declined: card_declined"],
        ["duplicate_callbacks", "paid", "succeeded"],
        ["callbacks_out_of_order", "paid", "succeeded"],
      ] as const) {
        const { id, token } = yield* reservedOrder
        assert.strictEqual(paymentIn(yield* pay(token, id, "p", method)).status, "processing")
        yield* until(`${method} is ${outcome}`, outcomes(token, id), ([seen]) => seen === outcome)
        assert.strictEqual((yield* orderOf(token, id)).status, orderStatus)
        assert.strictEqual(paymentIn(yield* pay(token, id, "p", method)).status, outcome.split(":", 1)[0])
      }
      yield* assertBooksClosed
    }),
  )

  it.effect("makes the order last for it, once", () =>
    Effect.gen(function* () {
      const merchantsTime = { reservationTtlSeconds: 60 }
      const { id, token } = yield* reservedOrderOf(merchantsTime)
      const before = Date.parse((yield* orderOf(token, id)).expiresAt)
      yield* pay(token, id, "p", "declined")
      const after = Date.parse((yield* orderOf(token, id)).expiresAt)
      assert.isAtLeast(after - before, 59_000)
      assert.isAtMost(after - before, 75_000)
      yield* pay(token, id, "q", "declined")
      assert.strictEqual(Date.parse((yield* orderOf(token, id)).expiresAt), after)
    }),
  )

  it.effect("is refunded by itself where the order was cancelled meanwhile", () =>
    Effect.gen(function* () {
      const { id, lamp, token } = yield* reservedOrder
      const payment = paymentIn(yield* pay(token, id, "p", "late_success"))
      assert.strictEqual(payment.status, "processing")
      assert.strictEqual((yield* cancel(token, id)).body["status"], "cancelled")
      assert.strictEqual(yield* available(lamp), 5)
      yield* until("the money is back", outcomes(token, id), ([seen]) => seen === "refunded")
      assert.deepInclude(yield* chargeOf(payment.id), { charges: 1, refunds: 1 })
      yield* assertBooksClosed
    }),
  )

  it.effect("never takes any money once its order is gone, if it has not by then", () =>
    Effect.gen(function* () {
      const { id, token } = yield* reservedOrder
      const payment = paymentIn(yield* pay(token, id, "p", "delayed"))
      yield* cancel(token, id)
      yield* until("it is over", outcomes(token, id), ([seen]) => seen !== "processing" && seen !== "refunding")
      const charge = yield* chargeOf(payment.id)
      assert.strictEqual(charge?.charges, charge?.refunds)
    }),
  )

  it.effect("that succeeds after the order's time is over is refunded by itself", () =>
    Effect.gen(function* () {
      const { id, lamp, token } = yield* reservedOrder
      const payment = paymentIn(yield* pay(token, id, "p", "late_success"))
      yield* setTimeBack(id)
      yield* untilStatus(token, id, "expired")
      assertRefused(yield* pay(token, id, "q", "success"), 409, "expired")
      yield* until("the money is back", outcomes(token, id), ([seen]) => seen === "refunded")
      assert.deepInclude(yield* chargeOf(payment.id), { charges: 1, refunds: 1 })
      yield* until("the units are back", available(lamp), (units) => units === 5)
      yield* assertBooksClosed
    }),
  )
})

layer(testServer, { excludeTestServices: true })("a paid order that is given up", (it) => {
  it.effect("has its money on the way back at once, and back soon, once, whoever gave it up and how often", () =>
    Effect.gen(function* () {
      for (const giveUp of [
        (token: string, id: string, _merchant: string) => cancel(token, id),
        (_token: string, id: string, merchant: string) => refund(merchant, id),
      ]) {
        const { id, merchant, token } = yield* reservedOrder
        const payment = paymentIn(yield* pay(token, id, "p", "success"))
        const answers = yield* Effect.all(
          [giveUp(token, id, merchant.token), giveUp(token, id, merchant.token), giveUp(token, id, merchant.token)],
          { concurrency: "unbounded" },
        )
        for (const answer of answers) assert.strictEqual(answer.body["status"], "refunded", answer.text)
        yield* until("the money is back", outcomes(token, id), ([seen]) => seen === "refunded")
        assert.deepInclude(yield* chargeOf(payment.id), { charges: 1, refunds: 1 })
        assert.strictEqual(paymentIn(yield* pay(token, id, "p", "success")).status, "refunded")
        const again = yield* pay(token, id, "q", "success")
        assertRefused(again, 409, "not_payable")
        assert.strictEqual(again.body["orderStatus"], "refunded")
      }
      yield* assertBooksClosed
    }),
  )
})

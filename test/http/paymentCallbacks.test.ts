import { assert, layer } from "@effect/vitest"
import { Clock, Effect, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import type { ChargeEvent } from "../../src/payments/charge.ts"
import { signedHeaders } from "../../src/payments/signing.ts"
import { orderOf, pay, paymentIn, reservedOrder } from "../payments/paying.ts"
import { assertRefused, cancel } from "./shopping.ts"
import { call, paymentSecret, testServer } from "./testServer.ts"

const anotherSecret = "whsec_YW5vdGhlci1zZWNyZXQtdGhhdC1ub2JvZHktaGVyZS1rbm93cw=="

interface Sending {
  readonly secret?: string
  readonly ageMillis?: number
  /** What is sent instead of what was signed. */
  readonly sent?: string
  readonly headers?: Readonly<Record<string, string>>
}

const send = Effect.fnUntraced(function* (body: string, options: Sending = {}) {
  const { ageMillis = 0, headers = {}, secret = paymentSecret, sent = body } = options
  const atMillis = (yield* Clock.currentTimeMillis) - ageMillis
  const signed = signedHeaders(Redacted.make(secret), `msg_${SecureRandom.uuidV7Unsafe()}`, atMillis, body)
  return yield* call("/v1/payments/callback", { raw: sent, headers: { ...signed, ...headers } })
})

/** A payment under way of which nobody but the test will tell. */
const underWay = Effect.gen(function* () {
  const reserved = yield* reservedOrder
  const payment = paymentIn(yield* pay(reserved.token, reserved.id, "p", "late_success"))
  const eventOf = (status: (ChargeEvent["data"]["status"] & "succeeded") | "declined" | "processing", amount = 200) =>
    JSON.stringify({
      type: `charge.${status}`,
      data: {
        paymentId: payment.id,
        amount,
        currency: "EUR",
        status,
        ...(status === "declined" ? { declineCode: "card_declined" } : {}),
      },
    })
  const status = Effect.map(orderOf(reserved.token, reserved.id), ({ payments, status: orderStatus }) => [
    payments[0]?.status,
    orderStatus,
  ])
  return { ...reserved, eventOf, status }
})

layer(testServer, { excludeTestServices: true })("a callback of the payment provider", (it) => {
  it.effect("is believed where it is signed, told again without harm, and never taken back", () =>
    Effect.gen(function* () {
      const { eventOf, status } = yield* underWay
      assert.strictEqual((yield* send(eventOf("processing"))).status, 204)
      assert.deepStrictEqual(yield* status, ["processing", "reserved"])
      for (const event of ["succeeded", "succeeded", "processing", "declined"] as const) {
        const answer = yield* send(eventOf(event))
        assert.strictEqual(answer.status, 204, answer.text)
        assert.strictEqual(answer.text, "")
        assert.deepStrictEqual(yield* status, ["succeeded", "paid"], event)
      }
    }),
  )

  it.effect("that many tell at once is one", () =>
    Effect.gen(function* () {
      const { eventOf, status } = yield* underWay
      const answers = yield* Effect.forEach(
        Array.from({ length: 10 }),
        (_, index) => send(eventOf(index % 2 === 0 ? "succeeded" : "processing")),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(new Set(answers.map((answer) => answer.status)), new Set([204]))
      assert.deepStrictEqual(yield* status, ["succeeded", "paid"])
    }),
  )

  it.effect("is refused where the signature is another's, of another body, old, of the future or missing", () =>
    Effect.gen(function* () {
      const { eventOf, status } = yield* underWay
      const event = eventOf("succeeded")
      const tenMinutes = 10 * 60_000
      for (const options of [
        { secret: anotherSecret },
        { sent: event.replace("succeeded", "succeeded ") },
        { sent: eventOf("succeeded", 1) },
        { ageMillis: tenMinutes },
        { ageMillis: -tenMinutes },
        { headers: { "webhook-id": "msg_another" } },
        { headers: { "webhook-timestamp": "yesterday" } },
        { headers: { "webhook-signature": "" } },
        { headers: { "webhook-signature": "v1,AAAA" } },
      ]) {
        assertRefused(yield* send(event, options), 401, "bad_signature")
      }
      assertRefused(yield* call("/v1/payments/callback", { raw: event }), 401, "bad_signature")
      assert.deepStrictEqual(yield* status, ["processing", "reserved"])
    }),
  )

  it.effect("of no payment here, or of another amount, changes nothing", () =>
    Effect.gen(function* () {
      const { eventOf, status } = yield* underWay
      assert.strictEqual((yield* send(eventOf("succeeded", 1))).status, 204)
      const stranger = { paymentId: SecureRandom.uuidV7Unsafe(), amount: 200, currency: "EUR", status: "succeeded" }
      assert.strictEqual((yield* send(JSON.stringify({ type: "charge.succeeded", data: stranger }))).status, 204)
      assert.deepStrictEqual(yield* status, ["processing", "reserved"])
    }),
  )

  it.effect("that is signed and makes no sense is refused as any other request", () =>
    Effect.gen(function* () {
      assertRefused(yield* send("{"), 400, "malformed")
      assertRefused(yield* send(`{"type":"charge.guessed"}`), 422, "invalid")
      assertRefused(yield* send(JSON.stringify({ padding: "x".repeat(70_000) })), 413, "too_large")
    }),
  )

  it.effect("of a success for an order that is gone sends the money back", () =>
    Effect.gen(function* () {
      const { eventOf, id, status, token } = yield* underWay
      yield* cancel(token, id)
      assert.strictEqual((yield* send(eventOf("succeeded"))).status, 204)
      const [payment, order] = yield* status
      assert.include(["refunding", "refunded"], payment)
      assert.strictEqual(order, "cancelled")
    }),
  )
})

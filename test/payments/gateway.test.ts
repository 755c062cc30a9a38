import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { PaymentGateway } from "../../src/payments/PaymentGateway.ts"
import { PaymentSimulator } from "../../src/payments/simulator/server.ts"
import { chargeOf, ledgerAt, until } from "./paying.ts"
import { Listener, newPayment, provider } from "./provider.ts"

const told = (paymentId: string) =>
  Effect.map(Listener, (listener) => listener.told.filter(({ event }) => event.data.paymentId === paymentId))

layer(provider(), { excludeTestServices: true })("the payment provider, as its test methods have it behave", (it) => {
  it.effect("answers at once what it can know at once, once a payment", () =>
    Effect.gen(function* () {
      const gateway = yield* PaymentGateway
      for (const [method, status, declineCode] of [
        ["success", "succeeded", undefined],
        ["declined", "declined", "card_declined"],
        ["insufficient_funds", "declined", "insufficient_funds"],
        ["cowrie shells", "declined", "unknown_method"],
        ["__proto__", "declined", "unknown_method"],
      ] as const) {
        const payment = newPayment()
        for (let time = 0; time < 2; time++) {
          const charge = yield* gateway.charge({ ...payment, method })
          assert.deepStrictEqual([charge.status, charge.declineCode], [status, declineCode], method)
        }
        const charges = (yield* chargeOf(payment.paymentId))?.charges ?? 0
        assert.strictEqual(charges, status === "succeeded" ? 1 : 0, method)
      }
    }),
  )

  it.effect("charges once however a request fails, and in the end says so", () =>
    Effect.gen(function* () {
      const gateway = yield* PaymentGateway
      for (const method of ["timeout_after_charging", "timeout_before_charging", "server_error"]) {
        const payment = newPayment()
        assert.strictEqual((yield* gateway.charge({ ...payment, method })).status, "succeeded", method)
        assert.deepInclude(yield* chargeOf(payment.paymentId), { charges: 1, refunds: 0 }, method)
      }
    }),
  )

  it.effect("tells of what takes its time, signed: once, or three times at once, or the end before the beginning", () =>
    Effect.gen(function* () {
      const gateway = yield* PaymentGateway
      for (const [method, types, ids] of [
        ["delayed", ["charge.succeeded"], 1],
        ["delayed_declined", ["charge.declined"], 1],
        ["duplicate_callbacks", ["charge.succeeded", "charge.succeeded", "charge.succeeded"], 1],
        ["callbacks_out_of_order", ["charge.succeeded", "charge.processing"], 2],
      ] as const) {
        const payment = newPayment()
        assert.strictEqual((yield* gateway.charge({ ...payment, method })).status, "processing", method)
        const heard = yield* until(
          `${method} is told`,
          told(payment.paymentId),
          (events) => events.length >= types.length,
        )
        assert.deepStrictEqual(
          heard.map(({ event }) => event.type),
          [...types],
        )
        assert.strictEqual(new Set(heard.map(({ id }) => id)).size, ids)
        assert.isTrue(heard.every(({ isSigned }) => isSigned))
        assert.strictEqual((yield* gateway.find(payment))?.status, heard[0]?.event.data.status)
      }
    }),
  )

  it.effect("tells again what was not accepted", () =>
    Effect.gen(function* () {
      const [gateway, listener] = [yield* PaymentGateway, yield* Listener]
      const payment = newPayment()
      listener.status = 503
      yield* gateway.charge({ ...payment, method: "success" })
      yield* until("it is told", told(payment.paymentId), (events) => events.length >= 1)
      listener.status = 204
      const events = yield* until("it is told again", told(payment.paymentId), ({ length }) => length >= 2)
      assert.strictEqual(new Set(events.map(({ id }) => id)).size, 1)
    }),
  )

  it.effect("gives money back once, and none that it never had", () =>
    Effect.gen(function* () {
      const gateway = yield* PaymentGateway
      const payment = newPayment()
      yield* gateway.charge({ ...payment, method: "success" })
      const charges = yield* Effect.all([gateway.refund(payment), gateway.refund(payment), gateway.refund(payment)], {
        concurrency: "unbounded",
      })
      assert.deepStrictEqual(
        charges.map(({ status }) => status),
        ["refunded", "refunded", "refunded"],
      )
      assert.deepInclude(yield* chargeOf(payment.paymentId), { charges: 1, refunds: 1 })
      assert.strictEqual((yield* gateway.charge({ ...payment, method: "success" })).status, "refunded")
      const declined = newPayment()
      yield* gateway.charge({ ...declined, method: "declined" })
      assert.strictEqual((yield* gateway.refund(declined)).status, "declined")
      const error = yield* Effect.flip(gateway.refund(newPayment()))
      assert.strictEqual(error.reason, "refused")
    }),
  )

  it.effect("ends for good what has not happened, and says what has", () =>
    Effect.gen(function* () {
      const gateway = yield* PaymentGateway
      const [unheardOf, done, underWay, late] = [newPayment(), newPayment(), newPayment(), newPayment()]
      assert.isNull(yield* gateway.find(unheardOf))
      assert.strictEqual((yield* gateway.cancel(unheardOf)).status, "cancelled")
      assert.strictEqual((yield* gateway.charge({ ...unheardOf, method: "success" })).status, "cancelled")
      yield* gateway.charge({ ...done, method: "success" })
      assert.strictEqual((yield* gateway.cancel(done)).status, "succeeded")
      yield* gateway.charge({ ...underWay, method: "delayed" })
      assert.strictEqual((yield* gateway.cancel(underWay)).status, "cancelled")
      yield* gateway.charge({ ...late, method: "late_success" })
      assert.strictEqual((yield* gateway.find(late))?.status, "processing")
      assert.strictEqual((yield* gateway.cancel(late)).status, "succeeded")
      // What was under way would have ended by the time that another one of its kind has.
      const another = newPayment()
      yield* gateway.charge({ ...another, method: "delayed" })
      yield* until("it has ended", gateway.find(another), (charge) => charge?.status === "succeeded")
      assert.strictEqual((yield* gateway.find(underWay))?.status, "cancelled")
      const { url } = yield* PaymentSimulator
      const charges = new Map((yield* ledgerAt(url)).map((charge) => [charge.paymentId, charge.charges]))
      assert.deepStrictEqual(
        [unheardOf, done, underWay, late].map(({ paymentId }) => charges.get(paymentId)),
        [0, 1, 0, 1],
      )
    }),
  )

  it.effect("takes the money again under another key, as providers do: the key is what makes it once", () =>
    Effect.gen(function* () {
      const { url } = yield* PaymentSimulator
      const { amount, paymentId } = newPayment()
      const ask = (key: string, units: number) =>
        Effect.promise((signal) =>
          fetch(`${url}/v1/charges`, {
            signal,
            method: "POST",
            headers: { "content-type": "application/json", "idempotency-key": key },
            body: JSON.stringify({ paymentId, ...amount, amount: units, method: "success" }),
          }).then((response) => response.arrayBuffer().then(() => response.status)),
        )
      assert.deepStrictEqual([yield* ask("a", 5), yield* ask("a", 5), yield* ask("a", 6)], [200, 200, 409])
      assert.strictEqual((yield* chargeOf(paymentId))?.charges, 1)
      yield* ask(SecureRandom.uuidV7Unsafe(), 5)
      assert.strictEqual((yield* chargeOf(paymentId))?.charges, 2)
    }),
  )
})

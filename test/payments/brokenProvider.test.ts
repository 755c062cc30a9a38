import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer, type RequestListener } from "node:http"
import { callFailuresMax } from "../../src/payments/paymentBounds.ts"
import { PaymentGateway } from "../../src/payments/PaymentGateway.ts"
import { newPayment } from "./provider.ts"
import { until } from "./paying.ts"

/** A provider that answers whatever this says. */
const answering = (listener: RequestListener) =>
  Effect.gen(function* () {
    const server = createServer(listener)
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () => Effect.sync(() => server.close().closeAllConnections()),
    )
    const address = server.address()
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
  })

it.live("an answer of another payment, of another amount or of no sense is not believed", () =>
  Effect.gen(function* () {
    const payment = newPayment()
    const right = { paymentId: payment.paymentId, ...payment.amount, status: "succeeded" }
    let body: unknown = right
    const url = yield* answering((_, response) => response.end(JSON.stringify(body)))
    yield* Effect.gen(function* () {
      const gateway = yield* PaymentGateway
      assert.strictEqual((yield* gateway.charge({ ...payment, method: "success" })).status, "succeeded")
      for (const [wrong, reason] of [
        [{ ...right, paymentId: newPayment().paymentId }, "unbelievable"],
        [{ ...right, amount: 1 }, "unbelievable"],
        [{ ...right, currency: "USD" }, "unbelievable"],
        [{ ...right, status: "probably" }, "away"],
        ["welcome", "away"],
      ] as const) {
        body = wrong
        for (const ask of [gateway.find(payment), gateway.cancel(payment), gateway.refund(payment)]) {
          assert.strictEqual((yield* Effect.flip(ask)).reason, reason)
        }
      }
    }).pipe(Effect.provide(PaymentGateway.layer(url)))
  }).pipe(Effect.scoped),
)

it.live("a provider that is away is asked no more for a while, and then by one call", () =>
  Effect.gen(function* () {
    const payment = newPayment()
    let status = 500
    let requests = 0
    const url = yield* answering((_, response) => {
      requests += 1
      response
        .writeHead(status)
        .end(JSON.stringify({ paymentId: payment.paymentId, ...payment.amount, status: "succeeded" }))
    })
    yield* Effect.gen(function* () {
      const gateway = yield* PaymentGateway
      for (let call = 0; call < callFailuresMax; call++) {
        assert.isFalse(yield* gateway.isShut)
        assert.strictEqual((yield* Effect.flip(gateway.find(payment))).reason, "away")
      }
      assert.isTrue(yield* gateway.isShut)
      const before = requests
      assert.strictEqual((yield* Effect.flip(gateway.find(payment))).reason, "shut")
      assert.strictEqual(requests, before)
      status = 200
      yield* until("somebody is let through", gateway.isShut, (isShut) => !isShut)
      assert.strictEqual((yield* gateway.find(payment))?.status, "succeeded")
      assert.strictEqual((yield* gateway.find(payment))?.status, "succeeded")
    }).pipe(Effect.provide(PaymentGateway.layer(url)))
  }).pipe(Effect.scoped),
)

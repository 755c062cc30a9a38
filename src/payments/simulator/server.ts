/**
 * The simulator's HTTP: a payment provider's stand-in on a port of its own, whether it runs in the service's process or
 * by itself.
 *
 * | request | answer |
 * |---|---|
 * | `POST /v1/charges` with `Idempotency-Key`, `{paymentId, amount, currency, method}` | the charge; 422 `unknown_method` |
 * | `GET /v1/charges/{paymentId}` | the charge; 404 |
 * | `POST /v1/charges/{paymentId}/cancel` `{amount, currency}` | the charge as it is from now on for good |
 * | `POST /v1/charges/{paymentId}/refund` | the charge; 404 |
 * | `GET /v1/ledger` | per payment how often it was charged and refunded, the latest first |
 */
import { NodeHttpServer } from "@effect/platform-node"
import { ByteSize, Context, Effect, Layer, Schema } from "effect"
import {
  HttpIncomingMessage,
  HttpRouter,
  HttpServer,
  type HttpServerError,
  HttpServerRequest,
  HttpServerResponse,
} from "effect/http"
import { createServer } from "node:http"
import { PaymentId } from "../../domain/ids.ts"
import { Currency } from "../../domain/money.ts"
import { cannotStart } from "../../platform/CannotStart.ts"
import { Provider, type ProviderAnswer } from "./Provider.ts"
import { requestMaxBytes } from "./simulatorBounds.ts"

const amount = { amount: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)), currency: Currency }
const ChargeBody = Schema.Struct({ paymentId: PaymentId, ...amount, method: Schema.String })
const CancelBody = Schema.Struct(amount)
const ChargePath = Schema.Struct({ paymentId: PaymentId })

const json = (body: unknown, status = 200) =>
  HttpServerResponse.text(JSON.stringify(body), { status, contentType: "application/json" })

const responseTo = (answer: ProviderAnswer): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
  switch (answer._tag) {
    case "Charge":
      return Effect.succeed(json(answer.charge))
    case "Refused":
      return Effect.succeed(json({ code: answer.code }, answer.status))
    case "Silence":
      return Effect.delay(Effect.succeed(json({ code: "too_late" }, 504)), answer.millis)
  }
}

/** What cannot be understood was not done. */
const malformed = Effect.succeed(json({ code: "malformed" }, 400))

const answered = <R>(work: Effect.Effect<ProviderAnswer, Schema.SchemaError | HttpServerError.HttpServerError, R>) =>
  work.pipe(
    Effect.flatMap(responseTo),
    Effect.catch(() => malformed),
  )

const paymentIdOfPath = Effect.map(HttpRouter.schemaPathParams(ChargePath), ({ paymentId }) => paymentId)

const charge = Effect.gen(function* () {
  const { headers } = yield* HttpServerRequest.HttpServerRequest
  const body = yield* HttpServerRequest.schemaBodyJson(ChargeBody)
  return yield* (yield* Provider).charge({ ...body, key: headers["idempotency-key"] ?? body.paymentId })
})

const cancel = Effect.gen(function* () {
  const paymentId = yield* paymentIdOfPath
  const body = yield* HttpServerRequest.schemaBodyJson(CancelBody)
  return yield* (yield* Provider).cancel({ paymentId, ...body })
})

const withPath = (verb: "find" | "refund") =>
  Effect.gen(function* () {
    const paymentId = yield* paymentIdOfPath
    return yield* (yield* Provider)[verb](paymentId)
  })

const ledger = Effect.flatMap(Provider, (provider) => Effect.map(provider.ledger, (data) => json({ data })))

const routes = Layer.mergeAll(
  HttpRouter.add("POST", "/v1/charges", answered(charge)),
  HttpRouter.add("GET", "/v1/charges/:paymentId", answered(withPath("find"))),
  HttpRouter.add("POST", "/v1/charges/:paymentId/cancel", answered(cancel)),
  HttpRouter.add("POST", "/v1/charges/:paymentId/refund", answered(withPath("refund"))),
  HttpRouter.add("GET", "/v1/ledger", ledger),
)

export class PaymentSimulator extends Context.Service<PaymentSimulator, { readonly url: string }>()(
  "hedonify/payments/simulator/PaymentSimulator",
) {
  /** On this machine alone; port 0 picks one. */
  static readonly layer = (port: number) =>
    Layer.effect(PaymentSimulator, serve(port)).pipe(Layer.provide(NodeHttpServer.layerHttpServices))
}

const host = "127.0.0.1"

const serve = Effect.fnUntraced(function* (port: number) {
  const server = yield* NodeHttpServer.make(() => createServer(), {
    host,
    port,
    // Whoever waits for an answer that never comes does not keep the simulator from stopping.
    gracefulShutdownTimeout: 0,
  }).pipe(
    Effect.mapError(({ cause }) =>
      cannotStart(
        `The payment simulator cannot listen on ${host}:${port} (${cause instanceof Error ? cause.message : String(cause)}).`,
      ),
    ),
  )
  const router = yield* HttpRouter.toHttpEffect(routes)
  yield* server
    .serve(router)
    .pipe(Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(requestMaxBytes)))
  return PaymentSimulator.of({ url: HttpServer.formatAddress(server.address) })
})

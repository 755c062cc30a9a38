/**
 * The HttpApi echo: the same server stack, the same headers and body decoded by the same schemas, the same answer
 * encoded, but nobody signs in and nothing is sold. It reads and writes bodies with the service's own code, which is
 * quicker than HttpApi's, so what is measured against it is what orders and sign-in cost and nothing else. A program
 * of its own, started by `npm run bench -- http`; prints where it listens.
 */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Clock, Console, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { type HttpServerRequest, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { createServer } from "node:http"
import { reservationTtlDefaultMillis } from "../../src/domain/bounds.ts"
import { CallerId, MerchantId, OrderId } from "../../src/domain/ids.ts"
import { mergeLines } from "../../src/domain/order.ts"
import { OrderView, PlaceOrder } from "../../src/http/contract/orders.ts"
import { bodyProblems, problems } from "../../src/http/contract/problem.ts"
import { IdempotencyKey } from "../../src/http/contract/text.ts"
import { orderView } from "../../src/http/handlers/orders.ts"
import { makeBodyReader } from "../../src/http/requestBody.ts"
import { answering } from "../../src/http/respond.ts"
import * as secureRandom from "../../src/platform/secureRandom.ts"
import * as Telemetry from "../../src/platform/tracing/telemetry.ts"

class Api extends HttpApi.make("echo").add(
  HttpApiGroup.make("orders").add(
    HttpApiEndpoint.post("place", "/v1/orders", {
      headers: { "idempotency-key": IdempotencyKey },
      payload: PlaceOrder,
      success: OrderView.pipe(HttpApiSchema.status(201)),
      error: problems(bodyProblems),
    }),
  ),
) {}

const readOrder = makeBodyReader(PlaceOrder)
const merchantId = MerchantId.make(SecureRandom.uuidV7Unsafe())
const caller = CallerId.make(SecureRandom.uuidV7Unsafe())
const unitPrice = { amount: 1000, currency: "EUR" }

const place = Effect.fnUntraced(function* (
  random: SecureRandom.SecureRandom["Service"],
  request: HttpServerRequest.HttpServerRequest,
) {
  const wanted = yield* readOrder(request)
  const createdAtMillis = yield* Clock.currentTimeMillis
  const lines = mergeLines(wanted.lines).map(({ productId, quantity }) => ({
    productId,
    name: "Bench product",
    quantity,
    unitPrice,
    lineTotal: { amount: unitPrice.amount * quantity, currency: "EUR" },
    merchantId,
  }))
  const amount = lines.reduce((sum, line) => sum + line.lineTotal.amount, 0)
  const view = orderView({
    id: OrderId.make(yield* random.uuidV7()),
    caller,
    customerRef: null,
    homeShard: 0,
    status: "reserved",
    lines,
    total: { amount, currency: "EUR" },
    createdAtMillis,
    expiresAtMillis: createdAtMillis + reservationTtlDefaultMillis,
    paidAtMillis: null,
    payments: [],
    shipments: [],
  })
  return HttpServerResponse.text(JSON.stringify(view), {
    status: 201,
    contentType: "application/json",
    headers: { location: `/v1/orders/${view.id}` },
  })
})

const handlers = HttpApiBuilder.group(Api, "orders", (group) =>
  Effect.map(SecureRandom.SecureRandom, (random) =>
    group.handleRaw("place", ({ request }) => answering(place(random, request))),
  ),
)

const announced = Layer.effectDiscard(
  Effect.flatMap(HttpServer.HttpServer, ({ address }) => Console.log(`serves ${HttpServer.formatAddress(address)}`)),
)

const routes = HttpApiBuilder.layer(Api).pipe(Layer.provide(handlers), Layer.provide(secureRandom.layer))

announced.pipe(
  Layer.provideMerge(HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true })),
  Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 })),
  Layer.provide(Telemetry.layer),
  Layer.launch,
  NodeRuntime.runMain,
)

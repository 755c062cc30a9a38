/**
 * The HTTP server from its socket to its end. Must stay true: at the end the service first stops being ready, then
 * takes no connection any more and answers what it has, and after a few seconds closes whatever is left, so that
 * neither a stalled upload nor an idle browser keeps it from stopping.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { ByteSize, Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { HttpIncomingMessage, HttpMiddleware, HttpRouter, HttpServer } from "effect/http"
import { HttpApiBuilder, HttpApiSwagger } from "effect/http-api"
import { createServer, type Server } from "node:http"
import { bodySizeMaxBytes } from "../domain/bounds.ts"
import { CallbackAddress } from "../payments/CallbackAddress.ts"
import { cannotStart } from "../platform/CannotStart.ts"
import { Configuration } from "../platform/Configuration.ts"
import { authorizationLayer } from "./authorizationLayer.ts"
import { answerBrokenRequest, answerExpectation } from "./brokenRequests.ts"
import { Api } from "./contract/Api.ts"
import { withCors, withRequestId, withTrustedProxies } from "./edge.ts"
import { accountsHandlers, sessionsHandlers } from "./handlers/accounts.ts"
import { cartHandlers } from "./handlers/carts.ts"
import { eventsHandlers } from "./handlers/events.ts"
import { merchantsHandlers } from "./handlers/merchants.ts"
import { opsHandlers } from "./handlers/ops.ts"
import { ordersHandlers } from "./handlers/orders.ts"
import { paymentCallbacksHandlers, paymentsHandlers } from "./handlers/payments.ts"
import { productEditingHandlers } from "./handlers/productEditing.ts"
import { productsHandlers } from "./handlers/products.ts"
import { shipmentsHandlers } from "./handlers/shipments.ts"
import { systemHandlers } from "./handlers/system.ts"
import { waitingListsHandlers } from "./handlers/waitingLists.ts"
import { webhooksHandlers } from "./handlers/webhooks.ts"
import {
  connectionsMax,
  drainMarginMillis,
  headersMaxMillis,
  keepAliveMillis,
  listenBacklogMax,
  requestMaxMillis,
} from "./httpBounds.ts"
import { Readiness } from "./Readiness.ts"
import { withRequestSpan } from "./requestSpan.ts"
import { docsPath, openApiPath } from "./routes.ts"

const handlers = Layer.mergeAll(
  accountsHandlers,
  sessionsHandlers,
  merchantsHandlers,
  productsHandlers,
  productEditingHandlers,
  cartHandlers,
  ordersHandlers,
  paymentsHandlers,
  paymentCallbacksHandlers,
  shipmentsHandlers,
  waitingListsHandlers,
  eventsHandlers,
  webhooksHandlers,
  opsHandlers,
  systemHandlers,
)

const routes = Layer.mergeAll(
  HttpApiBuilder.layer(Api, { openapiPath: openApiPath }).pipe(Layer.provide(handlers)),
  // Of the pages that Effect brings, the one that carries its script and style in itself.
  HttpApiSwagger.layer(Api, { path: docsPath }),
).pipe(Layer.provide(authorizationLayer))

const makeServer = (): Server => {
  const server = createServer({
    requestTimeout: requestMaxMillis,
    headersTimeout: headersMaxMillis,
    keepAliveTimeout: keepAliveMillis,
    // Asked for by `withRequestId`, whose answer is a problem.
    requireHostHeader: false,
  })
  server.maxConnections = connectionsMax
  server.on("clientError", answerBrokenRequest)
  server.on("checkExpectation", answerExpectation)
  return server
}

const listen = Effect.gen(function* () {
  const { host, orderDeadlineMillis, port } = yield* Configuration
  const server = makeServer()
  const httpServer = yield* NodeHttpServer.make(() => server, {
    host,
    port,
    backlog: listenBacklogMax,
    disablePreemptiveShutdown: true,
  }).pipe(
    Effect.mapError(({ cause }) => {
      const reason = cause instanceof Error ? cause.message : String(cause)
      return cannotStart(`The API cannot listen on ${host}:${port} (${reason}): free it, or set HEDONIFY_PORT.`)
    }),
  )
  return { httpServer, drained: drain(server, orderDeadlineMillis + drainMarginMillis) }
})

/**
 * Takes no connection any more and ends when the last one is closed: by its own answer, or by us once time is up.
 *
 * Tried and lost: the graceful shutdown of NodeHttpServer. Its time-out runs in a finalizer, where nothing can be
 * interrupted, so one stalled upload kept the process for as long as Node's own limits.
 */
const drain = Effect.fnUntraced(function* (server: Server, drainMaxMillis: number) {
  const closed = yield* Deferred.make<void>()
  server.close(() => Deferred.doneUnsafe(closed, Exit.void))
  const patience = yield* Effect.sync(() => server.closeAllConnections()).pipe(
    Effect.delay(drainMaxMillis),
    Effect.interruptible,
    Effect.forkDetach,
  )
  yield* Deferred.await(closed)
  yield* Fiber.interrupt(patience)
})

/** One resource, one path: whoever stands in front and decides by it sees the path that we see. */
const exactPaths = { caseSensitive: true, ignoreDuplicateSlashes: false, ignoreTrailingSlash: false }

const serve = Effect.gen(function* () {
  const configuration = yield* Configuration
  const readiness = yield* Readiness
  const { drained, httpServer } = yield* listen
  const router = yield* HttpRouter.toHttpEffect(routes).pipe(Effect.provideService(HttpRouter.RouterConfig, exactPaths))
  yield* httpServer
    .serve(
      router.pipe(
        withRequestId(readiness),
        withCors(configuration),
        withRequestSpan,
        withTrustedProxies(configuration),
      ),
    )
    .pipe(Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bodySizeMaxBytes)))
  const callbacks = yield* CallbackAddress
  callbacks.listensAt(HttpServer.formatAddress(httpServer.address))
  // The last to be added runs first: while it waits, requests are still answered.
  yield* Effect.addFinalizer(() => Effect.andThen(readiness.beginDrain, drained))
  return httpServer
})

/** The service over HTTP; provides the server, whose address tells the port that was picked. */
export const httpLayer = Layer.effect(HttpServer.HttpServer, serve).pipe(
  Layer.provide([
    NodeHttpServer.layerHttpServices,
    // Each request has a span of ours.
    Layer.succeed(HttpMiddleware.TracerDisabledWhen, () => true),
  ]),
)

import { assert, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Agent, request } from "node:http"
import { connect } from "node:net"
import type { Placed } from "../../src/orders/placing.ts"
import { openSocket } from "./rawSocket.ts"
import { call, newCustomer, order, testServer, testServerPlacing, TestServer } from "./testServer.ts"

const someProduct = "0190a0a0-0000-7000-8000-000000000000"
const refused: Placed = { _tag: "Refused", refusal: { code: "unknown_product", productIds: [] } }

/** An order service that tells when it began and when it was interrupted, and answers when it is told to. */
const makeSlowOrders = Effect.gen(function* () {
  const begun = yield* Deferred.make<void>()
  const interrupted = yield* Deferred.make<void>()
  const answer = yield* Deferred.make<Placed>()
  const place = () =>
    Deferred.succeed(begun, undefined).pipe(
      Effect.andThen(Deferred.await(answer)),
      Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined)),
    )
  return { begun, interrupted, answer, place }
})

/** A server that a test stops by itself: its services, and the effect that stops it. */
const startServer = Effect.fnUntraced(function* (layer: ReturnType<typeof testServerPlacing>) {
  const scope = yield* Scope.make()
  const context = yield* Layer.buildWithScope(layer, scope)
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  return { context, stop: Scope.close(scope, Exit.void) }
})

const getOverAgent = (agent: Agent, url: string) =>
  Effect.callback<{ readonly status: number; readonly connection: string | undefined; readonly body: string }>(
    (resume) => {
      const sent = request(url, { agent }, (response) => {
        let body = ""
        response.setEncoding("utf8")
        response.on("data", (chunk: string) => (body += chunk))
        response.on("end", () =>
          resume(Effect.succeed({ status: response.statusCode ?? 0, connection: response.headers.connection, body })),
        )
      })
      sent.on("error", (error) => resume(Effect.die(error)))
      sent.end()
    },
  )

it.live("a client that hangs up interrupts its order", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const orders = yield* makeSlowOrders
      const { context } = yield* startServer(testServerPlacing(orders.place))
      yield* Effect.gen(function* () {
        const { token } = yield* newCustomer()
        const body = JSON.stringify({ lines: [{ productId: someProduct, quantity: 1 }] })
        const socket = yield* openSocket
        socket.write(
          `POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nIdempotency-Key: k\r\n` +
            `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        )
        yield* Deferred.await(orders.begun)
        socket.destroy()
        yield* Deferred.await(orders.interrupted)
        assert.strictEqual((yield* call("/health/live")).status, 200)
      }).pipe(Effect.provideContext(context))
    }),
  ),
)

it.live("at the end the service is not ready, takes no connection, answers what it has, and drops what stalls", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const orders = yield* makeSlowOrders
      const { context, stop } = yield* startServer(testServerPlacing(orders.place))
      const { url, host, port } = Context.get(context, TestServer)
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
      yield* Effect.gen(function* () {
        const { token } = yield* newCustomer()
        assert.strictEqual((yield* getOverAgent(agent, `${url}/health/ready`)).status, 200)
        const stalled = yield* openSocket
        stalled.write("POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        stalled.resume()
        const closed = yield* Deferred.make<void>()
        stalled.on("close", () => Deferred.doneUnsafe(closed, Exit.void))
        const placing = yield* Effect.forkScoped(order(token, "k", [[someProduct, 1]]))
        yield* Deferred.await(orders.begun)

        const stopping = yield* Effect.forkScoped(stop)
        yield* Effect.yieldNow
        const late = yield* Effect.callback<string>((resume) => {
          connect(port, host)
            .on("error", (error: Error & { readonly code?: string }) => resume(Effect.succeed(error.code ?? "")))
            .on("connect", () => resume(Effect.succeed("connected")))
        })
        assert.strictEqual(late, "ECONNREFUSED")

        yield* Deferred.succeed(orders.answer, refused)
        const answer = yield* Fiber.join(placing)
        assert.strictEqual(answer.status, 422)
        assert.strictEqual(answer.headers.get("connection"), "close")
        yield* Fiber.join(stopping)
        yield* Deferred.await(closed)
      }).pipe(Effect.provideContext(context))
    }),
  ),
)

it.live("an idle server stops at once", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { context, stop } = yield* startServer(testServer)
      const { url } = Context.get(context, TestServer)
      const agent = new Agent({ keepAlive: true })
      yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
      yield* getOverAgent(agent, `${url}/health/live`)
      const [duration] = yield* Effect.timed(stop)
      assert.isBelow(Duration.toMillis(duration), 2_000)
    }),
  ),
)

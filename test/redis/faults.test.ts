import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Redacted } from "effect"
import { createServer, type Socket } from "node:net"
import { RedisLink } from "../../src/platform/redis/RedisLink.ts"
import { call, newCustomer, newMerchant, newProduct, order, testServerWith } from "../http/testServer.ts"
import { until } from "../process/serviceProcess.ts"
import { connected } from "./connected.ts"
import { redisIsMissing, redisServer } from "./redisServer.ts"

const settings = (url: string) => ({ REDIS_URL: url, HEDONIFY_ORDERS_PER_SECOND: "1000000" })

const buyers = 8

/** Buyers that order and search, each as soon as it has its answer, until somebody says stop. */
const startLoad = Effect.gen(function* () {
  const merchant = yield* newMerchant()
  const lamp = yield* newProduct(merchant, { name: "Bright lamp", stock: 1_000_000 })
  const seen = { orders: 0, searches: 0, strangers: Array<string>(), stopping: false }
  /** Whoever waits for answers: each is opened by the answer that makes its number full. */
  const waiting = new Map<Deferred.Deferred<void>, { readonly orders: number; readonly searches: number }>()
  const answered = Effect.suspend(() => {
    const full = [...waiting].filter(
      ([, target]) => (seen.orders >= target.orders && seen.searches >= target.searches) || seen.strangers.length > 0,
    )
    return Effect.forEach(full, ([latch]) =>
      Effect.sync(() => waiting.delete(latch) && Deferred.doneUnsafe(latch, Exit.void)),
    )
  })
  const expect = (status: number, answer: { readonly status: number; readonly text: string }) => {
    if (answer.status !== status) seen.strangers.push(`${answer.status} ${answer.text}`)
  }
  const buyer = Effect.fnUntraced(function* (index: number) {
    const { token } = yield* newCustomer()
    for (let key = 0; !seen.stopping; key++) {
      expect(201, yield* order(token, `${index}-${key}`, [[lamp, 1]]))
      seen.orders += 1
      const found = yield* call("/v1/products?q=bright%20lamp")
      expect(200, found)
      const data = found.body["data"]
      if (!Array.isArray(data) || data.length !== 1) seen.strangers.push(found.text)
      seen.searches += 1
      yield* answered
    }
  })
  const running = yield* Effect.forkChild(
    Effect.forEach(Array.from({ length: buyers }), (_, index) => buyer(index), {
      concurrency: "unbounded",
      discard: true,
    }),
  )
  /** Goes on until so many more have been answered. */
  const goOn = Effect.fnUntraced(function* (count: number) {
    const latch = yield* Deferred.make<void>()
    waiting.set(latch, { orders: seen.orders + count, searches: seen.searches + count })
    yield* Deferred.await(latch)
  })
  const goOnUntil = Effect.fnUntraced(function* (what: () => boolean) {
    while (!what() && seen.strangers.length === 0) yield* goOn(1)
  })
  const stop = Effect.gen(function* () {
    seen.stopping = true
    yield* Fiber.join(running)
    assert.deepStrictEqual(seen.strangers, [])
    const product = yield* call(`/v1/products/${lamp}`)
    assert.strictEqual(Number(product.body["stocked"]) - Number(product.body["available"]), seen.orders)
  })
  return { goOn, goOnUntil, stop }
})

if (redisIsMissing !== null) console.warn(`Redis that fails under load is not tested: ${redisIsMissing}.`)

describe.skipIf(redisIsMissing !== null)("under load", () => {
  it.live("a Redis that is stopped, started, paused, resumed and flushed costs nobody an answer", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer
      const context = yield* Layer.build(testServerWith(settings(redis.url)))
      const link = Context.get(context, RedisLink)
      yield* Effect.gen(function* () {
        yield* connected
        const load = yield* startLoad
        yield* load.goOn(16)
        yield* redis.stop
        yield* load.goOnUntil(link.isAway)
        yield* load.goOn(16)
        yield* redis.start
        yield* load.goOnUntil(link.isUp)
        yield* load.goOn(16)
        yield* redis.pause
        yield* load.goOnUntil(link.isAway)
        yield* load.goOn(16)
        yield* redis.resume
        yield* load.goOnUntil(link.isUp)
        for (let flush = 0; flush < 5; flush++) {
          yield* redis.command("FLUSHALL")
          yield* load.goOn(4)
        }
        yield* load.stop
      }).pipe(Effect.provideContext(context))
    }).pipe(Effect.scoped),
  )

  it.live("a Redis that refuses to write is left alone, and used again once it does", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer
      const link = Context.get(yield* Layer.build(RedisLink.layerOf(Redacted.make(redis.url))), RedisLink)
      const write = Effect.ignore(link.ask("SET", "hedonify:test", "1"))
      const isUp = Effect.sync(link.isUp)
      const refusing = [
        [
          ["REPLICAOF", "127.0.0.1", "1"],
          ["REPLICAOF", "NO", "ONE"],
        ],
        [
          ["CONFIG", "SET", "maxmemory", "1"],
          ["CONFIG", "SET", "maxmemory", "0"],
        ],
      ] as const
      for (const [[refuse, ...how], [relent, ...again]] of refusing) {
        yield* until("the link to Redis is up", isUp)
        yield* redis.command(refuse, ...how)
        yield* until("the link to Redis is away", Effect.andThen(write, Effect.sync(link.isAway)))
        yield* redis.command(relent, ...again)
        yield* until("the link to Redis is up again", isUp)
      }
    }).pipe(Effect.scoped),
  )
})

/** Takes connections and never says anything. */
const silentServer = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {}).resume()
    }).listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const close = () => {
        server.close()
        for (const socket of sockets) socket.destroy()
      }
      resume(Effect.succeed({ port, close }))
    })
  }),
  ({ close }) => Effect.sync(close),
)

describe("from the start", () => {
  const serves = (url: string) =>
    Effect.gen(function* () {
      const context = yield* Layer.build(testServerWith(settings(url)))
      yield* Effect.gen(function* () {
        const load = yield* startLoad
        yield* load.goOn(8)
        yield* load.stop
        assert.isTrue((yield* RedisLink).isAway())
      }).pipe(Effect.provideContext(context))
    })

  it.live("a service whose Redis takes connections and says nothing serves", () =>
    Effect.flatMap(silentServer, ({ port }) => serves(`redis://127.0.0.1:${port}`)).pipe(Effect.scoped),
  )

  it.live("a service whose Redis is not there serves", () =>
    Effect.gen(function* () {
      const { port } = yield* Effect.scoped(silentServer)
      yield* serves(`redis://127.0.0.1:${port}`)
    }).pipe(Effect.scoped),
  )
})

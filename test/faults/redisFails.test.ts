import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { until } from "../process/serviceProcess.ts"
import { redisIsMissing, type RedisServer, redisServer } from "../redis/redisServer.ts"
import { isPlaced, isTold } from "./crowd.ts"
import { type FrailLink, frailLink } from "./frailLink.ts"
import { Stage, stageIn } from "./stage.ts"
import { trial } from "./trial.ts"

class Redis extends Context.Service<Redis, RedisServer & { readonly link: FrailLink }>()("hedonify/test/faults/Redis") {
  static readonly layer = Layer.effect(
    Redis,
    Effect.gen(function* () {
      const server = yield* redisServer
      return { ...server, link: yield* frailLink(Number(new URL(server.url).port)) }
    }),
  )
}

/** Limits that nobody reaches, so that every order asks Redis. */
const stage = stageIn(
  Effect.map(Redis, ({ link }) => ({
    settings: { REDIS_URL: `redis://127.0.0.1:${link.port}`, HEDONIFY_ORDERS_PER_SECOND: "1000000" },
  })),
).pipe(Layer.provideMerge(Redis.layer))

/** Far longer than an answer may wait for Redis. */
const delayMillis = 400
const ordersMeanwhile = 60

const untilRedis = (is: "away" | "there") =>
  Effect.gen(function* () {
    const { service } = yield* Stage
    const saysAway = Effect.promise((signal) =>
      fetch(`${service().url}/health/ready`, { signal }).then((response) => response.text()),
    ).pipe(Effect.map((body) => body.includes("Redis is away")))
    yield* until(
      `Redis is ${is}`,
      Effect.map(saysAway, (away) => away === (is === "away")),
    )
  })

if (redisIsMissing !== null) console.warn(`Redis that fails beside a service is not tested: ${redisIsMissing}.`)

describe.skipIf(redisIsMissing !== null)("a Redis that fails under load", () => {
  layer(stage, { excludeTestServices: true, timeout: "120 seconds" })((it) => {
    it.effect("stopped, paused, slow, silent or emptied, costs nobody an order", () =>
      trial("Redis stopped, paused, slow, silent and flushed", (crowd) =>
        Effect.gen(function* () {
          const { command, link, pause, resume, start, stop } = yield* Redis
          const goOn = crowd.after(ordersMeanwhile, isPlaced)
          const failing = (fail: Effect.Effect<unknown>, mend: Effect.Effect<unknown>) =>
            Effect.gen(function* () {
              yield* untilRedis("there")
              yield* fail
              yield* untilRedis("away")
              yield* goOn
              yield* mend
              yield* untilRedis("there")
              yield* goOn
            })
          yield* failing(stop, start)
          yield* failing(pause, resume)
          yield* failing(link.delay(delayMillis), link.delay(0))
          yield* failing(command("CLIENT", "PAUSE", "600000", "ALL"), Effect.andThen(stop, start))
          for (let flush = 0; flush < 5; flush++) {
            yield* command("FLUSHALL")
            yield* crowd.after(10, isPlaced)
          }
          assert.deepStrictEqual(crowd.attempts.filter(isTold("busy", "unknown", "lost")), [])
        }),
      ),
    )
  })
})

import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { redisFailuresMax, redisProbeIntervalMillis, redisWaitMaxMillis } from "../../src/domain/bounds.ts"
import type { RedisFailure } from "../../src/platform/redis/redisConnection.ts"
import { RedisLink } from "../../src/platform/redis/RedisLink.ts"

/** A connection that a test plays: what was sent over it, and whether it answers, says no or says nothing. */
const makeFake = () => {
  const fake = {
    sent: Array<string>(),
    mode: "answers" as "answers" | "refuses" | "onlyPings" | "silent",
    changed: (_failure: RedisFailure | null) => {},
    messages: Array<string>(),
  }
  const link = RedisLink.layerOver((changed) =>
    Effect.sync(() => {
      fake.changed = changed
      return {
        send: (command, args) =>
          Effect.suspend(() => {
            fake.sent.push([command, ...args].join(" "))
            switch (fake.mode) {
              case "answers":
                return Effect.succeed<unknown>("PONG")
              case "onlyPings":
                if (command === "PING") return Effect.succeed<unknown>("PONG")
                return Effect.fail<RedisFailure>({ _tag: "RedisFailure", reason: "READONLY" })
              case "refuses":
                return Effect.fail<RedisFailure>({ _tag: "RedisFailure", reason: "OOM" })
              case "silent":
                return Effect.never
            }
          }),
      }
    }),
  )
  const log = Logger.make(({ message }) => fake.messages.push(String(message)))
  return { fake, layer: Layer.provideMerge(link, Logger.layer([log])) }
}

/** Real turns of the event loop, which a virtual clock does not make. */
const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

const askManyTimes = (link: RedisLink["Service"], count: number) =>
  Effect.forEach(Array.from({ length: count }), () => Effect.exit(link.ask("GET", "key")))

it.effect(
  "a Redis that says nothing is waited for by a few, for the bound, and then by nobody until it answers",
  () => {
    const { fake, layer } = makeFake()
    return Effect.gen(function* () {
      const link = yield* RedisLink
      fake.changed(null)
      fake.mode = "silent"
      const waiting = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: redisFailuresMax }), () => Effect.exit(link.ask("GET", "key")), {
          concurrency: "unbounded",
        }),
      )
      yield* TestClock.adjust(redisWaitMaxMillis - 1)
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(1)
      for (const exit of yield* Fiber.join(waiting)) assert.isTrue(Exit.isFailure(exit))
      yield* turn
      assert.isTrue(link.isAway())

      // The clock stands still: whoever waited now would wait for ever.
      for (const exit of yield* askManyTimes(link, 1_000)) assert.isTrue(Exit.isFailure(exit))
      yield* link.tell("SET", "key", "value")
      assert.strictEqual(fake.sent.length, redisFailuresMax)

      yield* TestClock.adjust(redisProbeIntervalMillis)
      assert.strictEqual(fake.sent.length, redisFailuresMax + 1)
      yield* TestClock.adjust(redisWaitMaxMillis)
      yield* turn
      yield* askManyTimes(link, 1_000)
      assert.strictEqual(fake.sent.length, redisFailuresMax + 1)

      fake.mode = "answers"
      yield* TestClock.adjust(3 * redisProbeIntervalMillis)
      yield* turn
      assert.isTrue(link.isUp())
      assert.strictEqual(yield* link.ask("GET", "key"), "PONG")
    }).pipe(Effect.provide(layer))
  },
)

it.effect("a Redis that refuses everything is left alone, and each change is said once", () => {
  const { fake, layer } = makeFake()
  return Effect.gen(function* () {
    const link = yield* RedisLink
    fake.changed(null)
    fake.mode = "refuses"
    yield* askManyTimes(link, 1_000)
    assert.strictEqual(fake.sent.length, redisFailuresMax)
    for (let attempt = 0; attempt < 10; attempt++) fake.changed({ _tag: "RedisFailure", reason: "ECONNREFUSED" })
    yield* askManyTimes(link, 1_000)
    fake.mode = "answers"
    fake.changed(null)
    yield* TestClock.adjust(3 * redisProbeIntervalMillis)
    yield* turn
    assert.isTrue(link.isUp())
    assert.deepStrictEqual(
      fake.messages.map((message) => message.replace(/:.*/, "")),
      ["Redis answers", "Redis is away (OOM)", "Redis answers"],
    )
  }).pipe(Effect.provide(layer))
})

it.effect("a Redis that answers a ping and refuses our commands stays away until it can be used", () => {
  const { fake, layer } = makeFake()
  return Effect.gen(function* () {
    const link = yield* RedisLink
    fake.changed(null)
    fake.mode = "onlyPings"
    for (let probe = 0; probe < 10; probe++) {
      yield* askManyTimes(link, 100)
      yield* TestClock.adjust(redisProbeIntervalMillis)
      yield* turn
      assert.isTrue(link.isAway())
    }
    fake.mode = "answers"
    yield* TestClock.adjust(3 * redisProbeIntervalMillis)
    yield* turn
    assert.isTrue(link.isUp())
    assert.deepStrictEqual(
      fake.messages.map((message) => message.replace(/:.*/, "")),
      ["Redis answers", "Redis is away (READONLY)", "Redis answers"],
    )
  }).pipe(Effect.provide(layer))
})

it.effect("without a connection nothing is sent and nobody waits", () => {
  const { fake, layer } = makeFake()
  return Effect.gen(function* () {
    const link = yield* RedisLink
    assert.isTrue(link.isAway())
    yield* askManyTimes(link, 10)
    yield* TestClock.adjust(10 * redisProbeIntervalMillis)
    assert.deepStrictEqual(fake.sent, [])
  }).pipe(Effect.provide(layer))
})

it.effect("a caller that hangs up says nothing about Redis", () => {
  const { fake, layer } = makeFake()
  return Effect.gen(function* () {
    const link = yield* RedisLink
    fake.changed(null)
    fake.mode = "silent"
    for (let caller = 0; caller < 10; caller++) {
      yield* Fiber.interrupt(yield* Effect.forkChild(link.ask("GET", "key"), { startImmediately: true }))
    }
    assert.isTrue(link.isUp())
  }).pipe(Effect.provide(layer))
})

it.effect("where none is wanted none is missing", () =>
  Effect.gen(function* () {
    const link = yield* RedisLink
    assert.isFalse(link.isUp())
    assert.isFalse(link.isAway())
    assert.isTrue(Exit.isFailure(yield* Effect.exit(link.ask("GET", "key"))))
  }).pipe(Effect.provide(RedisLink.layerOff)),
)

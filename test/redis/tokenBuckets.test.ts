import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { OrderRate } from "../../src/accounts/OrderRate.ts"
import { CallerId } from "../../src/domain/ids.ts"
import { makeLocalBuckets } from "../../src/platform/redis/localBuckets.ts"
import { RedisLink } from "../../src/platform/redis/RedisLink.ts"
import { TokenBuckets } from "../../src/platform/redis/TokenBuckets.ts"
import { connected } from "./connected.ts"
import { redisIsMissing, redisServer } from "./redisServer.ts"

const alice = CallerId.make("0190a0a0-0000-7000-8000-00000000000a")
const bob = CallerId.make("0190a0a0-0000-7000-8000-00000000000b")

/** An hour a token, so that none grows back while a test runs. */
const rule = { purpose: "test", burst: 10, refillMillis: 3_600_000, bucketsMax: 100 }

/** Buckets of one process of several that share the Redis under this address. */
const processOn = (url: string) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      TokenBuckets.layerNoDeps.pipe(Layer.provideMerge(RedisLink.layerOf(Redacted.make(url)))),
    )
    return yield* Effect.gen(function* () {
      yield* TestClock.withLive(connected)
      const { ask } = yield* RedisLink
      // On one connection what was told before is done before this is answered.
      return { ...(yield* TokenBuckets).make(rule), settled: Effect.asVoid(ask("PING")) }
    }).pipe(Effect.provideContext(context))
  })

if (redisIsMissing !== null) console.warn(`Buckets in Redis are not tested: ${redisIsMissing}.`)

/** On a clock that stands still Redis is always in time, however busy the machine is. */
describe.skipIf(redisIsMissing !== null)("buckets in Redis", () => {
  it.effect("are one for all processes", () =>
    Effect.gen(function* () {
      const { url } = yield* redisServer
      const [one, other] = [yield* processOn(url), yield* processOn(url)]
      assert.deepStrictEqual(yield* one.takeUpTo("a", 6), { granted: 6, waitMillis: 0 })
      const second = yield* other.takeUpTo("a", 6)
      assert.strictEqual(second.granted, 4)
      assert.isAbove(second.waitMillis, 3_500_000)
      assert.strictEqual((yield* one.takeUpTo("a", 1)).granted, 0)
      assert.strictEqual((yield* one.takeUpTo("b", 1)).granted, 1)
    }).pipe(Effect.scoped),
  )

  it.effect("grant no more than one process alone would after a flush, a restart or without Redis", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer
      const buckets = yield* processOn(redis.url)
      assert.strictEqual((yield* buckets.takeUpTo("a", 7)).granted, 7)
      yield* redis.command("FLUSHALL")
      yield* redis.command("SCRIPT", "FLUSH")
      assert.strictEqual((yield* buckets.takeUpTo("a", 1)).granted, 1)
      yield* redis.stop
      assert.strictEqual((yield* buckets.takeUpTo("a", 1)).granted, 1)
      yield* redis.start
      assert.strictEqual((yield* buckets.takeUpTo("a", 9)).granted, 1)
      assert.strictEqual((yield* buckets.takeUpTo("a", 9)).granted, 0)
    }).pipe(Effect.scoped),
  )

  it.effect("keep no name in Redis, and nothing there for ever", () =>
    Effect.gen(function* () {
      const redis = yield* redisServer
      const buckets = yield* processOn(redis.url)
      yield* buckets.takeUpTo("person@example.com", 1)
      const keys = yield* redis.command("KEYS", "*")
      assert.isArray(keys)
      assert.notInclude(JSON.stringify(keys), "person")
      assert.isAbove(Number(yield* redis.command("PTTL", String(keys))), 0)
    }).pipe(Effect.scoped),
  )

  it.effect("count as those in memory do, whatever is taken and given back", () =>
    Effect.gen(function* () {
      const { url } = yield* redisServer
      // One process takes, the other has seen nothing, so that what it is granted is what Redis says.
      const [taker, witness] = [yield* processOn(url), yield* processOn(url)]
      const step = fc.oneof(
        fc.record({ kind: fc.constant("takeUpTo" as const), count: fc.integer({ min: 1, max: 4 }) }),
        fc.record({ kind: fc.constantFrom("take" as const, "giveBack" as const), count: fc.constant(1) }),
      )
      let bucket = 0
      const worlds = fc.sample(fc.array(step, { maxLength: 15 }), 40)
      for (const steps of worlds) {
        const name = `bucket ${bucket++}`
        const model = makeLocalBuckets(rule)
        for (const { count, kind } of steps) {
          switch (kind) {
            case "takeUpTo": {
              const expected = model.takeUpTo(name, count, 0)
              assert.strictEqual((yield* taker.takeUpTo(name, count)).granted, expected.granted)
              break
            }
            case "take":
              model.take(name, 1, 0)
              yield* taker.take(name)
              break
            case "giveBack":
              model.giveBack(name, 1, 0)
              yield* taker.giveBack(name)
          }
        }
        yield* taker.settled
        const expected = model.takeUpTo(name, rule.burst, 0)
        assert.strictEqual((yield* witness.takeUpTo(name, rule.burst)).granted, expected.granted)
      }
    }).pipe(Effect.scoped),
  )
})

describe("orders a second", () => {
  const limited = (perSecond: number) =>
    OrderRate.layer({ ordersPerSecond: Option.some(perSecond) }).pipe(Layer.provide(TokenBuckets.layerLocal))

  it.effect("are as many as an account may place, and its own", () =>
    Effect.gen(function* () {
      const rate = yield* OrderRate
      for (let order = 0; order < 3; order++) yield* rate.take(alice)
      assert.deepStrictEqual(yield* Effect.flip(rate.take(alice)), { code: "too_many_requests", retryAfterSeconds: 1 })
      yield* rate.take(bob)
      yield* TestClock.adjust(334)
      yield* rate.take(alice)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(rate.take(alice))))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* rate.takeUpTo(alice, 500), { granted: 3, waitMillis: 334 })
    }).pipe(Effect.provide(limited(3))),
  )
})

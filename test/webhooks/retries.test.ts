import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { pauseAfter } from "../../src/webhooks/retries.ts"
import { retryJitter, retryPausesMillis } from "../../src/webhooks/webhookBounds.ts"

const drawn = (attempts: number) =>
  Effect.forEach(Array.from({ length: 200 }), () => pauseAfter(attempts)).pipe(Random.withSeed(`after ${attempts}`))

describe("the pause after a failed attempt", () => {
  it.effect("grows from some seconds to some hours, and is never the same for all", () =>
    Effect.gen(function* () {
      for (const [index, pauseMillis] of retryPausesMillis.entries()) {
        const pauses = yield* drawn(index + 1)
        const numbers = pauses.flatMap((pause) => pause ?? [])
        assert.strictEqual(numbers.length, pauses.length)
        assert.isAtLeast(Math.min(...numbers), pauseMillis * (1 - retryJitter))
        assert.isAtMost(Math.max(...numbers), pauseMillis * (1 + retryJitter))
        assert.isAbove(new Set(numbers).size, 100)
      }
      assert.deepStrictEqual(
        [...retryPausesMillis].sort((left, right) => left - right),
        retryPausesMillis,
      )
    }),
  )

  it.effect("is none after the last one", () =>
    Effect.gen(function* () {
      assert.isNull(yield* pauseAfter(retryPausesMillis.length + 1))
    }),
  )
})

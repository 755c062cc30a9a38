/** Waits until the link to a Redis that runs is up; a test's own time limit bounds it. */
import { Effect, Schedule } from "effect"
import { RedisLink } from "../../src/platform/RedisLink.ts"

const lookEveryMillis = 5

export const connected = Effect.gen(function* () {
  const link = yield* RedisLink
  yield* Effect.repeat(Effect.sync(link.isUp), {
    until: (isUp) => isUp,
    schedule: Schedule.spaced(lookEveryMillis),
  })
})

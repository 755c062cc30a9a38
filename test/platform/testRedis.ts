/**
 * A Redis for a test's server, where the run has one (`npm run test:containers`). Must stay true: no two servers share
 * a database of it, since what they keep there is about different shops.
 */
import { Effect } from "effect"
import { Redis } from "ioredis"
import { inject } from "vitest"

/** The setting of a Redis of one's own; none where the run has no Redis. */
export const redisSettings: Effect.Effect<Readonly<Record<string, string>>> = Effect.gen(function* () {
  const url = inject("redisUrl") ?? ""
  if (url === "") return {}
  const database = yield* Effect.scoped(
    Effect.acquireRelease(
      Effect.sync(() => new Redis(url, { retryStrategy: () => null })),
      (redis) => Effect.sync(() => redis.disconnect()),
    ).pipe(Effect.flatMap((redis) => Effect.promise(() => redis.incr("databases")))),
  )
  return { REDIS_URL: `${url}/${database}` }
})

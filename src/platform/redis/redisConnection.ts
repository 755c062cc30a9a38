/**
 * The one connection to Redis, as commands that fail instead of waiting. Must stay true: nothing is queued while there
 * is no connection, nothing is sent twice, and connecting again goes on in the background for as long as the scope
 * lives, so that neither the start nor the end of the service depends on it.
 */
import { Effect, Redacted, type Scope } from "effect"
import { Redis } from "ioredis"
import { redisReconnectMaxMillis, redisSilenceMaxMillis } from "../../domain/bounds.ts"

/** Why a command has no answer, in words for the log. */
export interface RedisFailure {
  readonly _tag: "RedisFailure"
  readonly reason: string
}

export interface RedisConnection {
  readonly send: (command: string, args: ReadonlyArray<string>) => Effect.Effect<unknown, RedisFailure>
}

/** Between two attempts to connect: longer each time, up to the bound. */
const reconnectStepMillis = 100

const failureOf = (error: unknown): RedisFailure => ({
  _tag: "RedisFailure",
  reason: error instanceof Error ? error.message : String(error),
})

const closed: RedisFailure = { _tag: "RedisFailure", reason: "the connection was closed" }

/**
 * Connects in the background; `changed` is told whenever there is a connection or none any more.
 *
 * The service of effect/persistence is not used: it wants subscriptions and reserved connections, which nothing here
 * has a use for yet, and its layer for Node is for another client and fails the start where Redis is away.
 */
export const connect = (
  url: Redacted.Redacted,
  changed: (failure: RedisFailure | null) => void,
): Effect.Effect<RedisConnection, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const redis = new Redis(Redacted.value(url), {
        enableOfflineQueue: false,
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
        connectTimeout: redisSilenceMaxMillis,
        socketTimeout: redisSilenceMaxMillis,
        retryStrategy: (attempts) => Math.min(attempts * reconnectStepMillis, redisReconnectMaxMillis),
      })
      const connection = { redis, lost: closed }
      redis.on("error", (error: unknown) => (connection.lost = failureOf(error)))
      redis.on("ready", () => changed(null))
      redis.on("close", () => changed(connection.lost))
      return connection
    }),
    ({ redis }) =>
      Effect.sync(() => {
        redis.removeAllListeners("ready").removeAllListeners("close")
        redis.disconnect()
      }),
  ).pipe(
    Effect.map((connection) => ({
      send: (command, args) =>
        Effect.tryPromise({
          try: () => connection.redis.call(command, ...args),
          // Without a connection the client speaks of its own options.
          catch: (error) => (connection.redis.status === "ready" ? failureOf(error) : connection.lost),
        }),
    })),
  )

/**
 * Redis as something that may help and is never needed. Must stay true: no caller waits for it longer than
 * `redisWaitMaxMillis`; while it is away or slow nobody waits at all, and one probe in the background finds out whether
 * it is back; each change of that is one line in the log, however many commands fail.
 *
 * Tried and lost: letting callers be the probes, as the circuit breaker does by itself. Each refused one costs two
 * errors with their stacks, and each probing one the whole wait. PING as the probe: a replica, a full memory or a user
 * without rights answers it and refuses our commands, so that the link came and went for ever, two lines a second.
 */
import { Context, Effect, Layer, Option, type Redacted, Schedule, Schema, type Scope, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { redisFailuresMax, redisProbeIntervalMillis, redisWaitMaxMillis } from "../../domain/bounds.ts"
import { Configuration } from "../Configuration.ts"
import { connect, type RedisConnection, type RedisFailure } from "./redisConnection.ts"

/** Redis has no answer, or none in time: the caller goes on with what it has. */
export class RedisAway extends Schema.TaggedError<RedisAway>()("RedisAway", {}) {}

const away = new RedisAway()
const awayNow = Effect.fail(away)

const late: RedisFailure = { _tag: "RedisFailure", reason: `no answer within ${redisWaitMaxMillis} ms` }

/**
 * Fails when the wait is over, and not before what has arrived is read: where this process itself stood still, Redis
 * may have answered long ago.
 */
const patience = Effect.sleep(redisWaitMaxMillis).pipe(
  Effect.andThen(Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))),
  Effect.andThen(Effect.fail(late)),
)

/** The name the breaker counts under; there is one Redis. */
const breakerKey = "redis"

/** Does what our commands do, to a key that ends by itself. */
const probeCommand = "EVAL"
const probeArguments = [
  `redis.call("TIME")
redis.call("GET", KEYS[1])
redis.call("DEL", KEYS[1])
return redis.call("SET", KEYS[1], "1", "PX", ARGV[1])`,
  "1",
  "hedonify:probe",
  String(redisProbeIntervalMillis),
]

export class RedisLink extends Context.Service<
  RedisLink,
  {
    /** Whether it is worth asking. Always false without REDIS_URL. */
    readonly isUp: () => boolean
    /** What Redis answers, within the bound; fails at once while it is away. */
    readonly ask: (command: string, ...args: ReadonlyArray<string>) => Effect.Effect<unknown, RedisAway>
    /** As `ask`, in the background and without its answer. */
    readonly tell: (command: string, ...args: ReadonlyArray<string>) => Effect.Effect<void>
    /** Whether there should be one and is not. Never true without REDIS_URL. */
    readonly isAway: () => boolean
  }
>()("hedonify/platform/RedisLink") {
  /** No Redis: everybody keeps what it would share to itself. */
  static readonly layerOff = Layer.succeed(
    RedisLink,
    RedisLink.of({ isUp: () => false, ask: () => awayNow, tell: () => Effect.void, isAway: () => false }),
  )

  static readonly layerOf = (url: Redacted.Redacted) => RedisLink.layerOver((changed) => connect(url, changed))

  /** Over any connection, which says by `changed` whether it is there. */
  static readonly layerOver = (
    open: (changed: (failure: RedisFailure | null) => void) => Effect.Effect<RedisConnection, never, Scope.Scope>,
  ) => Layer.effect(RedisLink, make(open)).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))

  /** The Redis of the settings, or none. */
  static readonly layer = Layer.unwrap(
    Effect.map(Configuration, ({ redisUrl }) =>
      Option.match(redisUrl, { onNone: () => RedisLink.layerOff, onSome: RedisLink.layerOf }),
    ),
  )
}

const make = Effect.fnUntraced(function* (open: Parameters<typeof RedisLink.layerOver>[0]) {
  const logged = Effect.runForkWith(yield* Effect.context())
  let isConnected = false
  let isAnswering = true
  let lastFailure: RedisFailure | null = null
  let lastSaid: boolean | null = null

  const isUp = () => isConnected && isAnswering
  const say = () => {
    if (lastSaid === isUp()) return
    lastSaid = isUp()
    logged(
      isUp()
        ? Effect.logInfo("Redis answers")
        : Effect.logWarning(`Redis is away (${lastFailure?.reason}): each process keeps its own caches and counters`),
    )
  }

  const connection = yield* open((failure) => {
    isConnected = failure === null
    if (failure !== null) lastFailure = failure
    say()
  })
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(redisFailuresMax),
    // Only the probe gets as far as the breaker while it is open, and has a pace of its own.
    openDuration: redisWaitMaxMillis,
  })
  yield* breaker.transitions.pipe(
    Stream.runForEach(({ to }) =>
      Effect.sync(() => {
        isAnswering = to === "Closed"
        if (to !== "HalfOpen") say()
      }),
    ),
    Effect.forkScoped({ startImmediately: true }),
  )

  const send = (command: string, args: ReadonlyArray<string>) =>
    Effect.raceFirst(connection.send(command, args), patience).pipe(
      Effect.tapError((failure) => Effect.sync(() => (lastFailure = failure))),
      breaker.execute({ key: breakerKey }),
      Effect.mapError(() => away),
    )

  yield* Effect.suspend(() =>
    isConnected && !isAnswering ? Effect.ignore(send(probeCommand, probeArguments)) : Effect.void,
  ).pipe(Effect.repeat(Schedule.spaced(redisProbeIntervalMillis)), Effect.forkScoped)

  const ask = (command: string, ...args: ReadonlyArray<string>) =>
    Effect.suspend(() => (isUp() ? send(command, args) : awayNow))
  return RedisLink.of({
    isUp,
    ask,
    tell: (command, ...args) =>
      Effect.suspend(() =>
        isUp()
          ? // At once, so that it is on its way before what the caller asks next.
            Effect.asVoid(Effect.forkDetach(Effect.ignore(send(command, args)), { startImmediately: true }))
          : Effect.void,
      ),
    isAway: () => !isUp(),
  })
})

/**
 * One process owns every shard: it holds a session's advisory lock for the database, so that a second process stops
 * with a clear sentence, and a restart after `kill -9` takes over as soon as PostgreSQL has seen the connection go.
 *
 * Must stay true: shards are acquired (their epochs raised) once each time the lock is gained, and never because a
 * writer was fenced. The lock decides who should serve; the epoch in each commit decides who can.
 */
import { PgConnection } from "@effect/sql-pg"
import { Context, Deferred, Effect, Exit, Layer, Queue, Schedule, Schema, Scope } from "effect"
import { hostname } from "node:os"
import { type CannotStart, cannotStart } from "../platform/CannotStart.ts"
import { DatabaseAddress } from "../platform/Database.ts"
import { interruptibleAtOnce } from "../platform/interruptibleAtOnce.ts"
import { Inventory } from "./Inventory.ts"
import { ShardStore } from "./store/ShardStore.ts"

/** Any number, as long as nobody else uses it in this database: "hedonify" in ASCII. */
const ownerLock = 0x6865646f6e696679n
/** Nothing is ever sent on it: a session that listens is told at once when its connection goes. */
const ownerChannel = "hedonify_owner"
/** After `kill -9` PostgreSQL notices the closed socket within moments; a live owner keeps the lock for good. */
const firstLockAttemptsMax = 12
const lockIntervalMillis = 250
/** A session on a link that has gone silent takes no leave: nobody waits for it longer than this. */
const leaveMaxMillis = 1_000
/** Has PostgreSQL itself notice within some seconds that the machine of an owner is gone, and free its lock. */
const noticedByPostgres = {
  tcp_keepalives_idle: "2",
  tcp_keepalives_interval: "2",
  tcp_keepalives_count: "3",
}

class LockTaken extends Schema.TaggedError<LockTaken>()("LockTaken", {}) {}

export class SingleOwner extends Context.Service<
  SingleOwner,
  {
    /** Whether this process may serve: `ok`, or a few words on what is missing. */
    readonly check: Effect.Effect<string>
    /** What this process calls itself where it owns shards: host/process. */
    readonly name: string
  }
>()("hedonify/inventory/SingleOwner") {
  static readonly layer = Layer.effect(
    SingleOwner,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const address = yield* DatabaseAddress
  const store = yield* ShardStore
  const inventory = yield* Inventory
  const owner = `${hostname()}/${process.pid}`
  const shards = inventory.statuses().map((status) => status.shard)
  const owned = yield* Deferred.make<void, CannotStart>()
  let isOwner = false
  let fenced = yield* Deferred.make<void>()
  inventory.onFenced(() => Deferred.doneUnsafe(fenced, Exit.void))

  const lock = Effect.fnUntraced(function* (connection: PgConnection.PgConnection) {
    const { rows } = yield* connection.query("select pg_try_advisory_lock($1) as locked", [ownerLock])
    if (rows[0]?.["locked"] !== true) return yield* new LockTaken()
  })
  const disown = Effect.sync(() => {
    isOwner = false
    inventory.revoke()
  })

  /** Gains the lock, within so many more attempts, and owns the shards until the connection or a lease is lost. */
  const ownWithin = Effect.fnUntraced(function* (attemptsMore: number) {
    const connection = yield* PgConnection.make({
      ...address,
      applicationName: "hedonify owner",
      keepAlive: "2 seconds",
      startupParameters: { ...address.startupParameters, ...noticedByPostgres },
    })
    yield* lock(connection).pipe(
      Effect.retry({
        while: (error) => error._tag === "LockTaken",
        schedule: Schedule.spaced(lockIntervalMillis),
        times: attemptsMore,
      }),
    )
    fenced = yield* Deferred.make<void>()
    const lost = yield* connection.listen(ownerChannel)
    inventory.grant(yield* store.acquire(shards, owner))
    isOwner = true
    yield* Effect.logInfo("This process owns the shards").pipe(Effect.annotateLogs({ shards: shards.length }))
    yield* Deferred.succeed(owned, undefined)
    yield* Effect.raceFirst(Effect.exit(Queue.take(lost)), Deferred.await(fenced))
    yield* Effect.logWarning("This process no longer owns the shards; it tries to gain them again")
  })
  /** First it no longer owns them, then it takes leave of its session, and tries again whether or not that is heard. */
  const own = (attemptsMore: number) =>
    Effect.acquireUseRelease(
      Scope.make(),
      (scope) => Effect.ensuring(Scope.provide(ownWithin(attemptsMore), scope), disown),
      (scope, exit) =>
        Effect.timeoutOption(interruptibleAtOnce(Scope.close(scope, exit)), leaveMaxMillis).pipe(Effect.interruptible),
    )

  yield* own(firstLockAttemptsMax).pipe(
    Effect.tapError((error) => Deferred.fail(owned, whyNot(error))),
    Effect.ignore,
    Effect.andThen(own(0).pipe(Effect.ignore, Effect.repeat(Schedule.spaced(lockIntervalMillis)))),
    Effect.forkScoped,
  )
  yield* Deferred.await(owned)
  return SingleOwner.of({
    name: owner,
    check: Effect.sync(() => (isOwner ? "ok" : "this process does not own the shards of its database")),
  })
})

const whyNot = (error: LockTaken | { readonly _tag: string; readonly message: string }): CannotStart =>
  error._tag === "LockTaken"
    ? cannotStart(
        "Another Hedonify process serves this database: stop it first, or give this one a database of its own.",
      )
    : cannotStart(`The shards of this database cannot be acquired: ${error.message}.`)

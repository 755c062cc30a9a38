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
import { Inventory } from "./Inventory.ts"
import { ShardStore } from "./ShardStore.ts"

/** Any number, as long as nobody else uses it in this database: "hedonify" in ASCII, shortened to 63 bits. */
const ownerLock = 0x6865646f6e696679n >> 1n
/** Nothing is ever sent on it: a session that listens is told at once when its connection goes. */
const ownerChannel = "hedonify_owner"
/** After `kill -9` PostgreSQL notices the closed socket within moments; a live owner keeps the lock for good. */
const firstLockAttemptsMax = 12
const lockIntervalMillis = 250

class LockTaken extends Schema.TaggedError<LockTaken>()("LockTaken", {}) {}

export class SingleOwner extends Context.Service<
  SingleOwner,
  {
    /** Whether this process may serve: `ok`, or a few words on what is missing. */ readonly check: Effect.Effect<string>
  }
>()("hedonify/inventory/SingleOwner") {
  static readonly layer = Layer.effect(
    SingleOwner,
    Effect.gen(function* () {
      const address = yield* DatabaseAddress
      const store = yield* ShardStore
      const inventory = yield* Inventory
      const owner = `${hostname()}/${process.pid}`
      const shards = inventory.statuses().map((status) => status.shard)
      let isOwner = false
      let onFenced = yield* Deferred.make<void>()
      const owned = yield* Deferred.make<void, CannotStart>()
      inventory.onFenced(() => Deferred.doneUnsafe(onFenced, Exit.void))

      const lock = Effect.fnUntraced(function* () {
        const connection = yield* PgConnection.make({
          ...address,
          applicationName: "hedonify owner",
          keepAlive: "2 seconds",
        })
        const { rows } = yield* connection.query("select pg_try_advisory_lock($1) as locked", [ownerLock])
        if (rows[0]?.["locked"] !== true) return yield* new LockTaken()
        return connection
      })

      /** Holds the lock and the leases until the connection or a lease is lost. */
      const own = Effect.fnUntraced(function* (connection: PgConnection.PgConnection) {
        onFenced = yield* Deferred.make<void>()
        const lost = yield* connection.listen(ownerChannel)
        inventory.grant(yield* store.acquire(shards, owner))
        isOwner = true
        yield* Deferred.succeed(owned, undefined)
        yield* Effect.raceFirst(Effect.exit(Queue.take(lost)), Effect.exit(Deferred.await(onFenced)))
      })
      const disown = Effect.sync(() => {
        isOwner = false
        inventory.revoke()
      })
      const ownAgain = Effect.scoped(Effect.flatMap(lock(), own)).pipe(
        Effect.ensuring(disown),
        Effect.tapCause((cause) => Effect.logWarning("This process does not own the shards; trying again", cause)),
        Effect.option,
        Effect.repeat(Schedule.spaced(lockIntervalMillis)),
      )

      const firstScope = yield* Scope.make()
      const first = yield* lock().pipe(
        Effect.retry({
          while: (error) => error._tag === "LockTaken",
          schedule: Schedule.spaced(lockIntervalMillis),
          times: firstLockAttemptsMax,
        }),
        Scope.provide(firstScope),
        Effect.mapError((error) =>
          error._tag === "LockTaken"
            ? cannotStart(
                "Another Hedonify process serves this database: stop it first, or give this one a database of its own.",
              )
            : cannotStart(`PostgreSQL cannot be reached (${error.message}): check DATABASE_URL.`),
        ),
      )
      yield* own(first).pipe(
        Scope.provide(firstScope),
        Effect.tapError((error) =>
          Deferred.fail(owned, cannotStart(`The shards cannot be acquired: ${error.message}.`)),
        ),
        Effect.ensuring(Effect.andThen(disown, Scope.close(firstScope, Exit.void))),
        Effect.option,
        Effect.andThen(ownAgain),
        Effect.forkScoped,
      )
      yield* Deferred.await(owned)
      return SingleOwner.of({
        check: Effect.sync(() => (isOwner ? "ok" : "this process does not own the shards of its database")),
      })
    }),
  )
}

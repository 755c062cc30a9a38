import { layer } from "@effect/vitest"
import { Effect } from "effect"
import { until } from "../process/serviceProcess.ts"
import { isTold } from "./crowd.ts"
import { whileLocked } from "./locks.ts"
import { orderDeadlineMillis, Stage, stage } from "./stage.ts"
import { trial } from "./trial.ts"

const writers = "hedonify writer"

/** Until an order that was asked for at the beginning must have been answered. */
const pastTheDeadline = Effect.suspend(() => {
  const beganAtMillis = performance.now()
  return until(
    "an order's deadline has passed",
    Effect.sync(() => performance.now() - beganAtMillis > orderDeadlineMillis),
  )
})

layer(stage, { excludeTestServices: true, timeout: "120 seconds" })("a statement that hangs", (it) => {
  it.effect("behind a lock on the shards' leases, is given up in time, and orders go on when the lock is gone", () =>
    trial("another session locks shard_leases beyond the deadline", (crowd) =>
      whileLocked(
        (sql) => sql`select * from shard_leases for update`,
        Effect.all([pastTheDeadline, crowd.after(12, isTold("busy", "unknown"))], { concurrency: "unbounded" }),
      ),
    ),
  )

  it.effect("behind a lock on the whole stock, is given up in time, and orders go on when the lock is gone", () =>
    trial("another session locks the table stock beyond the deadline", (crowd) =>
      whileLocked(
        (sql) => sql`lock table stock in access exclusive mode`,
        Effect.all([pastTheDeadline, crowd.after(12, isTold("busy", "unknown"))], { concurrency: "unbounded" }),
      ),
    ),
  )

  it.effect("in a process of PostgreSQL that stands still, is settled when it goes on, as it came out", () =>
    trial("the writers' backends paused (SIGSTOP) beyond the deadline", (crowd) =>
      Effect.gen(function* () {
        const { database, postgres } = yield* Stage
        let paused: ReadonlyArray<number> = []
        const signal = (name: NodeJS.Signals) => Effect.sync(() => paused.forEach((id) => process.kill(id, name)))
        const standsHalfWay = Effect.gen(function* () {
          paused = (yield* postgres.backends(database, writers)).map(({ pid }) => pid)
          yield* signal("SIGSTOP")
          const now = yield* postgres.backends(database, writers)
          if (now.some(({ isWriting, pid }) => isWriting && paused.includes(pid))) return true
          yield* signal("SIGCONT")
          paused = []
          return false
        })
        yield* Effect.gen(function* () {
          yield* until("a commit stands still half-way", standsHalfWay)
          yield* Effect.all([pastTheDeadline, crowd.after(1, isTold("busy", "unknown"))], { concurrency: "unbounded" })
        }).pipe(Effect.ensuring(signal("SIGCONT")))
      }),
    ),
  )
})

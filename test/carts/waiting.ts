/**
 * Order among statements without waiting for the clock: whoever runs into a lock is seen to wait before a test goes on.
 */
import { assert } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"

/** Looks at PostgreSQL so many times before a test gives up. */
const looksMax = 5_000

/** Returns once so many statements of this database wait for a lock. */
export const waitingForLocks = Effect.fnUntraced(function* (count: number) {
  const sql = yield* PgClient.PgClient
  for (let look = 0; look < looksMax; look++) {
    const waiting = yield* sql`select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    if (waiting.length === count) return
  }
  return assert.fail(`there never were ${count} statements waiting`)
})

/**
 * What a service takes of its machine: memory that is really in use, sessions at PostgreSQL and open descriptors. Must
 * stay true: it is measured between loads, when nobody but the service itself keeps anything open.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { once } from "node:events"
import { readdirSync } from "node:fs"
import type { MemoryReading } from "../process/memoryProbe.ts"
import { type Service, until } from "../process/serviceProcess.ts"
import { sessionsMax, Stage } from "./stage.ts"

export interface Footprint {
  readonly heapUsedBytes: number
  readonly sessions: number
  /** Null where the system does not tell. */
  readonly descriptors: number | null
}

/** What a heap may have more than before: code that had not run yet, and what is kept of the last orders. */
const heapMoreBytes = 12 * 1024 * 1024
/** The readiness probe's own socket and one that is just being closed. */
const descriptorsMore = 2

const heapUsedBytes = ({ child }: Service) =>
  Effect.promise(async () => {
    const answer = once(child, "message")
    child.send("read")
    const [reading]: ReadonlyArray<MemoryReading> = await answer
    return reading?.heapUsedBytes ?? Number.NaN
  })

const sessionsOfService = Effect.gen(function* () {
  const { database, sql } = yield* Stage
  const rows = yield* sql(
    Effect.flatMap(
      SqlClient.SqlClient,
      (client) => client<{ readonly many: number }>`select count(*)::int as many from pg_stat_activity
        where datname = ${database} and application_name like 'hedonify%'`,
    ),
  )
  return rows[0]?.many ?? 0
})

const descriptorsOf = ({ child }: Service): number | null =>
  process.platform === "linux" ? readdirSync(`/proc/${child.pid}/fd`).length : null

const measured = Effect.gen(function* () {
  const { service } = yield* Stage
  return {
    heapUsedBytes: yield* heapUsedBytes(service()),
    sessions: yield* sessionsOfService,
    descriptors: descriptorsOf(service()),
  } satisfies Footprint
})

export const footprint = measured

/** Waits until the service is back at what it took before; what is left over is said by whoever gives up waiting. */
export const untilBackAt = Effect.fnUntraced(function* (before: Footprint) {
  let now = before
  yield* until(
    "the service takes no more than before",
    Effect.map(measured, (found) => {
      now = found
      return (
        found.sessions <= sessionsMax &&
        // Sessions are opened when they are first needed, each on a socket of its own.
        (found.descriptors ?? 0) - found.sessions <= (before.descriptors ?? 0) - before.sessions + descriptorsMore &&
        found.heapUsedBytes <= before.heapUsedBytes + heapMoreBytes
      )
    }),
  ).pipe(Effect.onError(() => Effect.sync(() => console.error("before", before, "now", now))))
  return now
})

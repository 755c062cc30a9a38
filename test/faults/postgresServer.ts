/**
 * The run's PostgreSQL and the ways it can fail: stopped at once, killed, one of its processes killed or paused, its
 * sessions ended. Must stay true: only processes of this very server are ever signalled.
 */
import { NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Effect, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { readFileSync } from "node:fs"
import { inject } from "vitest"
import { isAlive } from "../../src/platform/embedded/postgresCluster.ts"
import * as PostgresCluster from "../../src/platform/embedded/postgresCluster.ts"
import { until } from "../process/serviceProcess.ts"

/** What its sessions are called in our own. */
export const testSessionName = "faults"

declare module "vitest" {
  export interface ProvidedContext {
    /** What the files of one run share; it travels to them as JSON. */
    faultRun: {
      /** Everything that a run starts works below it, so that whatever is left there can be found and ended. */
      readonly folder: string
      readonly cluster: PostgresCluster.Cluster
      readonly password: string
      /** Kept over every restart. */
      readonly port: number
    }
  }
}

interface Backend {
  readonly pid: number
  readonly isWriting: boolean
}

export type PostgresServer = ReturnType<typeof postgresServer>

export const postgresServer = () => {
  const { cluster, password, port } = inject("faultRun")
  const config = (database: string) => ({
    host: "127.0.0.1",
    port,
    username: PostgresCluster.clusterName,
    password: Redacted.make(password),
    database,
    ssl: false,
    applicationName: testSessionName,
    maxConnections: 2,
  })

  /** Statements over sessions of their own, which no earlier fault has cut. */
  const within = <A, E, R>(database: string, work: Effect.Effect<A, E, R | SqlClient.SqlClient>) =>
    work.pipe(Effect.provide(PgClient.layer(config(database))), Effect.scoped)

  const running = PostgresCluster.running(cluster).pipe(Effect.provide(NodeServices.layer), Effect.orDie)
  const processId = Effect.map(running, (found) => Option.getOrThrow(found).processId)

  const accepts = within(
    "postgres",
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select 1`),
  ).pipe(
    Effect.as(true),
    Effect.orElseSucceed(() => false),
  )
  const startIfGone = Effect.gen(function* () {
    const found = yield* running
    if (Option.isSome(found)) return
    yield* PostgresCluster.start(cluster).pipe(Effect.provide(NodeServices.layer), Effect.ignore)
  })

  /** Whatever happened to it: it runs, and takes connections. */
  const ensureRunning = until(
    "PostgreSQL takes connections",
    Effect.flatMap(accepts, (does) => (does ? Effect.succeed(true) : Effect.as(startIfGone, false))),
  )

  const signal = (name: NodeJS.Signals) => Effect.map(processId, (id) => process.kill(id, name))
  const isGone = Effect.map(running, Option.isNone)

  /** Sends the server a signal that ends it, and waits until it has ended. */
  const endBy = (name: NodeJS.Signals) =>
    Effect.gen(function* () {
      const id = yield* processId
      process.kill(id, name)
      yield* until(
        "PostgreSQL has ended",
        Effect.sync(() => !isAlive(id)),
      )
    })

  /** The processes behind the service's sessions of this kind; `isWriting`: it has changed something uncommitted. */
  const backends = (database: string, applicationName: string) =>
    within(
      database,
      Effect.flatMap(
        SqlClient.SqlClient,
        (sql) => sql<Backend>`select pid, backend_xid is not null as "isWriting" from pg_stat_activity
          where datname = ${database} and application_name = ${applicationName} order by pid`,
      ),
    )

  /** As an administrator would; how many there were. */
  const terminate = (database: string, applicationName: string) =>
    within(
      database,
      Effect.flatMap(
        SqlClient.SqlClient,
        (sql) => sql<{ readonly pid: number }>`select pid, pg_terminate_backend(pid) from pg_stat_activity
          where datname = ${database} and application_name like ${applicationName}`,
      ),
    ).pipe(Effect.map((rows) => rows.length))

  const log = Effect.sync(() => readFileSync(`${cluster.folder}/server.log`, "utf8"))

  return {
    cluster,
    password,
    port,
    /** Over another port where a link to the server has one. */
    url: (database: string, linkPort = port) =>
      `postgres://${PostgresCluster.clusterName}:${password}@127.0.0.1:${linkPort}/${database}`,
    within,
    ensureRunning,
    signal,
    endBy,
    isGone,
    backends,
    terminate,
    log,
  }
}

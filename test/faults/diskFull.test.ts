import { describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { spawnSync } from "node:child_process"
import { dirname, join } from "node:path"
import { until } from "../process/serviceProcess.ts"
import { isTold } from "./crowd.ts"
import { smallDisk, smallDiskIsMissing } from "./smallDisk.ts"
import { Stage, stage } from "./stage.ts"
import { trial } from "./trial.ts"

const diskMegabytes = 96
/** Far more segments than such a disk has room for. */
const segmentsMax = 64

const administer = Effect.fnUntraced(function* (...statements: ReadonlyArray<string>) {
  const { sql } = yield* Stage
  for (const statement of statements) {
    yield* sql(Effect.flatMap(SqlClient.SqlClient, (client) => client.unsafe(statement)))
  }
})

const diskOf = (name: string) =>
  Effect.gen(function* () {
    const { postgres } = yield* Stage
    return yield* smallDisk(join(dirname(postgres.cluster.folder), name), diskMegabytes, postgres.cluster.runAs)
  })

const shell = (script: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr } = spawnSync("/bin/sh", ["-ec", script, ...args], { encoding: "utf8" })
  if (status !== 0) throw new Error(stderr)
}

/** The tables of this database on a disk that can be filled, until the scope ends. */
const tablesOnSmallDisk = Effect.gen(function* () {
  const disk = yield* diskOf("tables")
  const move = (from: string, to: string) =>
    ["table", "index"].map((kind) => `alter ${kind} all in tablespace ${from} set tablespace ${to}`)
  yield* Effect.acquireRelease(
    administer(`create tablespace small location '${disk.folder}'`, ...move("pg_default", "small")),
    () => administer(...move("small", "pg_default"), "checkpoint", "drop tablespace small"),
  )
  return disk
})

/** The log of the server on a disk that can be filled, until the scope ends. */
const logOnSmallDisk = Effect.gen(function* () {
  const { postgres } = yield* Stage
  const disk = yield* diskOf("log")
  const log = join(postgres.cluster.folder, "pg_wal")
  const moved = (script: string) =>
    Effect.gen(function* () {
      yield* postgres.ensureRunning
      yield* postgres.endBy("SIGINT")
      yield* Effect.sync(() => shell(script, log, disk.folder))
      yield* postgres.ensureRunning
    })
  yield* Effect.acquireRelease(moved('cp -a "$0/." "$1" && rm -r "$0" && ln -s "$1" "$0"'), () =>
    Effect.andThen(
      disk.free,
      moved('rm "$0" && mkdir -m 700 "$0" && cp -a "$1/." "$0" && chown --reference="$1" "$0"'),
    ),
  )
  return disk
})

if (smallDiskIsMissing !== null) console.warn(`A disk that is full is not tested: ${smallDiskIsMissing}.`)

describe.skipIf(smallDiskIsMissing !== null)("a disk that is full", () => {
  layer(stage, { excludeTestServices: true, timeout: "120 seconds" })((it) => {
    it.effect("where the tables lie, stops orders with words, and they go on by themselves when there is room", () =>
      Effect.gen(function* () {
        const disk = yield* tablesOnSmallDisk
        yield* trial("no room for PostgreSQL's tables", (crowd) =>
          Effect.gen(function* () {
            yield* disk.fill
            yield* crowd.after(24, isTold("busy"))
            yield* disk.free
          }),
        )
      }).pipe(Effect.scoped),
    )

    it.effect("where the log lies, ends PostgreSQL; started again where there is room, it has every order", () =>
      Effect.gen(function* () {
        const { postgres, sql } = yield* Stage
        const disk = yield* logOnSmallDisk
        yield* trial("no room for PostgreSQL's log (PANIC)", (crowd) =>
          Effect.gen(function* () {
            const saidBefore = (yield* postgres.log).length
            // A replica that is not there any more: the server keeps all of its log for it, and so runs out of room.
            yield* administer("select slot_name::text from pg_create_physical_replication_slot('gone', true)")
            yield* disk.fill
            const nextSegment = sql(
              Effect.flatMap(SqlClient.SqlClient, (client) => client`select pg_switch_wal()::text`),
            )
            yield* nextSegment.pipe(Effect.repeat({ times: segmentsMax }), Effect.exit)
            yield* until(
              "PostgreSQL says that it cannot go on",
              Effect.map(postgres.log, (said) => said.slice(saidBefore).includes("PANIC")),
            )
            yield* crowd.after(24, isTold("busy", "unknown"))
            yield* disk.free
            yield* postgres.ensureRunning
            yield* administer("select pg_drop_replication_slot('gone')::text")
          }),
        )
      }).pipe(Effect.scoped),
    )
  })
})

/**
 * A fresh, migrated database for one run of a benchmark: on DATABASE_URL where it is set, else on an embedded server of
 * its own under a temporary folder. Must stay true: fsync is on, since a number without it says nothing, and nothing is
 * left behind, whatever ends the run.
 */
import { PgClient, PgConnection } from "@effect/sql-pg"
import { Context, Effect, FileSystem, Layer, Redacted } from "effect"
import { randomBytes } from "node:crypto"
import { checkDatabase, DatabaseAddress } from "../src/platform/Database.ts"
import * as EmbeddedPostgres from "../src/platform/embedded/embeddedPostgres.ts"
import { migrate } from "../src/platform/migrations.ts"

const administer = (url: string, statement: string) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make({ url: Redacted.make(url), prepare: false }), (connection) =>
      connection.query(statement, [], false),
    ),
  )

const givenServer = Effect.fnUntraced(function* (url: string) {
  const database = `hedonify_bench_${randomBytes(4).toString("hex")}`
  yield* Effect.acquireRelease(administer(url, `create database ${database} template template0`), () =>
    administer(url, `drop database if exists ${database} with (force)`).pipe(Effect.ignore),
  )
  const own = new URL(url)
  own.pathname = `/${database}`
  const address: PgConnection.Config = { url: Redacted.make(own.href) }
  return { address, settings: { DATABASE_URL: own.href } }
})

const ownServer = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const dataFolder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "hedonify-bench-" })
  // The server's user has to pass through; nothing lies here but the cluster.
  yield* fileSystem.chmod(dataFolder, 0o711)
  const address: PgConnection.Config = yield* EmbeddedPostgres.acquire({ dataFolder, fsync: true })
  return { address, settings: { HEDONIFY_DATA_DIR: dataFolder, DATABASE_URL: "" } }
})

/** The fresh database, gone when the layer is, and the settings with which a service of its own finds it. */
export class BenchDatabase extends Context.Service<
  BenchDatabase,
  { readonly address: PgConnection.Config; readonly settings: Readonly<Record<string, string>> }
>()("hedonify/bench/BenchDatabase") {
  static readonly layer = Layer.effect(
    BenchDatabase,
    Effect.gen(function* () {
      const url = process.env["DATABASE_URL"]
      const database = url === undefined || url === "" ? yield* ownServer : yield* givenServer(url)
      yield* checkDatabase(database.address, { unsafeDurability: false })
      yield* migrate(database.address)
      return database
    }),
  )
}

/** BenchDatabase, and DatabaseAddress, PgClient and SqlClient for it. */
export const benchDatabase = Layer.unwrap(
  Effect.map(DatabaseAddress, (address) => PgClient.layer({ ...address, maxConnections: 4 })),
).pipe(
  Layer.provideMerge(
    Layer.effect(
      DatabaseAddress,
      Effect.map(BenchDatabase, ({ address }) => address),
    ),
  ),
  Layer.provideMerge(BenchDatabase.layer),
)

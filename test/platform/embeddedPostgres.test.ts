import { NodeServices } from "@effect/platform-node"
import { PgClient, PgConnection } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect, Exit, FileSystem, Layer, Redacted, Schedule, Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { statSync } from "node:fs"
import { DatabaseAddress, DatabaseHealth } from "../../src/platform/Database.ts"
import * as EmbeddedPostgres from "../../src/platform/embedded/embeddedPostgres.ts"

const dataFolder = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "hedonify-embedded-" })
  // As a data folder that root made: the server's user may pass through it.
  yield* fileSystem.chmod(folder, 0o711)
  return folder
})

const acquire = (folder: string) => EmbeddedPostgres.acquire({ dataFolder: folder, fsync: true })

const query = (address: PgConnection.Config, sql: string) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make(address), (connection) => Effect.map(connection.query(sql), ({ rows }) => rows)),
  )

/** Undefined when no server runs. */
const serverProcess = (folder: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fileSystem) =>
    fileSystem.readFileString(`${folder}/postgres/postmaster.pid`),
  ).pipe(
    Effect.map((text) => Number.parseInt(text, 10)),
    Effect.orElseSucceed(() => undefined),
  )

/** Another process that holds the server; resolves when it does, and is killed with -9 at the end. */
const otherHolder = (folder: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const holder = spawn(process.execPath, [`${import.meta.dirname}/holdDatabase.ts`, folder], {
        stdio: ["ignore", "pipe", "inherit"],
      })
      const ended = once(holder, "exit").then(() => assert.fail("the other process ended before it held the server"))
      await Promise.race([once(holder.stdout, "data"), ended])
      return holder
    }),
    (holder) => killHard(holder),
  )

const killHard = (holder: ReturnType<typeof spawn>) =>
  Effect.promise(async () => {
    if (holder.exitCode !== null || holder.signalCode !== null) return
    holder.kill("SIGKILL")
    await once(holder, "exit")
  })

const awaitAnswer = (check: Effect.Effect<string>, until: (answer: string) => boolean) =>
  check.pipe(Effect.repeat({ until, schedule: Schedule.spaced("20 millis") }), Effect.timeout("30 seconds"))

layer(NodeServices.layer, { excludeTestServices: true })("the embedded PostgreSQL", (it) => {
  it.effect("keeps its password to its owner, and serves by TCP too", () =>
    Effect.gen(function* () {
      const folder = yield* dataFolder
      const address = yield* acquire(folder)
      assert.strictEqual(statSync(`${folder}/postgres/hedonify.password`).mode & 0o777, 0o600)
      const rows = yield* query(
        address,
        "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'listen_addresses', 'port') ORDER BY name",
      )
      assert.deepStrictEqual(rows.slice(0, 2), [
        { name: "fsync", setting: "on" },
        { name: "listen_addresses", setting: "127.0.0.1" },
      ])
      const { path: _, ...byPassword } = address
      const byTcp = { ...byPassword, host: "127.0.0.1", port: Number(rows[2]?.["setting"]) }
      assert.deepStrictEqual(yield* query(byTcp, "SELECT 1 AS one"), [{ one: 1 }])
      const refused = yield* Effect.flip(query({ ...byTcp, password: Redacted.make("guess") }, "SELECT 1"))
      assert.strictEqual(refused.reason._tag, "AuthenticationError")
    }),
  )

  it.effect("stops with the last who uses it, and not before", () =>
    Effect.gen(function* () {
      const folder = yield* dataFolder
      const first = yield* Scope.make()
      const second = yield* Scope.make()
      yield* acquire(folder).pipe(Scope.provide(first))
      const address = yield* acquire(folder).pipe(Scope.provide(second))
      yield* Scope.close(first, Exit.void)
      assert.deepStrictEqual(yield* query(address, "SELECT 1 AS one"), [{ one: 1 }])
      yield* Scope.close(second, Exit.void)
      assert.isUndefined(yield* serverProcess(folder))
    }),
  )

  it.effect("is made once when two processes start at the same time", () =>
    Effect.gen(function* () {
      const folder = yield* dataFolder
      const [address] = yield* Effect.all([acquire(folder), otherHolder(folder)], { concurrency: 2 })
      assert.deepStrictEqual(yield* query(address, "SELECT 1 AS one"), [{ one: 1 }])
      const fileSystem = yield* FileSystem.FileSystem
      // Beside it only the binaries' copy, where the server's user cannot reach the clone: nothing unfinished is left.
      const entries = yield* fileSystem.readDirectory(folder)
      assert.deepStrictEqual(
        entries.filter((name) => !/^postgresql-[\d.]+(-[a-z]+[\d.]*)?$/.test(name)),
        ["postgres"],
      )
    }),
  )

  it.effect("is adopted after a kill -9 of the process that started it", () =>
    Effect.gen(function* () {
      const folder = yield* dataFolder
      const holder = yield* otherHolder(folder)
      const started = yield* serverProcess(folder)
      yield* killHard(holder)
      const adopted = yield* Effect.scoped(Effect.andThen(acquire(folder), serverProcess(folder)))
      assert.isDefined(started)
      assert.strictEqual(adopted, started)
      assert.isUndefined(yield* serverProcess(folder))
    }),
  )

  it.effect("loses nothing that was committed when everything is killed with -9", () =>
    Effect.gen(function* () {
      const folder = yield* dataFolder
      const holder = yield* otherHolder(folder)
      const scope = yield* Scope.make()
      const before = yield* acquire(folder).pipe(Scope.provide(scope))
      yield* query(before, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id")
      yield* killHard(holder)
      process.kill((yield* serverProcess(folder)) ?? 0, "SIGKILL")
      yield* Scope.close(scope, Exit.void)
      const after = yield* acquire(folder)
      assert.deepStrictEqual(yield* query(after, "SELECT count(*)::int AS count FROM kept"), [{ count: 1000 }])
    }),
  )

  it.effect("comes back when it is killed under a pool, and the pool heals by itself", () =>
    Effect.gen(function* () {
      const folder = yield* dataFolder
      const address = yield* acquire(folder)
      const pool = Layer.effect(DatabaseAddress, Effect.succeed(address)).pipe(
        Layer.provideMerge(PgClient.layer(address)),
      )
      const context = yield* Layer.build(DatabaseHealth.layer.pipe(Layer.provide(pool)))
      const { check } = yield* Effect.provide(DatabaseHealth, context)
      assert.strictEqual(yield* check, "ok")
      process.kill((yield* serverProcess(folder)) ?? 0, "SIGKILL")
      assert.strictEqual(yield* awaitAnswer(check, (answer) => answer !== "ok"), "PostgreSQL cannot be reached")
      assert.strictEqual(yield* awaitAnswer(check, (answer) => answer === "ok"), "ok")
    }),
  )
})

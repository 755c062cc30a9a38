/**
 * The start and the end of a run of faults: one folder, one PostgreSQL for every file, and at the end the table of what
 * each fault came to. Must stay true: nothing outlives the run, however it ends; a watchman of its own process sees to
 * that, and what it finds after an ordinary end is a failure.
 */
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { appendFileSync, chmodSync, mkdtempSync, realpathSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { TestProject } from "vitest/node"
import { postgresBinaries } from "../../src/platform/embedded/postgresBinaries.ts"
import * as PostgresCluster from "../../src/platform/embedded/postgresCluster.ts"
import { serverHome } from "../../src/platform/embedded/serverUser.ts"
import { printSummary } from "./summary.ts"

/**
 * Below the ports that systems give to outgoing connections: a service that keeps knocking at a port of those while
 * PostgreSQL is down may be given that very port for its own end, meet itself, and keep the server from starting.
 */
const portMin = 20_000
const portMax = 32_000

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const server = createServer().once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

const quietPort = async (): Promise<number> => {
  const port = portMin + Math.floor(Math.random() * (portMax - portMin))
  return (await isFree(port)) ? port : quietPort()
}

/** Small enough that a disk of some tens of megabytes can be filled, and a crash is recovered from at once. */
const serverSettings = (port: number) =>
  ["", `port = ${port}`, "max_wal_size = 64MB", "min_wal_size = 32MB", "shared_buffers = 32MB", ""].join("\n")

const makeServer = Effect.fnUntraced(function* (folder: string) {
  const { cluster: path, home, runAs } = yield* serverHome(join(folder, "server"))
  const cluster = { binaries: yield* postgresBinaries(runAs, home), runAs, folder: path }
  yield* PostgresCluster.initialise(cluster, { fsync: true })
  const port = yield* Effect.promise(quietPort)
  appendFileSync(join(path, "postgresql.conf"), serverSettings(port))
  yield* PostgresCluster.start(cluster)
  return { cluster, password: yield* PostgresCluster.passwordOf(cluster), port }
})

const startWatchman = (folder: string) =>
  spawn(process.execPath, [fileURLToPath(new URL("watchman.ts", import.meta.url)), folder], {
    // Of a session of its own, so that a Ctrl-C at the terminal does not end it before what it watches.
    detached: true,
    stdio: ["pipe", "inherit", "inherit"],
  })

const dismiss = async (watchman: ChildProcess) => {
  const closed = once(watchman, "close")
  watchman.stdin?.end()
  await closed
  if (watchman.exitCode !== 0) throw new Error("The faults left something running; it was ended.")
}

export default async (project: TestProject) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "hedonify-faults-")))
  // PostgreSQL runs as another user where we are root, and has to pass through.
  chmodSync(folder, 0o711)
  const watchman = startWatchman(folder)
  // For the workers, which take what they need for a while from here.
  process.env["TMPDIR"] = folder
  const server = await Effect.runPromise(makeServer(folder).pipe(Effect.provide(NodeServices.layer)))
  project.provide("faultRun", { folder, ...server })
  return async () => {
    printSummary(folder)
    await Effect.runPromise(PostgresCluster.stop(server.cluster).pipe(Effect.provide(NodeServices.layer)))
    await dismiss(watchman)
  }
}

/**
 * One PostgreSQL cluster on disk and the server that runs it: made, looked at, started and stopped with PostgreSQL's
 * own programs. Must stay true: a cluster appears under its name only when it is whole (it is made aside and renamed),
 * fsync stays on, and pg_ctl starts the server in a session of its own, so that a Ctrl-C at the terminal reaches the
 * service alone and the server outlives it until it has drained.
 */
import { Effect, FileSystem, Option, Schema } from "effect"
import { randomBytes, randomUUID } from "node:crypto"
import { createServer } from "node:net"
import { type CannotStart, cannotStart } from "../CannotStart.ts"
import type { PostgresBinaries } from "./postgresBinaries.ts"
import { runProgram, type RunAs } from "./runProgram.ts"

/** Somebody else is starting or stopping this server at this moment: looking again settles it. */
export class ServerInMotion extends Schema.TaggedError<ServerInMotion>()("ServerInMotion", {
  message: Schema.String,
}) {}

export interface Cluster {
  readonly binaries: PostgresBinaries
  readonly runAs: RunAs
  /** The real path of its folder. */
  readonly folder: string
}

/** The name of the role and of the database that the service uses. */
export const clusterName = "hedonify"

/** One connection a shard, those for reads, a few for people and commands. */
const connectionsMax = 200
/** A start after a crash replays the log first; that may take minutes, and giving up would not make it shorter. */
const startMaxSeconds = 300
const stopMaxSeconds = 60

const freePort: Effect.Effect<number, CannotStart> = Effect.callback((resume) => {
  const server = createServer()
  server.once("error", (error) => resume(Effect.fail(cannotStart(`No port is free on 127.0.0.1: ${error.message}.`))))
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

const passwordFile = (cluster: string) => `${cluster}/hedonify.password`

export const passwordOf = Effect.fnUntraced(function* (cluster: Cluster) {
  const fileSystem = yield* FileSystem.FileSystem
  return yield* fileSystem
    .readFileString(passwordFile(cluster.folder))
    .pipe(Effect.mapError(() => cannotStart(`${passwordFile(cluster.folder)} cannot be read.`)))
})

export interface ClusterSettings {
  /** Off only for tests that survive nothing: a crash of the machine may cost the cluster. */
  readonly fsync: boolean
}

const initdbSettings = (port: number, settings: ClusterSettings) => [
  `port=${port}`,
  "listen_addresses=127.0.0.1",
  // Relative to the cluster, so that no path needs quoting and the socket is as private as the cluster.
  "unix_socket_directories=.",
  `max_connections=${connectionsMax}`,
  "timezone=UTC",
  "log_timezone=UTC",
  `fsync=${settings.fsync ? "on" : "off"}`,
]

/** Makes the cluster aside and renames it into place; whoever comes second finds it there and throws its own away. */
export const initialise = Effect.fn("postgresCluster.initialise")(function* (
  cluster: Cluster,
  settings: ClusterSettings,
) {
  const fileSystem = yield* FileSystem.FileSystem
  const { binaries, runAs, folder } = cluster
  const unfinished = `${folder}.${randomUUID()}`
  const password = `${unfinished}.password`
  const ours = (path: string, mode: number) =>
    Effect.andThen(
      fileSystem.chmod(path, mode),
      runAs.uid === undefined ? Effect.void : fileSystem.chown(path, runAs.uid, runAs.gid ?? runAs.uid),
    )
  const initdb = Effect.gen(function* () {
    yield* fileSystem.makeDirectory(unfinished)
    yield* ours(unfinished, 0o700)
    yield* fileSystem.writeFileString(password, randomBytes(24).toString("base64url"), { mode: 0o600 })
    yield* ours(password, 0o600)
    const { exitCode, stderr } = yield* runProgram(
      binaries.initdb,
      [
        `--pgdata=${unfinished}`,
        `--username=${clusterName}`,
        `--pwfile=${password}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--locale=C.UTF-8",
        "--lc-collate=C",
        "--lc-ctype=C",
        ...(settings.fsync ? [] : ["--no-sync"]),
        ...initdbSettings(yield* freePort, settings).flatMap((setting) => ["-c", setting]),
      ],
      { runAs },
    )
    if (exitCode !== 0)
      return yield* cannotStart(`PostgreSQL could not be initialised in ${folder}: ${lastLine(stderr)}`)
    yield* fileSystem.rename(password, passwordFile(unfinished))
    yield* fileSystem.rename(unfinished, folder)
  })
  const leftOvers = [unfinished, password].map((path) =>
    fileSystem.remove(path, { recursive: true, force: true }).pipe(Effect.ignore),
  )
  yield* initdb.pipe(
    Effect.onExit(() => Effect.all(leftOvers)),
    Effect.catchTag("PlatformError", (error) =>
      Effect.flatMap(isInitialised(cluster), (somebodyElseWas) =>
        somebodyElseWas
          ? Effect.void
          : Effect.fail(cannotStart(`PostgreSQL could not be initialised in ${folder}: ${error.message}`)),
      ),
    ),
  )
})

export const isInitialised = Effect.fnUntraced(function* (cluster: Cluster) {
  const fileSystem = yield* FileSystem.FileSystem
  return yield* fileSystem.exists(`${cluster.folder}/PG_VERSION`)
})

const lastLine = (text: string) => text.trim().split("\n").at(-1) ?? ""

/** What postmaster.pid says, line by line as PostgreSQL documents it. */
export interface Running {
  readonly processId: number
  readonly port: number
  readonly ready: boolean
}

/**
 * The server of this cluster, if one runs. After a crash of the machine the file may name a process that is somebody
 * else's by now (in a container nearly always): then it is removed, since PostgreSQL would refuse to start over it. The
 * memory of the old server guards against two servers all the same.
 */
export const running = Effect.fn("postgresCluster.running")(function* (cluster: Cluster) {
  const fileSystem = yield* FileSystem.FileSystem
  const file = `${cluster.folder}/postmaster.pid`
  const lines = yield* fileSystem.readFileString(file).pipe(
    Effect.map((text) => text.split("\n")),
    Effect.orElseSucceed(() => []),
  )
  const processId = Number.parseInt(lines[0] ?? "", 10)
  if (!Number.isInteger(processId) || !isAlive(processId)) return Option.none<Running>()
  if (!(yield* worksIn(processId, cluster.folder))) {
    yield* fileSystem.remove(file, { force: true })
    return Option.none<Running>()
  }
  return Option.some<Running>({
    processId,
    port: Number.parseInt(lines[3] ?? "", 10),
    ready: (lines[7] ?? "").trim() === "ready",
  })
})

export const isAlive = (processId: number) => {
  try {
    return process.kill(processId, 0)
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"
  }
}

/** A postmaster works in its cluster's folder. Where the system does not tell (macOS), the file is believed. */
const worksIn = Effect.fnUntraced(function* (processId: number, folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  return yield* fileSystem.readLink(`/proc/${processId}/cwd`).pipe(
    Effect.map((directory) => directory === folder),
    Effect.orElseSucceed(() => process.platform !== "linux" || isAlive(processId)),
  )
})

const keptPort = Effect.fnUntraced(function* (cluster: Cluster) {
  const { stdout } = yield* runProgram(cluster.binaries.postgres, ["-D", cluster.folder, "-C", "port"], {
    runAs: cluster.runAs,
  })
  return Number.parseInt(stdout, 10)
})

/** Starts the server, on the port it had if that is free, and waits until it accepts connections. */
export const start = Effect.fn("postgresCluster.start")(function* (cluster: Cluster) {
  const fileSystem = yield* FileSystem.FileSystem
  const kept = yield* keptPort(cluster)
  const port = (yield* isFree(kept)) ? kept : yield* freePort
  const { exitCode } = yield* runProgram(
    cluster.binaries.pgCtl,
    ["start", "--silent", "--wait", `--timeout=${startMaxSeconds}`, "-D", ".", "-l", "server.log", "-o", `-p ${port}`],
    { runAs: cluster.runAs, workingDirectory: cluster.folder },
  )
  if (exitCode === 0) return
  const log = yield* fileSystem.readFileString(`${cluster.folder}/server.log`).pipe(Effect.orElseSucceed(() => ""))
  const fatal = log.split("\n").findLast((line) => line.includes("FATAL:"))
  const reason = fatal?.replace(/^.*FATAL: +/, "") ?? "no reason given"
  const message = `PostgreSQL did not start: ${reason} (see ${cluster.folder}/server.log).`
  // The first: another process starts it too. The second: sessions of a killed server are still ending.
  const inMotion = reason.includes("lock file") || reason.includes("shared memory")
  return yield* inMotion ? new ServerInMotion({ message }) : cannotStart(message)
})

/** Ends every session and writes a checkpoint, so that the next start has nothing to recover. */
export const stop = Effect.fn("postgresCluster.stop")(function* (cluster: Cluster) {
  yield* runProgram(
    cluster.binaries.pgCtl,
    ["stop", "--silent", "--wait", "--mode=fast", `--timeout=${stopMaxSeconds}`, "-D", "."],
    { runAs: cluster.runAs, workingDirectory: cluster.folder },
  )
})

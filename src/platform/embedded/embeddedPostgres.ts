/**
 * The PostgreSQL that comes along when no DATABASE_URL is given: made on first use, started by whoever needs it first,
 * adopted by whoever finds it running (after a kill -9 of the service too), stopped by whoever leaves last. Each user
 * holds a shared advisory lock on a connection of its own; only who gets the lock alone may stop the server, so a
 * command never stops it under the service. Tried and lost: counting connections, which a person with psql upsets, and
 * lock files, which a kill -9 leaves behind.
 */
import { PgConnection } from "@effect/sql-pg"
import { Console, Effect, Exit, FileSystem, Option, Path, Queue, Redacted, Ref, Schedule, Scope } from "effect"
import { cannotStart } from "../CannotStart.ts"
import { postgresBinaries } from "./postgresBinaries.ts"
import * as PostgresCluster from "./postgresCluster.ts"
import { serverHome } from "./serverUser.ts"

export interface Options {
  readonly dataFolder: string
  /** On, but for tests. */
  readonly fsync: boolean
  /** Says on standard error that a first start takes a moment. */
  readonly announce?: boolean
}

/** Any number that nobody else takes in the database `postgres`. */
const usersLock = 4_736_251
/** Likewise; held while the database is made. */
const creationLock = 4_736_254

/** Socket addresses end at 104 bytes on macOS, 108 on Linux. */
const socketPathLengthMax = 103

const prepare = Effect.fnUntraced(function* (options: Options) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const dataFolder = path.resolve(options.dataFolder)
  const home = yield* serverHome(dataFolder)
  const binaries = yield* postgresBinaries(home.runAs, home.home)
  const cluster = { binaries, runAs: home.runAs, folder: home.cluster }
  if (yield* PostgresCluster.isInitialised(cluster)) return cluster
  if (options.announce === true) {
    const reason = home.outside ? `, since the user it runs as cannot enter ${dataFolder}` : ""
    yield* Console.error(`Preparing PostgreSQL in ${cluster.folder}${reason} (first start only).`)
  }
  yield* PostgresCluster.initialise(cluster, { fsync: options.fsync })
  if (!home.outside) return cluster
  const link = path.join(dataFolder, "postgres")
  const linked = yield* fileSystem.symlink(cluster.folder, link).pipe(
    Effect.as(true),
    Effect.catchReason("PlatformError", "AlreadyExists", () => Effect.succeed(false)),
  )
  if (linked) return cluster
  // Another process was quicker: its cluster is the one.
  yield* fileSystem.remove(home.home, { recursive: true })
  const folder = yield* fileSystem.realPath(link)
  return { ...cluster, folder, binaries: yield* postgresBinaries(home.runAs, path.dirname(folder)) }
})

/** What a PgConnection.Config needs; by socket, or by TCP where the socket's path would be too long. */
export interface EmbeddedAddress {
  readonly path?: string
  readonly host?: string
  readonly port?: number
  readonly username: string
  readonly password: Redacted.Redacted
  readonly database: string
  readonly ssl: false
}

const addressOf = (
  cluster: PostgresCluster.Cluster,
  port: number,
  password: string,
  database: string,
): EmbeddedAddress => {
  const socket = `${cluster.folder}/.s.PGSQL.${port}`
  return {
    ...(Buffer.byteLength(socket) <= socketPathLengthMax ? { path: socket } : { host: "127.0.0.1", port }),
    username: PostgresCluster.clusterName,
    password: Redacted.make(password),
    database,
    ssl: false,
  }
}

interface Held {
  readonly connection: PgConnection.PgConnection
  readonly scope: Scope.Closeable
  readonly server: PostgresCluster.Running
}

/** Makes sure that the server runs and that it knows of us. */
const hold = Effect.fnUntraced(function* (cluster: PostgresCluster.Cluster, password: string, parent: Scope.Scope) {
  const found = yield* PostgresCluster.running(cluster)
  if (Option.isNone(found)) yield* PostgresCluster.start(cluster)
  const server = yield* PostgresCluster.running(cluster)
  if (Option.isNone(server) || !server.value.ready) {
    return yield* new PostgresCluster.ServerInMotion({
      message: `The PostgreSQL server in ${cluster.folder} is neither running nor stopped.`,
    })
  }
  const { port } = server.value
  const scope = yield* Scope.fork(parent)
  const connect = Effect.gen(function* () {
    const connection = yield* PgConnection.make(addressOf(cluster, port, password, "postgres"))
    yield* connection.query(`SELECT pg_advisory_lock_shared(${usersLock})`)
    return connection
  })
  const connection = yield* connect.pipe(
    Scope.provide(scope),
    Effect.onError(() => Scope.close(scope, Exit.void)),
    Effect.mapError((error) => {
      const message = `The embedded PostgreSQL in ${cluster.folder} cannot be reached: ${error.message}.`
      const mayPass = error.reason._tag !== "AuthenticationError"
      return mayPass ? new PostgresCluster.ServerInMotion({ message }) : cannotStart(message)
    }),
  )
  return { connection, scope, server: server.value } satisfies Held
})

/** A server that recovers or is being stopped by its last user is waited for. */
const holdPatiently = (cluster: PostgresCluster.Cluster, password: string, parent: Scope.Scope) =>
  hold(cluster, password, parent).pipe(
    Effect.retry({
      while: (error) => error._tag === "ServerInMotion",
      schedule: Schedule.max([Schedule.spaced("500 millis"), Schedule.recurs(40)]),
    }),
    Effect.catchTag("ServerInMotion", ({ message }) => cannotStart(message)),
  )

/** Two that start at once wait for each other here: one makes the database, the other finds it. */
const ensureDatabase = Effect.fnUntraced(function* ({ connection }: Held) {
  yield* connection.query(`SELECT pg_advisory_lock(${creationLock})`)
  const { rows } = yield* connection.query("SELECT 1 FROM pg_database WHERE datname = $1", [
    PostgresCluster.clusterName,
  ])
  if (rows.length === 0) yield* connection.query(`CREATE DATABASE ${PostgresCluster.clusterName}`, [], false)
  yield* connection.query(`SELECT pg_advisory_unlock(${creationLock})`)
})

/** Waits until the connection is lost; listening is how the driver tells. */
const lost = ({ connection }: Held) =>
  Effect.scoped(
    Effect.flatMap(connection.listen("hedonify_users"), (notices) => Effect.forever(Queue.take(notices))),
  ).pipe(Effect.exit)

/** The last to leave stops the server. Who holds the lock alone holds it until the server is gone. */
const leave = Effect.fnUntraced(function* (cluster: PostgresCluster.Cluster, held: Held) {
  const alone = yield* Effect.gen(function* () {
    yield* held.connection.query(`SELECT pg_advisory_unlock_shared(${usersLock})`)
    const { rows } = yield* held.connection.query(`SELECT pg_try_advisory_lock(${usersLock}) AS alone`)
    return rows[0]?.["alone"] === true
  }).pipe(Effect.orElseSucceed(() => false))
  if (alone) yield* PostgresCluster.stop(cluster).pipe(Effect.ignore)
  yield* Scope.close(held.scope, Exit.void)
})

/** A process that ends without leaving (a second Ctrl-C) tells the server to stop and does not wait for it. */
const stopOnSuddenExit = Effect.fnUntraced(function* (current: Ref.Ref<Held>) {
  const tell = () => {
    const { processId } = Ref.getUnsafe(current).server
    if (PostgresCluster.isAlive(processId)) process.kill(processId, "SIGINT")
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => process.once("exit", tell)),
    () => Effect.sync(() => process.removeListener("exit", tell)),
  )
})

/**
 * Reachable until the scope closes. Should the server die on the way it is started again, on the same port unless
 * somebody took it; connection pools reconnect by themselves.
 */
export const acquire = Effect.fn("embeddedPostgres.acquire")(
  function* (options: Options) {
    const cluster = yield* prepare(options)
    const password = yield* PostgresCluster.passwordOf(cluster)
    const connections = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const takeHold = holdPatiently(cluster, password, connections)
    const current = yield* Ref.make(yield* takeHold)
    yield* Effect.addFinalizer(() => Effect.flatMap(Ref.get(current), (held) => leave(cluster, held)))
    yield* stopOnSuddenExit(current)
    const first = yield* Ref.get(current)
    yield* ensureDatabase(first)
    const keep = Effect.gen(function* () {
      const held = yield* Ref.get(current)
      yield* lost(held)
      yield* Effect.logWarning("PostgreSQL is gone; it is started again")
      yield* Scope.close(held.scope, Exit.void)
      yield* Ref.set(current, yield* takeHold)
    })
    yield* keep.pipe(
      Effect.tapError((error) => Effect.logError(error.message)),
      Effect.retry(Schedule.spaced("5 seconds")),
      Effect.forever,
      Effect.forkScoped,
    )
    return addressOf(cluster, first.server.port, password, PostgresCluster.clusterName)
  },
  Effect.mapError((error) =>
    error._tag === "CannotStart" ? error : cannotStart(`The embedded PostgreSQL cannot be used: ${error.message}`),
  ),
)

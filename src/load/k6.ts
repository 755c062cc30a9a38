/**
 * k6 as another program: whether it is here, and one run of a script of k6/ to its end, which prints its own summary.
 * Must stay true: the world goes over as a file that only we may read and that goes with the run, since it holds
 * sessions; and whoever stops us stops k6.
 */
import { Console, Effect, FileSystem, Path, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { fileURLToPath } from "node:url"
import { cannotStart } from "../platform/CannotStart.ts"
import type { Prepared } from "./scenarios.ts"

const scriptsFolder = fileURLToPath(new URL("../../k6", import.meta.url))
/** Where the person is, as `.data` is, so that a run from elsewhere writes over nobody's results. */
const resultsFolder = "k6/results"

const install = "install it with `go install go.k6.io/k6@v1.8.1` or as https://grafana.com/docs/k6 says"
/** Earlier ones do not run TypeScript by themselves. */
const majorVersionMin = 1
/** k6's exit code where a threshold did not hold. */
const thresholdsBroken = 99
const logLinesShownMax = 20

/** Says in one sentence what to do where there is no k6 that can run the scripts. */
export const requireK6 = Effect.scoped(
  Effect.gen(function* () {
    const k6 = yield* ChildProcess.make("k6", ["version"], { extendEnv: true, stdin: "ignore", stderr: "ignore" })
    const said = yield* Stream.mkString(Stream.decodeText(k6.stdout))
    const [, version = "", major = ""] = /v((\d+)\.\d+\.\d+)/.exec(said) ?? []
    if (Number(major) >= majorVersionMin) return
    return yield* cannotStart(`k6 ${version} on the PATH is too old: ${install}.`)
  }),
).pipe(Effect.catchTag("PlatformError", () => Effect.fail(cannotStart(`There is no k6 on the PATH: ${install}.`))))

const shown = (log: string): ReadonlyArray<string> => {
  const lines = log.split("\n").filter((line) => line !== "" && !line.startsWith("thresholds on metrics"))
  const rest = lines.length - logLinesShownMax
  return [...lines.slice(0, logLinesShownMax), ...(rest > 0 ? [`and ${rest} more lines`] : [])]
}

/** Runs the scenario; whether each of its thresholds held. */
export const runK6 = ({ name, world }: Prepared) =>
  Effect.scoped(
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "hedonify-load-" })
      const worldFile = path.join(folder, "world.json")
      const logFile = path.join(folder, "k6.log")
      const summaryFile = path.resolve(resultsFolder, `${name}.json`)
      yield* fileSystem.makeDirectory(resultsFolder, { recursive: true })
      yield* fileSystem.writeFileString(worldFile, JSON.stringify({ ...world, summaryFile }), { mode: 0o600 })
      // A hang-up is worth a warning to k6: only what is worse is kept.
      const logging = [`--log-output=file=${logFile},level=error`, "--log-format=raw"]
      const watched = process.stdout.isTTY ? [] : ["--quiet", "--no-color"]
      const k6 = yield* ChildProcess.make(
        "k6",
        ["run", "--no-usage-report", ...watched, ...logging, path.join(scriptsFolder, `${name}.ts`)],
        {
          env: { SHOP: worldFile },
          extendEnv: true,
          stdin: "ignore",
          stdout: "inherit",
          stderr: "inherit",
          // Told to stop, k6 would sum up half a run and call it broken.
          killSignal: "SIGKILL",
        },
      )
      const exitCode = yield* k6.exitCode
      const log = (yield* fileSystem.exists(logFile)) ? yield* fileSystem.readFileString(logFile) : ""
      const lines = exitCode === 0 ? [] : shown(log)
      if (lines.length > 0) yield* Console.error(lines.join("\n"))
      if (exitCode !== 0 && exitCode !== thresholdsBroken) {
        return yield* cannotStart(`k6 could not run ${name}: it ended with ${exitCode}.`)
      }
      yield* Console.log(`written to ${resultsFolder}/${name}.json`)
      return exitCode === 0
    }),
  ).pipe(
    Effect.catchTag("PlatformError", ({ message }) =>
      Effect.fail(cannotStart(`k6 could not run ${name}: ${message}.`)),
    ),
  )

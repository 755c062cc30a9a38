/**
 * The programs of the HTTP benchmarks, each a process of its own for as long as a scope lives: servers, found by the
 * address they print, and the load. Must stay true: whatever ends the run ends them all.
 */
import { Effect } from "effect"
import { type ChildProcess, fork, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type CannotStart, cannotStart } from "../../src/platform/CannotStart.ts"
import type { Job, LoadResult } from "./loadGenerator.ts"

const program = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** Asks to stop and waits; the service drains and stops its PostgreSQL. */
const stop = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGTERM")
  })

const listening = /http:\/\/127\.0\.0\.1:(\d+)/

/** The port a server said it listens on. What else it prints is read, so that it never waits for a reader. */
const portOf = (path: string, child: ChildProcess): Effect.Effect<number, CannotStart> =>
  Effect.callback((resume) => {
    let said = ""
    const listen = (chunk: Buffer): void => {
      said += chunk.toString("utf8")
      const port = listening.exec(said)?.[1]
      if (port === undefined) return
      child.stdout?.off("data", listen).resume()
      resume(Effect.succeed(Number(port)))
    }
    let complaint = ""
    child.stderr?.on("data", (chunk: Buffer) => (complaint = `${complaint}${chunk.toString("utf8")}`.slice(-2000)))
    child.stdout?.on("data", listen)
    child.once("exit", (code) => resume(cannotStart(`${path} ended with ${code}: ${complaint.trim()}`)))
  })

/** A Node program that listens on a port of its choosing; with which arguments and which settings beside ours. */
export const startServer = Effect.fnUntraced(function* (
  path: string,
  options: { readonly arguments?: ReadonlyArray<string>; readonly settings?: Readonly<Record<string, string>> } = {},
) {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [program(path), ...(options.arguments ?? [])], {
        env: { ...process.env, ...options.settings },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    ),
    stop,
  )
  return yield* portOf(path, child)
})

/** Sends jobs to one long-lived generator, so that its code is compiled once. */
export const startLoad = Effect.gen(function* () {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => fork(program("bench/http/loadGenerator.ts"))),
    stop,
  )
  return (job: Job): Effect.Effect<LoadResult, CannotStart> =>
    Effect.callback((resume) => {
      child.once("message", (message: { readonly result?: LoadResult; readonly failure?: string }) => {
        const { failure, result } = message
        resume(
          result === undefined
            ? cannotStart(`The load failed: ${failure ?? "no reason given"}`)
            : Effect.succeed(result),
        )
      })
      child.send(job)
    })
})

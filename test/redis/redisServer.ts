/**
 * A real redis-server of a test's own: on a free port, in a folder of its own, without anything on disk, and with the
 * ways it can fail. It is killed with the scope, paused or not.
 */
import { Effect } from "effect"
import { Redis } from "ioredis"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Why there is no Redis to test with; null where there is one. */
export const redisIsMissing: string | null =
  spawnSync("redis-server", ["--version"]).status === 0 ? null : "redis-server is not installed"

export interface RedisServer {
  readonly url: string
  /** Starts it again, empty, on the same port. */
  readonly start: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
  /** It keeps its connections and answers nobody. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** One command over a connection of its own. */
  readonly command: (name: string, ...args: ReadonlyArray<string>) => Effect.Effect<unknown>
}

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const ended = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
  })

const launch = (port: number, folder: string) =>
  Effect.callback<ChildProcess>((resume) => {
    const options = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
    const child = spawn("redis-server", options, { stdio: ["ignore", "pipe", "ignore"] })
    let said = ""
    child.stdout.on("data", (chunk: Buffer) => {
      if (said.includes("Ready to accept")) return
      said += chunk.toString("utf8")
      if (said.includes("Ready to accept")) resume(Effect.succeed(child))
    })
    child.once("error", (error) => resume(Effect.die(error)))
    child.once("exit", (code) => resume(Effect.die(new Error(`redis-server ended with ${code}: ${said}`))))
  })

export const redisServer = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "hedonify-redis-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
  )
  const port = yield* freePort
  const url = `redis://127.0.0.1:${port}`
  let child: ChildProcess | undefined

  const start = Effect.map(launch(port, folder), (started) => void (child = started))
  const signal = (name: NodeJS.Signals) => Effect.sync(() => void child?.kill(name))
  const stop = Effect.suspend(() => {
    if (child === undefined) return Effect.void
    child.kill("SIGKILL")
    return ended(child)
  })
  yield* Effect.acquireRelease(start, () => stop)

  const command = (name: string, ...args: ReadonlyArray<string>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => new Redis(url)),
      (client) => Effect.promise(() => client.call(name, ...args)),
      (client) => Effect.sync(() => client.disconnect()),
    )
  return { url, start, stop, pause: signal("SIGSTOP"), resume: signal("SIGCONT"), command } satisfies RedisServer
})

/**
 * A real redis-server of a test's own: on a free port, in a folder of its own, without anything on disk, and with the
 * ways it can fail. It is killed with the scope, paused or not. Where the run is on containers, so is this Redis.
 */
import { Effect, Exit, Scope } from "effect"
import { Redis } from "ioredis"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Said by `vitest.containers.config.ts`. */
const isInContainer = process.env["TEST_REDIS"] === "container"

/** Why there is no Redis to test with; null where there is one. */
export const redisIsMissing: string | null =
  isInContainer || spawnSync("redis-server", ["--version"]).status === 0 ? null : "redis-server is not installed"

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

/** One life of the server, from its start to the end of the scope. */
type Life = Pick<RedisServer, "pause" | "resume">

const lifeOfProcess = Effect.fnUntraced(function* (port: number) {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "hedonify-redis-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
  )
  const child = yield* Effect.acquireRelease(launch(port, folder), (started) => {
    started.kill("SIGKILL")
    return ended(started)
  })
  const signal = (name: NodeJS.Signals) => Effect.sync(() => void child.kill(name))
  return { pause: signal("SIGSTOP"), resume: signal("SIGCONT") } satisfies Life
})

const lifeOfContainer = Effect.fnUntraced(function* (port: number) {
  const { redisContainer } = yield* Effect.promise(() => import("../platform/containers.ts"))
  return yield* Effect.orDie(redisContainer(port))
})

export const redisServer = Effect.gen(function* () {
  const port = yield* freePort
  const url = `redis://127.0.0.1:${port}`
  const parent = yield* Effect.scope
  let scope: Scope.Closeable | undefined
  let life: Life | undefined

  const start = Effect.gen(function* () {
    scope = yield* Scope.fork(parent)
    const begun: Effect.Effect<Life, never, Scope.Scope> = isInContainer ? lifeOfContainer(port) : lifeOfProcess(port)
    life = yield* Scope.provide(begun, scope)
  })
  const stop = Effect.suspend(() => (scope === undefined ? Effect.void : Scope.close(scope, Exit.void)))
  yield* start

  const command = (name: string, ...args: ReadonlyArray<string>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => new Redis(url)),
      (client) => Effect.promise(() => client.call(name, ...args)),
      (client) => Effect.sync(() => client.disconnect()),
    )
  return {
    url,
    start,
    stop,
    pause: Effect.suspend(() => life?.pause ?? Effect.void),
    resume: Effect.suspend(() => life?.resume ?? Effect.void),
    command,
  } satisfies RedisServer
})

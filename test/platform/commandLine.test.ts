import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"

const main = new URL("../../src/main.ts", import.meta.url).pathname

/** The command as a person would run it, in a folder of its own. */
const start = (folder: string, args: ReadonlyArray<string>, settings: Readonly<Record<string, string>>) => {
  const command = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"], ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  })
  let errors = ""
  command.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk))
  const ended = once(command, "exit").then(() => ({ exitCode: command.exitCode, errors: errors.trim() }))
  return { command, ended }
}

const run = (folder: string, args: ReadonlyArray<string>, settings: Readonly<Record<string, string>> = {}) =>
  Effect.promise(() => start(folder, args, settings).ended)

const emptyFolder = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "hedonify-command-" })
  yield* fileSystem.chmod(folder, 0o711)
  return folder
})

layer(NodeServices.layer, { excludeTestServices: true })("the command line", (it) => {
  it.effect("says in one sentence why it cannot start, and exits with 1", () =>
    Effect.gen(function* () {
      const folder = yield* emptyFolder
      const unknown = yield* run(folder, ["serve"], { HEDONIFY_PROT: "80" })
      assert.deepStrictEqual(unknown, {
        exitCode: 1,
        errors: "HEDONIFY_PROT is not a setting: did you mean HEDONIFY_PORT?",
      })
      const unreachable = yield* run(folder, ["migrate"], { DATABASE_URL: "postgres://me:hush@127.0.0.1:1/shop" })
      assert.deepStrictEqual(unreachable, {
        exitCode: 1,
        errors: "PostgreSQL cannot be reached (connect ECONNREFUSED 127.0.0.1:1): check DATABASE_URL.",
      })
    }),
  )

  it.effect("reads .env, where the environment wins", () =>
    Effect.gen(function* () {
      const folder = yield* emptyFolder
      const fileSystem = yield* FileSystem.FileSystem
      yield* fileSystem.writeFileString(`${folder}/.env`, "HEDONIFY_PORT=file\nHEDONIFY_SHARDS=many\n")
      const { errors } = yield* run(folder, ["serve"], { HEDONIFY_PORT: "8081" })
      assert.strictEqual(errors, 'HEDONIFY_SHARDS is "many"; allowed is a whole number from 1 to 64.')
    }),
  )

  it.effect("serves from nothing, lets other commands share its PostgreSQL, and stops both when told to", () =>
    Effect.gen(function* () {
      const folder = yield* emptyFolder
      const fileSystem = yield* FileSystem.FileSystem
      const { command, ended } = start(folder, ["serve"], { HEDONIFY_PORT: "0", HEDONIFY_METRICS_PORT: "0" })
      yield* Effect.addFinalizer(() => Effect.sync(() => command.kill("SIGKILL")))
      const url = yield* Effect.promise(async () => {
        for await (const line of createInterface(command.stdout)) {
          const served = /^Hedonify serves (\S+)$/.exec(line)?.[1]
          if (served !== undefined) return served
        }
        return ""
      })
      const ready = () => Effect.promise(() => fetch(`${url}/health/ready`))
      assert.strictEqual((yield* ready()).status, 200)
      assert.strictEqual((yield* run(folder, ["migrate"])).exitCode, 0)
      assert.strictEqual((yield* ready()).status, 200)
      command.kill("SIGTERM")
      const { exitCode, errors } = yield* Effect.promise(() => ended)
      assert.strictEqual(exitCode, 0)
      assert.match(errors, /^Preparing PostgreSQL in \S+ \(first start only\)\.$/)
      assert.isFalse(yield* fileSystem.exists(`${folder}/.data/postgres/postmaster.pid`))
    }),
  )
})

import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { startService, workingFolder } from "../process/serviceProcess.ts"
import { tourOf } from "./tour.ts"

const project = fileURLToPath(new URL("../..", import.meta.url))
const readme = readFileSync(`${project}/README.md`, "utf8")

/** Where the page says the service is. */
const saidUrl = "http://127.0.0.1:8080"
const mark = "--- end of block ---"

/** Pastes the blocks into one shell, in the project's folder, and hands back what each printed. */
const paste = Effect.fnUntraced(function* (
  blocks: ReadonlyArray<string>,
  options: { readonly url: string; readonly dataFolder: string },
) {
  const script = blocks.flatMap((commands) => [commands.replaceAll(saidUrl, options.url), `echo; echo '${mark}'`])
  const shell = spawn("bash", ["-c", `exec 2>&1\nset -eo pipefail\n${script.join("\n")}`], {
    cwd: project,
    env: {
      PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
      HOME: process.env["HOME"],
      HEDONIFY_DATA_DIR: options.dataFolder,
    },
    stdio: ["ignore", "pipe", "ignore"],
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => shell.kill("SIGKILL")))
  let output = ""
  shell.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk))
  yield* Effect.promise(() => once(shell, "close"))
  assert.strictEqual(shell.exitCode, 0, output)
  return output.split(`${mark}\n`)
})

layer(NodeServices.layer, { excludeTestServices: true, timeout: "120 seconds" })("README", (it) => {
  it.effect("can be pasted block by block, and does what it says", () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const { url } = yield* startService(folder)
      const [product, checkedOut, repeated, refused, cancelled, paid, sent, listed] = yield* paste(tourOf(readme), {
        url,
        dataFolder: `${folder}/.data`,
      })
      assert.match(product ?? "", /"available":3\b/)
      assert.match(checkedOut ?? "", /"quantity":2\b.*"problems":\[\]/s)
      const orderId = /\{"id":"([^"]+)","status":"reserved"/.exec(checkedOut ?? "")?.[1]
      assert.isDefined(orderId)
      assert.match(repeated ?? "", /^HTTP\/1\.1 201 /)
      assert.match(repeated ?? "", /^idempotency-replayed: true\r?$/im)
      assert.strictEqual(/^location: \/v1\/orders\/(\S+)\r?$/im.exec(repeated ?? "")?.[1], orderId)
      assert.match(refused ?? "", /^HTTP\/1\.1 409 /)
      assert.include(refused, '"code":"out_of_stock"')
      assert.include(refused, '"available":1')
      assert.match(cancelled ?? "", /"status":"cancelled".*"available":3\b.*HTTP\/1\.1 201 /s)
      assert.notMatch(cancelled ?? "", /^idempotency-replayed:/im)
      assert.match(paid ?? "", /"status":"declined".*"status":"succeeded"/s)
      assert.match(sent ?? "", /"data":\[\{"id":"([^"]+)","status":"paid".*"trackingNumber":"RR123456785"/s)
      assert.match(listed ?? "", /"status":"shipped"/)
      assert.match(listed ?? "", new RegExp(`"id":"${orderId}","status":"cancelled"`))
      assert.match(listed ?? "", /All \d+ rules hold\./)
    }),
  )
})

import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { runCommand, workingFolder } from "./serviceProcess.ts"

layer(NodeServices.layer, { excludeTestServices: true, timeout: "120 seconds" })("the demo", (it) => {
  it.effect("sells exactly what there is to a crowd that wants more, and finds every answer true", () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const args = ["demo", "--buyers", "400", "--units", "100", "--seed", "7"]
      const { errors, exitCode, output } = yield* runCommand(folder, args)
      assert.strictEqual(exitCode, 0, `${output}${errors}`)
      assert.match(output, /units sold +100 of 100\n/)
      assert.include(output, "answers: every one agrees with the orders and the stock of the service.")
      assert.match(output, /orders paid +\d+ \(\d+ units\)\n/)
      assert.match(output, /took what came back +[1-9]/)
      assert.match(output, /orders expired +[1-9]/)
      assert.match(output, /verify: All \d+ rules hold\./)
    }),
  )

  it.effect("says in one sentence that nobody answers at the address it was given", () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const { errors, exitCode } = yield* runCommand(folder, ["demo", "--url", "http://127.0.0.1:1"])
      assert.deepStrictEqual(
        { errors, exitCode },
        { errors: "Nobody answers at http://127.0.0.1:1: is the service running there?", exitCode: 1 },
      )
    }),
  )
})

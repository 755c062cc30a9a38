import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { oversellingShop } from "./oversellingShop.ts"
import { runCommand, workingFolder } from "./serviceProcess.ts"

const hasK6 = spawnSync("k6", ["version"]).status === 0
if (!hasK6) console.info("The k6 scenarios are not run: there is no k6 on the PATH.")

layer(NodeServices.layer, { excludeTestServices: true, timeout: "120 seconds" })("the load run", (it) => {
  it.effect("names its scenarios and what each may be told", () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const all = yield* runCommand(folder, ["load", "--help"])
      assert.strictEqual(all.exitCode, 0)
      for (const name of ["order-creation", "flash-sale", "browse-and-buy", "--url", "--p99-max-millis"]) {
        assert.include(all.output, name)
      }
      const one = yield* runCommand(folder, ["load", "flash-sale", "--help"])
      assert.include(one.output, "--buyers")
      assert.include(one.output, "--units")
    }),
  )

  it.effect("says in one sentence that there is no k6 and how to get it", () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const { errors, exitCode, output } = yield* runCommand(folder, ["load", "flash-sale"], { PATH: folder })
      assert.strictEqual(exitCode, 1)
      assert.strictEqual(output, "")
      assert.match(errors, /^There is no k6 on the PATH: install it with `go install go\.k6\.io\/k6@v[\d.]+` .*\.$/)
    }),
  )

  it.effect("refuses a flash sale that might not sell out", () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const { errors, exitCode } = yield* runCommand(folder, ["load", "flash-sale", "--buyers", "9", "--units", "4"])
      assert.deepStrictEqual(
        { errors, exitCode },
        { errors: "A flash sale needs at least 3 buyers for each unit: 9 are too few for 4.", exitCode: 1 },
      )
    }),
  )

  it.effect.runIf(hasK6)("sells exactly what there is and finds the books in order", () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const { errors, exitCode, output } = yield* runCommand(folder, [
        "load",
        "flash-sale",
        "--buyers",
        "150",
        "--units",
        "50",
      ])
      assert.strictEqual(exitCode, 0, `${output}${errors}`)
      assert.match(output, /units sold +50 of 50\n/)
      assert.match(output, /thresholds: all \d+ held/)
      assert.match(output, /verify: All \d+ rules hold\./)
    }),
  )

  it.effect.runIf(hasK6)("fails on a shop that sells a unit twice", () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const url = yield* oversellingShop
      const { errors, exitCode, output } = yield* runCommand(folder, [
        "load",
        "flash-sale",
        "--buyers",
        "60",
        "--units",
        "20",
        "--url",
        url,
      ])
      assert.strictEqual(exitCode, 1, `${output}${errors}`)
      assert.match(output, /units sold +138 of 20\n/)
      assert.match(output, /thresholds: \d of \d broken: .*units_sold count==20/)
      assert.include(output, '"what left the stock is what orders hold" was false 1 of 1 times')
      assert.include(output, "k6: flash-sale broke a threshold.")
    }),
  )

  it.effect.runIf(hasK6)("fails where answers take longer than the bar", () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const url = yield* oversellingShop
      const { exitCode, output } = yield* runCommand(folder, [
        "load",
        "order-creation",
        "--duration",
        "1 second",
        "--rate",
        "20",
        "--p99-max-millis",
        "1",
        "--url",
        url,
      ])
      assert.strictEqual(exitCode, 1)
      assert.match(output, /broken: .*press_to_answer p\(99\)<1[;.]/)
    }),
  )
})

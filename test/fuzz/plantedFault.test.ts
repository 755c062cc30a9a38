import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { testServerPlacing } from "../http/testServer.ts"
import { fuzz } from "./fuzz.ts"

const defect = Effect.die(new Error("relation products_of_old does not exist"))
const broken = testServerPlacing(() => defect).pipe(Layer.provide(Logger.layer([])))

layer(broken, { excludeTestServices: true })("a server that breaks at every order", (it) => {
  it.effect("is found out, by a single request that anybody can paste, and again from the same seed", () =>
    Effect.gen(function* () {
      const { failure } = yield* fuzz({ seed: 1, requests: 600 })
      assert.exists(failure)
      assert.strictEqual(failure.fault.exchanges.length, 1)
      assert.deepStrictEqual(failure.fault.sentences, ["it is answered with 500"])
      const lines = failure.report.split("\n")
      assert.match(
        String(lines.at(-1)),
        /^curl .*-X 'POST' "\$URL"'\/v1\/orders(\/batch)?' -H 'authorization: Bearer '"\$/,
      )
      assert.include(lines, "URL=${URL:-http://127.0.0.1:8080}")

      const again = yield* fuzz({ seed: 1, requests: 600, path: failure.path })
      assert.exists(again.failure)
      assert.strictEqual(again.failure.fault.step.operation.id, failure.fault.step.operation.id)
      assert.deepStrictEqual(again.failure.fault.step.body, failure.fault.step.body)
    }),
  )
})

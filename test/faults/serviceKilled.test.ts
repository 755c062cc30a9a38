import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { isPlaced, isTold } from "./crowd.ts"
import { Stage, stage } from "./stage.ts"
import { trial } from "./trial.ts"

layer(stage, { excludeTestServices: true, timeout: "120 seconds" })("a service that ends under load", (it) => {
  it.effect("killed and started again, keeps what it confirmed and answers each key as before", () =>
    trial("service killed (SIGKILL), twice", (crowd) =>
      Effect.gen(function* () {
        const { service, start } = yield* Stage
        for (let round = 0; round < 2; round++) {
          const killed = service()
          killed.child.kill("SIGKILL")
          yield* killed.ended
          yield* crowd.after(1, isTold("lost"))
          yield* start
          yield* crowd.after(60, isPlaced)
        }
      }),
    ),
  )

  it.effect("told to stop, ends with 0, and the one that is started next goes on from there", () =>
    trial("service told to stop (SIGTERM)", (crowd) =>
      Effect.gen(function* () {
        const { service, start } = yield* Stage
        const stopped = service()
        stopped.child.kill("SIGTERM")
        const { errors, exitCode } = yield* stopped.ended
        assert.deepStrictEqual({ errors, exitCode }, { errors: "", exitCode: 0 })
        assert.lengthOf(crowd.attempts.filter(isTold("unknown")), 0)
        yield* start
      }),
    ),
  )
})

import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { readiness, until } from "../process/serviceProcess.ts"
import { isPlaced, isTold } from "./crowd.ts"
import { Stage, stage } from "./stage.ts"
import { trial } from "./trial.ts"

const writers = "hedonify writer"

layer(stage, { excludeTestServices: true, timeout: "120 seconds" })("a PostgreSQL that goes under load", (it) => {
  it.effect("stopped at once and started again, is missed in words, and nothing is lost or sold twice", () =>
    trial("PostgreSQL stopped at once (SIGQUIT) and started again", (crowd) =>
      Effect.gen(function* () {
        const { postgres, service } = yield* Stage
        yield* postgres.endBy("SIGQUIT")
        yield* until(
          "the service says that it is not ready",
          Effect.map(readiness(service().url), (status) => status === 503),
        )
        yield* crowd.after(20, isTold("busy", "unknown"))
        yield* postgres.ensureRunning
      }),
    ),
  )

  it.effect("killed, recovers from its log, and nothing is lost or sold twice", () =>
    trial("PostgreSQL's postmaster killed (SIGKILL)", (crowd) =>
      Effect.gen(function* () {
        const { postgres } = yield* Stage
        yield* postgres.endBy("SIGKILL")
        yield* crowd.after(20, isTold("busy", "unknown"))
        yield* postgres.ensureRunning
      }),
    ),
  )

  it.effect("one of whose processes is killed, ends every session to recover, and all go on", () =>
    trial("one PostgreSQL backend killed (SIGKILL)", (crowd) =>
      Effect.gen(function* () {
        const { database, postgres } = yield* Stage
        for (let round = 0; round < 2; round++) {
          const [victim] = yield* postgres.backends(database, writers)
          assert.isDefined(victim)
          process.kill(victim.pid, "SIGKILL")
          yield* crowd.after(1, isTold("busy", "unknown"))
          yield* postgres.ensureRunning
          yield* crowd.after(40, isPlaced)
        }
      }),
    ),
  )

  it.effect("whose writers' sessions are ended again and again, commits each batch once or not at all", () =>
    trial("writers' sessions ended in mid-commit, 40 times", (crowd) =>
      Effect.gen(function* () {
        const { database, postgres } = yield* Stage
        let ended = 0
        for (let round = 0; round < 40; round++) {
          ended += yield* postgres.terminate(database, writers)
          yield* crowd.after(4, isPlaced)
        }
        assert.isAtLeast(ended, 40)
      }),
    ),
  )
})

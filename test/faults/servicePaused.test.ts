import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { readiness, runCommand, type Service, until } from "../process/serviceProcess.ts"
import { DatabaseLink, stageBehindLink } from "./databaseLink.ts"
import { type Attempt, isPlaced, isTold } from "./crowd.ts"
import { orderDeadlineMillis, Stage } from "./stage.ts"
import { trial } from "./trial.ts"

const anotherServes =
  "Another Hedonify process serves this database: stop it first, or give this one a database of its own."

const signal = ({ child }: Service, name: NodeJS.Signals) => Effect.sync(() => void child.kill(name))

layer(stageBehindLink, { excludeTestServices: true, timeout: "120 seconds" })("a service that stands still", (it) => {
  it.effect("longer than its deadlines, keeps its shards from a second process, which says so, and goes on", () =>
    trial("service paused (SIGSTOP) while another wants to start", (crowd) =>
      Effect.gen(function* () {
        const { folder, options, service } = yield* Stage
        const paused = service()
        const pausedAtMillis = performance.now()
        yield* signal(paused, "SIGSTOP")
        yield* Effect.gen(function* () {
          const settings = { ...options.settings, HEDONIFY_PORT: "0", HEDONIFY_METRICS_PORT: "0" }
          const { errors, exitCode } = yield* runCommand(folder, ["serve"], settings)
          assert.deepStrictEqual({ errors, exitCode }, { errors: anotherServes, exitCode: 1 })
          yield* until(
            "every deadline has passed",
            Effect.sync(() => performance.now() - pausedAtMillis > 2 * orderDeadlineMillis),
          )
        }).pipe(Effect.ensuring(signal(paused, "SIGCONT")))
        yield* crowd.after(24, isPlaced)
      }),
    ),
  )

  it.effect("loses its shards to another without hearing of it, and wakes to answer nobody wrongly", () =>
    Effect.gen(function* () {
      const { bringBack, service, start } = yield* Stage
      const link = yield* DatabaseLink
      const first = service()
      const isAsked = ({ url }: Attempt) => url === first.url
      yield* trial(
        "service paused, replaced by another, and woken",
        (crowd) =>
          Effect.gen(function* () {
            yield* signal(first, "SIGSTOP")
            const second = yield* Effect.andThen(link.forget, start).pipe(Effect.ensuring(signal(first, "SIGCONT")))
            const replacedAtMillis = performance.now()
            yield* crowd.after(24, (attempt) => isAsked(attempt) && isTold("busy", "unknown")(attempt))
            yield* crowd.after(24, (attempt) => !isAsked(attempt) && isPlaced(attempt))
            const wrong = crowd.attempts.filter(
              (attempt) =>
                isAsked(attempt) &&
                attempt.invokedAtMillis > replacedAtMillis &&
                isTold("placed", "out_of_stock")(attempt),
            )
            assert.deepStrictEqual(wrong, [])
            assert.strictEqual(yield* readiness(first.url), 503)

            second.child.kill("SIGTERM")
            const { exitCode } = yield* second.ended
            assert.strictEqual(exitCode, 0)
            yield* link.reset
            bringBack(first)
          }),
        { doorOf: (buyer) => (buyer % 8 < 2 ? first : service()) },
      )
    }),
  )
})

import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import { interruptibleAtOnce } from "../../src/platform/interruptibleAtOnce.ts"

/** Work that is told to end, and does so when the test says. */
const lingering = Effect.gen(function* () {
  const begun = yield* Deferred.make<void>()
  const told = yield* Deferred.make<void>()
  const mayEnd = yield* Deferred.make<void>()
  const work = Deferred.succeed(begun, undefined).pipe(
    Effect.andThen(Effect.never),
    Effect.onInterrupt(() => Effect.andThen(Deferred.succeed(told, undefined), Deferred.await(mayEnd))),
  )
  return { begun, told, work }
})

it.effect("whoever hangs up waits for nobody, and the work is told to end", () =>
  Effect.gen(function* () {
    const { begun, told, work } = yield* lingering
    const caller = yield* Effect.forkChild(interruptibleAtOnce(work))
    yield* Deferred.await(begun)
    yield* Fiber.interrupt(caller)
    yield* Deferred.await(told)
  }),
)

it.effect("a time limit is one", () =>
  Effect.gen(function* () {
    const { told, work } = yield* lingering
    const answer = yield* interruptibleAtOnce(work).pipe(Effect.timeoutOption(0))
    assert.isTrue(answer._tag === "None")
    yield* Deferred.await(told)
  }),
)

it.effect("answers, failures, defects and the span around it are those of the work", () =>
  Effect.gen(function* () {
    assert.strictEqual(yield* interruptibleAtOnce(Effect.succeed(1)), 1)
    assert.strictEqual(yield* Effect.flip(interruptibleAtOnce(Effect.fail("no"))), "no")
    assert.deepStrictEqual(yield* Effect.exit(interruptibleAtOnce(Effect.die("bug"))), Exit.die("bug"))
    const span = yield* Effect.withSpan(interruptibleAtOnce(Effect.currentSpan), "outer")
    assert.strictEqual(span.name, "outer")
  }),
)

import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { workMaxMillis } from "../../src/http/httpBounds.ts"
import { answeringInTime } from "../../src/http/respond.ts"

/** A request whose work never ends by itself, and ends when the test says once it is told to. */
const stuck = Effect.fnUntraced(function* (method: "GET" | "POST") {
  const mayEnd = yield* Deferred.make<void>()
  const work = Effect.onInterrupt(Effect.never, () => Deferred.await(mayEnd))
  const request = HttpServerRequest.fromWeb(new Request("http://localhost/", { method }))
  const answer = yield* answeringInTime(work).pipe(
    Effect.provideService(HttpServerRequest.HttpServerRequest, request),
    Effect.forkChild({ startImmediately: true }),
  )
  yield* TestClock.adjust(workMaxMillis)
  return { answer, end: Deferred.succeed(mayEnd, undefined) }
})

const codeOf = (answer: unknown): unknown => {
  if (!HttpServerResponse.isHttpServerResponse(answer) || answer.body._tag !== "Uint8Array") return null
  const body: unknown = JSON.parse(new TextDecoder().decode(answer.body.body))
  return typeof body === "object" && body !== null && "code" in body ? body.code : null
}

it.effect("a read that does not end is answered when its time is over", () =>
  Effect.gen(function* () {
    const { answer, end } = yield* stuck("GET")
    assert.isDefined(answer.pollUnsafe())
    yield* end
    assert.strictEqual(codeOf(yield* Fiber.join(answer)), "busy")
  }),
)

it.effect("what may have written is seen to its end before its caller hears that nobody knows", () =>
  Effect.gen(function* () {
    const { answer, end } = yield* stuck("POST")
    assert.isUndefined(answer.pollUnsafe())
    yield* end
    assert.strictEqual(codeOf(yield* Fiber.join(answer)), "outcome_unknown")
  }),
)

/** What an operator reads in the log: one line of JSON an event, whose it is, and never a secret. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Option, Redacted, Schema } from "effect"
import { TestClock } from "effect/testing"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Logging from "../../src/platform/logging/logging.ts"
import { logLevels } from "../../src/platform/logging/LogControl.ts"

const Line = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))

/** A folder of this test's own, gone with it. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "hedonify-log-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true })),
)

/** Everything that the effect logged, as text. */
const logged = Effect.fnUntraced(function* (effect: Effect.Effect<unknown>, level: keyof typeof logLevels = "info") {
  const file = join(yield* folder, "stdout")
  const descriptor = openSync(file, "w")
  const output = { descriptor, isTerminal: false }
  yield* Effect.provide(effect, Logging.layerOf({ level: logLevels[level], file: Option.none(), output }))
  closeSync(descriptor)
  return readFileSync(file, "utf8")
})

/** Everything that the effect logged, line by line. */
const loggedLines = (effect: Effect.Effect<unknown>, level?: keyof typeof logLevels) =>
  Effect.flatMap(logged(effect, level), (text) =>
    Effect.forEach(text.trim().split("\n"), (line) => Schema.decodeEffect(Line)(line)),
  )

class StoreDown extends Schema.TaggedError<StoreDown>()("StoreDown", { message: Schema.String }) {}

describe("Logging", () => {
  it.effect("a line carries level, time, words, data, annotations, spans, trace id and span id", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000)
      const [line] = yield* loggedLines(
        Effect.logInfo("order", "placed", { lines: 2 }).pipe(
          Effect.annotateLogs({ orderId: "o-1", level: "gold" }),
          Effect.withLogSpan("place"),
          Effect.withSpan("Orders.place"),
        ),
      )
      assert.include(line, {
        level: "info",
        time: "1970-01-01T00:00:01.000Z",
        msg: "order placed",
        orderId: "o-1",
        "annotation.level": "gold",
      })
      assert.deepStrictEqual(line?.["data"], { lines: 2 })
      assert.deepStrictEqual(line?.["spans"], { place: 0 })
      assert.match(String(line?.["traceId"]), /^[0-9a-f]{32}$/)
      assert.match(String(line?.["spanId"]), /^[0-9a-f]{16}$/)
    }),
  )

  it.effect("a line logged while spans are off names no trace", () =>
    Effect.gen(function* () {
      const [line] = yield* loggedLines(
        Effect.logInfo("quiet").pipe(Effect.withSpan("Orders.place"), Effect.withTracerEnabled(false)),
      )
      assert.notProperty(line, "traceId")
    }),
  )

  it.effect("no secret gets into a line, wherever it hides", () =>
    Effect.gen(function* () {
      const hidden = "hunter2"
      const circle: { password: string; self?: unknown } = { password: hidden }
      circle.self = circle
      const text = yield* logged(
        Effect.logInfo(`with Bearer ${hidden}`, Redacted.make(hidden), {
          password: hidden,
          headers: [{ Authorization: hidden, Cookie: hidden }],
          deep: { er: { apiKey: hidden, api_key: hidden, tokenSecret: hidden } },
          map: new Map([["access_token", hidden]]),
          wrapped: Option.some(Redacted.make(hidden)),
          address: `postgres://shop:${hidden}@db:5432/shop`,
          circle,
        }).pipe(
          Effect.annotateLogs({ token: hidden, redacted: Redacted.make(hidden) }),
          Effect.andThen(
            Effect.logError(
              "failed",
              Cause.fail(new StoreDown({ message: `cannot reach postgres://shop:${hidden}@db/shop` })),
            ),
          ),
        ),
      )
      assert.notInclude(text, hidden)
      assert.include(text, '"data":["[censored]",')
      assert.include(text, '"headers":"[censored]"')
      assert.include(text, '"wrapped":"[censored]"')
      assert.include(text, "[circular]")
      assert.include(text, "postgres://shop:[censored]@db")
    }),
  )

  it.effect("an error among other data tells what it is, and nothing of rows, requests and answers", () =>
    Effect.gen(function* () {
      const hidden = "hunter2"
      const refused = Object.assign(new Error(`invalid input syntax for type uuid: "${hidden}"`), {
        code: "22P02",
        detail: `Failing row contains (${hidden}).`,
        where: `COPY accounts, line 1: "${hidden}"`,
        parameters: [hidden],
        request: { headers: { "webhook-id": hidden }, url: `https://shop.example/?q=${hidden}` },
      })
      const parsed = new SyntaxError(`Unexpected token 'h', "${hidden}" is not valid JSON`)
      const text = yield* logged(
        Effect.logError("failed", { refused, parsed, payload: hidden, signature: hidden }).pipe(
          Effect.annotateLogs({ target: `https://${hidden}@shop.example/hook?token=${hidden}` }),
          Effect.andThen(Effect.logError("failed", Cause.fail({ _tag: "Refused", password: hidden }))),
          Effect.andThen(Effect.logError("failed", new Error("outer", { cause: refused }))),
        ),
      )
      assert.notInclude(text, hidden)
      assert.include(text, '"code":"22P02"')
      assert.include(text, "invalid input syntax for type uuid: [censored]")
      assert.include(text, "https://[censored]@shop.example/hook?[censored]")
      assert.match(text, /"stack":"Error: outer\\n .+caused by Error: invalid input/)
    }),
  )

  it.effect("a cause becomes err, on the same one line of JSON, with every failure in it", () =>
    Effect.gen(function* () {
      const cause = Cause.combine(
        Cause.fail(new StoreDown({ message: "no answer\nfrom the store" })),
        Cause.die(new TypeError("x is not a function")),
      )
      const lines = yield* loggedLines(Effect.logError("batch failed", cause))
      assert.strictEqual(lines.length, 1)
      const err = lines[0]?.["err"]
      assert.include(err, { type: "StoreDown", message: "no answer\nfrom the store" })
      assert.match(JSON.stringify(err), /"type":"TypeError","message":"x is not a function","stack":/)
    }),
  )

  it.effect("a value that cannot be shown costs itself, not the line", () =>
    Effect.gen(function* () {
      const broken = {
        get price() {
          throw new Error("no price")
        },
      }
      const [line] = yield* loggedLines(Effect.logInfo("odd", broken, { units: 5n, at: new Date(0) }))
      assert.deepStrictEqual(line?.["data"], ["[unreadable]", { units: "5", at: "1970-01-01T00:00:00.000Z" }])
    }),
  )

  it.effect("HEDONIFY_LOG_LEVEL decides what is written", () =>
    Effect.gen(function* () {
      const program = Effect.andThen(Effect.logDebug("detail"), Effect.logWarning("care"))
      assert.deepStrictEqual(
        (yield* loggedLines(program, "warn")).map(({ msg }) => msg),
        ["care"],
      )
      assert.deepStrictEqual(
        (yield* loggedLines(program, "debug")).map(({ msg }) => msg),
        ["detail", "care"],
      )
      assert.strictEqual(yield* logged(program, "none"), "")
    }),
  )

  it.effect("a thousand lines at once are all there at the end, in their order", () =>
    Effect.gen(function* () {
      const numbers = Array.from({ length: 1_000 }, (_, index) => index)
      const lines = yield* loggedLines(
        Effect.forEach(numbers, (number) => Effect.logInfo(`tick ${number}`), { discard: true }),
        "debug",
      )
      assert.deepStrictEqual(
        lines.map(({ msg }) => msg),
        numbers.map((number) => `tick ${number}`),
      )
    }),
  )

  it.effect("a person at a terminal reads words, not JSON", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "terminal")
      const descriptor = openSync(file, "w")
      yield* Effect.provide(
        Effect.logInfo("order placed").pipe(Effect.annotateLogs({ orderId: "o-1" })),
        Logging.layerOf({ level: "Info", file: Option.none(), output: { descriptor, isTerminal: true } }),
      )
      closeSync(descriptor)
      const text = readFileSync(file, "utf8")
      assert.match(text, /INFO.*order placed/)
      assert.notInclude(text, "{")
    }),
  )

  it.effect("a log file that cannot be written stops the start with one sentence", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "")
      const error = yield* Effect.flip(
        Effect.provide(
          Effect.void,
          Logging.layerOf({
            level: "Info",
            file: Option.some(file),
            output: { descriptor: 1, isTerminal: false },
          }),
        ),
      )
      assert.strictEqual(error._tag, "CannotStart")
      assert.include(error.message, "HEDONIFY_LOG_FILE")
    }),
  )
})

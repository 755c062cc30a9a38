/** Where lines go: to both outputs, into files that turn, to readers that are slow or gone, and never as a flood. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { execFileSync } from "node:child_process"
import { closeSync, constants, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Logging from "../../src/platform/logging/logging.ts"
import { CurrentLogControl, type LogControl } from "../../src/platform/logging/LogControl.ts"

const Line = Schema.fromJsonString(
  Schema.StructWithRest(
    Schema.Struct({ level: Schema.String, msg: Schema.String, repeats: Schema.optionalKey(Schema.Int) }),
    [Schema.Record(Schema.String, Schema.Unknown)],
  ),
)
const parse = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => Schema.decodeSync(Line)(line))

/** A folder of this test's own, gone with it. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "hedonify-log-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true })),
)

const opened = (path: string, flags: string | number) =>
  Effect.acquireRelease(
    Effect.sync(() => openSync(path, flags)),
    (descriptor) => Effect.sync(() => closeSync(descriptor)),
  )

/** Runs what logs, with its standard output at this descriptor and a file in this folder. */
const logging = <A, E>(
  effect: (control: LogControl) => Effect.Effect<A, E>,
  descriptor: number,
  file: Partial<Pick<Logging.LoggingOptions, "fileLimits">> & { readonly path?: string } = {},
) =>
  Effect.provide(
    Effect.flatMap(CurrentLogControl, effect),
    Logging.layerOf({
      level: "Info",
      file: Option.fromUndefinedOr(file.path),
      ...(file.fileLimits === undefined ? {} : { fileLimits: file.fileLimits }),
      output: { descriptor, isTerminal: false },
    }),
  )

/** As whoever asked for details gets them: all of them. */
const linesOf = (control: LogControl, count: number, words: string) => {
  control.setLevel("Debug")
  return Effect.forEach(Array.from({ length: count }), (_, index) => Effect.logInfo(`${words} ${index}`), {
    discard: true,
  })
}

describe("outputs of the log", () => {
  it.effect("with a file, each line is on the standard output and in the file", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const path = join(place, "logs", "service.log")
      const descriptor = yield* opened(join(place, "stdout"), "w")
      yield* logging((control) => linesOf(control, 50, "tick"), descriptor, { path })
      const text = readFileSync(path, "utf8")
      assert.strictEqual(parse(text).length, 50)
      assert.strictEqual(readFileSync(join(place, "stdout"), "utf8"), text)
    }),
  )

  it.live("files turn at their size, whole line by whole line, and only so many are kept", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const path = join(place, "service.log")
      const descriptor = yield* opened("/dev/null", "w")
      const file = { path, fileLimits: { sizeMaxBytes: 20_000, filesMax: 3 } }
      // Each start goes on where the one before ended.
      for (const start of [1, 2, 3, 4])
        yield* logging((control) => linesOf(control, 400, `start ${start} tick`), descriptor, file)
      assert.deepStrictEqual(readdirSync(place).sort(), ["service.log", "service.log.1", "service.log.2"])
      for (const name of readdirSync(place)) {
        // What is written at once may pass the size by one write of 16 KiB.
        assert.isBelow(statSync(join(place, name)).size, 20_000 + 16_384 + 200, name)
      }
      const kept = ["service.log.2", "service.log.1", "service.log"]
        .map((name) => readFileSync(join(place, name), "utf8"))
        .join("")
      const words = parse(kept).map(({ msg }) => msg)
      const all = [1, 2, 3, 4].flatMap((start) =>
        Array.from({ length: 400 }, (_, index) => `start ${start} tick ${index}`),
      )
      assert.deepStrictEqual(words, all.slice(-words.length))
    }),
  )

  it.live("a reader that is gone, and one that does not read, cost lines that are counted and nothing else", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const pipe = join(place, "pipe")
      execFileSync("mkfifo", [pipe])
      const file = { path: join(place, "service.log") }
      for (const isGone of [true, false]) {
        const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
        const descriptor = yield* opened(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
        if (isGone) closeSync(reader)
        const words = "x".repeat(1_000)
        const counts = yield* logging(
          (control) => Effect.as(linesOf(control, 6_000, words), control.counts),
          descriptor,
          file,
        )
        if (!isGone) closeSync(reader)
        assert.strictEqual(counts.written.info, 6_000)
        assert.isAbove(counts.dropped.stdout.info, 1_000)
      }
    }),
  )

  it.effect("a flood of one line is written now and then, with how many it stands for, and nothing else suffers", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const descriptor = yield* opened(join(place, "stdout"), "w")
      const counts = yield* logging(
        (control) =>
          Effect.gen(function* () {
            const failed = Effect.logWarning("A request could not be served", new Error("PostgreSQL is away"))
            for (let second = 0; second < 3; second++) {
              yield* Effect.repeat(failed, { times: 4_999 })
              yield* Effect.logError("something else")
              yield* TestClock.adjust("1 second")
            }
            return control.counts
          }),
        descriptor,
      )
      const lines = parse(readFileSync(join(place, "stdout"), "utf8"))
      const flood = lines.filter(({ level }) => level === "warn")
      const leftOut = flood.reduce((sum, { repeats }) => sum + (repeats ?? 0), 0)
      const written = flood.filter((line) => "err" in line).length
      assert.strictEqual(leftOut + written, 15_000)
      assert.isAtMost(flood.length, 33)
      assert.strictEqual(counts.dropped.repeated.warn, leftOut)
      assert.strictEqual(lines.filter(({ msg }) => msg === "something else").length, 3)
    }),
  )

  it.effect("a flood of ever other words is bounded, too", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const descriptor = yield* opened(join(place, "stdout"), "w")
      const words = Array.from({ length: 20_000 }, (_, index) => `word ${index}`)
      yield* logging(() => Effect.forEach(words, (word) => Effect.logError(word), { discard: true }), descriptor)
      const lines = parse(readFileSync(join(place, "stdout"), "utf8"))
      assert.isBelow(lines.length, 300)
      assert.strictEqual(
        lines.reduce((sum, { repeats }) => sum + (repeats ?? 1), 0),
        20_000,
      )
    }),
  )

  it.effect("a change of the level holds at once, for fibers that run already, too", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const descriptor = yield* opened(join(place, "stdout"), "w")
      yield* logging(
        (control) =>
          Effect.gen(function* () {
            const tick = Effect.andThen(Effect.logDebug("detail"), Effect.sleep("1 second"))
            yield* Effect.forkChild(Effect.forever(tick), { startImmediately: true })
            yield* TestClock.adjust("2 seconds")
            control.setLevel("Debug")
            yield* TestClock.adjust("1 second")
            control.setLevel("None")
            yield* Effect.logFatal("nobody hears this")
            yield* TestClock.adjust("2 seconds")
          }),
        descriptor,
      )
      assert.deepStrictEqual(
        parse(readFileSync(join(place, "stdout"), "utf8")).map(({ msg }) => msg),
        ["detail"],
      )
    }),
  )
})

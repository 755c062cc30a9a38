/**
 * Where log lines go and what is in them: Effect's logger on pino, one line of JSON for programs, a readable one on a
 * terminal, or JSON into a file instead of either.
 *
 * Must stay true: each line is one line, names its trace and span, and has passed the censor; a reader of the output
 * that is slow or gone costs log lines, never an order, and no more memory than `unwrittenMaxBytes`.
 *
 * Tried and lost: Effect's own tracer logger beside this one, which copies each line into the current span as an event
 * before anything has censored it. A line finds its trace by its traceId instead.
 */
import { Cause, Effect, Layer, Logger, type LogLevel, Option, Predicate, References } from "effect"
import { closeSync, mkdirSync, openSync } from "node:fs"
import { dirname } from "node:path"
import { pino } from "pino"
import { prettyFactory } from "pino-pretty"
import { type CannotStart, cannotStart } from "./CannotStart.ts"
import { Configuration } from "./Configuration.ts"
import { censor, censorField, censorText } from "./logCensor.ts"

export interface LoggingOptions {
  readonly level: LogLevel.LogLevel
  readonly file: Option.Option<string>
  /** Where lines go without a file, and whether a person reads them there. */
  readonly output: { readonly descriptor: number; readonly isTerminal: boolean }
}

/** Bytes waiting for a slow reader; past them lines are dropped. */
const unwrittenMaxBytes = 4 * 1024 * 1024

/** What the end of the service waits for a reader to take the last lines. */
const flushTimeoutMillis = 1_000

/** Names that the line itself uses; an annotation of the same name is kept under `annotation.<name>`. */
const lineFields = new Set(["level", "time", "pid", "msg", "traceId", "spanId", "spans", "data", "err"])

/** What Effect calls the trace of a span that was not made because spans are off. */
const noTrace = "noop"

export const layerOf = (options: LoggingOptions): Layer.Layer<never, CannotStart> =>
  Layer.mergeAll(
    Logger.layer([Effect.map(openOutput(options), makeLogger)]),
    Layer.succeed(References.MinimumLogLevel, options.level),
  )

export const layer: Layer.Layer<never, CannotStart, Configuration> = Layer.unwrap(
  Effect.map(Effect.service(Configuration), ({ logFile, logLevel }) =>
    layerOf({
      level: logLevel,
      file: logFile,
      output: { descriptor: 1, isTerminal: process.stdout.isTTY },
    }),
  ),
)

const makeLogger = (output: pino.Logger): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, date, fiber, logLevel, message }) => {
    const write = writers[logLevel]
    if (write === undefined) return
    const { text, data } = readMessage(message)
    const span = fiber.cache.span
    const spans = fiber.getRef(References.CurrentLogSpans)
    write(
      output,
      {
        time: date.toISOString(),
        ...(span === undefined || span.traceId === noTrace ? {} : { traceId: span.traceId, spanId: span.spanId }),
        ...annotationFields(fiber.getRef(References.CurrentLogAnnotations)),
        ...(spans.length === 0
          ? {}
          : { spans: Object.fromEntries(spans.map(([label, from]) => [label, date.getTime() - from])) }),
        ...(data.length === 0 ? {} : { data: data.length === 1 ? data[0] : data }),
        ...(cause.reasons.length === 0 ? {} : { err: errorFields(cause) }),
      },
      text,
    )
  })

const writers: { readonly [Level in LogLevel.LogLevel]?: (to: pino.Logger, fields: object, text: string) => void } = {
  Fatal: (to, fields, text) => to.fatal(fields, text),
  Error: (to, fields, text) => to.error(fields, text),
  Warn: (to, fields, text) => to.warn(fields, text),
  Info: (to, fields, text) => to.info(fields, text),
  Debug: (to, fields, text) => to.debug(fields, text),
  Trace: (to, fields, text) => to.trace(fields, text),
}

/** Words of a message become the text; whatever else was logged becomes data beside it. */
const readMessage = (message: unknown): { readonly text: string; readonly data: ReadonlyArray<unknown> } => {
  const parts = Array.isArray(message) ? message : [message]
  const words: Array<string> = []
  const data: Array<unknown> = []
  for (const part of parts) {
    if (Predicate.isObject(part) || Array.isArray(part)) data.push(censor(part))
    else words.push(censorText(String(part)))
  }
  return { text: words.join(" "), data }
}

const annotationFields = (annotations: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(
    Object.entries(annotations).map(([name, value]) => [
      lineFields.has(name) ? `annotation.${name}` : name,
      censorField(name, value),
    ]),
  )

/** The first failure is the error; where a cause has several, the others follow in it, as with an AggregateError. */
const errorFields = (cause: Cause.Cause<unknown>): object => {
  const [first, ...others] = Cause.prettyErrors(cause, { includeCauseInStack: true }).map((error) => ({
    type: error.name,
    message: censorText(error.message),
    ...(error.stack === undefined ? {} : { stack: censorText(error.stack) }),
  }))
  return others.length === 0 ? { ...first } : { ...first, aggregateErrors: others }
}

/** Opens the destination for as long as the scope lives and writes out what is left at its end. */
const openOutput = Effect.fnUntraced(function* ({ file, output }: LoggingOptions) {
  const isTerminal = Option.isNone(file) && output.isTerminal
  const descriptor = Option.isSome(file) ? yield* openFile(file.value) : output.descriptor
  const destination = yield* openDestination(descriptor, isTerminal)
  return pino(
    {
      // Effect has filtered by level already and its clock gives the time; pino writes what it is given.
      level: "trace",
      timestamp: false,
      base: { pid: process.pid },
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => error },
    },
    isTerminal ? { write: (line) => destination.write(readable(line)) } : destination,
  )
})

const readable = prettyFactory({ colorize: true, ignore: "pid", translateTime: "SYS:HH:MM:ss.l" })

const openDestination = (descriptor: number, synchronous: boolean) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const destination = pino.destination({
        dest: descriptor,
        sync: synchronous,
        // Each line goes at once; with 0 it would too, but then nobody can wait for the last one.
        minLength: 1,
        maxLength: unwrittenMaxBytes,
      })
      // A full disk or a closed pipe must not become an uncaught exception that ends the sale.
      destination.on("error", () => undefined)
      return destination
    }),
    // Not flushSync: beside a write that is under way it overtakes it, and the last lines change places.
    (destination) =>
      Effect.callback<void>((resume) => destination.flush(() => resume(Effect.void))).pipe(
        Effect.interruptible,
        Effect.timeoutOption(flushTimeoutMillis),
      ),
  )

const openFile = (path: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        mkdirSync(dirname(path), { recursive: true })
        return openSync(path, "a", 0o640)
      },
      catch: (error) =>
        cannotStart(
          `HEDONIFY_LOG_FILE: cannot write to ${path} (${error instanceof Error ? error.message : String(error)}).`,
        ),
    }),
    (descriptor) => Effect.ignore(Effect.try(() => closeSync(descriptor))),
  )

/**
 * Log lines: Effect's logger on pino, one line of JSON for programs on the standard output and, where the settings name
 * one, in a file too; a readable line on a terminal.
 *
 * Must stay true: each line is one line, names its trace, span and request, and has passed the censor; a line that
 * nobody asked for costs a comparison; a flood of one and the same line is counted, not written.
 *
 * Tried and lost: Effect's own tracer logger beside this one, which copies each line into the current span as an event
 * before anything has censored it. A line finds its trace by its traceId instead.
 */
import {
  Cause,
  Clock,
  Context,
  DateTime,
  Effect,
  type Fiber,
  Layer,
  Logger,
  type LogLevel,
  Option,
  Predicate,
  Redacted,
  References,
  Schedule,
} from "effect"
import { HttpServerRequest } from "effect/http"
import { pino } from "pino"
import type { CannotStart } from "../CannotStart.ts"
import { Configuration } from "../Configuration.ts"
import { censor, censorField, censorText, errorFields, isSecretName, secretsIn, withoutSecrets } from "./logCensor.ts"
import { CurrentLogControl, labelOf, LogControl, logLevels, type LogDropReason, type LogLabel } from "./LogControl.ts"
import { type FileLimits, openDescriptor, openFile, type Output } from "./outputs.ts"
import { Repeats } from "./repeats.ts"
import { noRequest, RequestId } from "./requestId.ts"
import { secretSettings } from "./secretSettings.ts"

export interface LoggingOptions {
  readonly level: LogLevel.LogLevel
  readonly file: Option.Option<string>
  readonly fileLimits?: FileLimits
  /** Where lines go beside the file, and whether a person reads them there. */
  readonly output: { readonly descriptor: number; readonly isTerminal: boolean }
  /** What no line may show, whatever brought it there. */
  readonly secrets?: ReadonlyArray<Redacted.Redacted>
}

const fileLimitsDefault: FileLimits = { sizeMaxBytes: 64 * 1024 * 1024, filesMax: 5 }

/** How long lines that were left out go untold. */
const repeatsToldMillis = 1_000

/** Names that the line itself uses; an annotation of the same name is kept under `annotation.<name>`. */
const lineFields = new Set(["level", "time", "pid", "msg", "traceId", "spanId", "spans", "data", "err", "repeats"])

/** What Effect calls the trace of a span that was not made because spans are off. */
const noTrace = "noop"

export const layerOf = (options: LoggingOptions): Layer.Layer<never, CannotStart> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const control = new LogControl(options.level)
      const lines = makeLines(control, yield* openOutputs(options, control), options.secrets ?? [])
      yield* Effect.addFinalizer(() =>
        Effect.map(Clock.currentTimeMillis, (nowMillis) => lines.tellRepeats(nowMillis, Infinity)),
      )
      yield* Effect.map(Clock.currentTimeMillis, (nowMillis) => lines.tellRepeats(nowMillis)).pipe(
        Effect.repeat(Schedule.spaced(repeatsToldMillis)),
        Effect.forkScoped,
      )
      return Layer.mergeAll(
        Logger.layer([lines.logger]),
        Layer.succeed(CurrentLogControl, control),
        // The control decides: what a fiber was started with would outlive a change.
        Layer.succeed(References.MinimumLogLevel, "Trace"),
      )
    }),
  )

/** By the settings, with lines going to this output beside the file. */
export const layerTo = (output: LoggingOptions["output"]): Layer.Layer<never, CannotStart, Configuration> =>
  Layer.unwrap(
    Effect.map(Effect.service(Configuration), (configuration) =>
      layerOf({
        level: configuration.logLevel,
        file: configuration.logFile,
        fileLimits: { sizeMaxBytes: configuration.logFileSizeMaxBytes, filesMax: configuration.logFilesMax },
        output,
        secrets: secretSettings(configuration, process.env),
      }),
    ),
  )

export const layer = layerTo({ descriptor: 1, isTerminal: process.stdout.isTTY })

const openOutputs = Effect.fnUntraced(function* (
  { file, fileLimits = fileLimitsDefault, output }: LoggingOptions,
  control: LogControl,
) {
  /** Drops are told while the line is being written, so that its level is the one being written now. */
  const writing: { level: LogLabel } = { level: "info" }
  const dropped = (reason: LogDropReason) => () => {
    control.counts.dropped[reason][writing.level] += 1
  }
  const outputs: ReadonlyArray<Output> = [
    yield* openDescriptor(output, dropped("stdout")),
    ...(Option.isSome(file) ? [yield* openFile(file.value, fileLimits, dropped("file"))] : []),
  ]
  return (level: LogLabel, line: string): void => {
    writing.level = level
    control.counts.written[level] += 1
    for (const { write } of outputs) write(line)
  }
})

const makeLines = (
  control: LogControl,
  write: (level: LogLabel, line: string) => void,
  secrets: ReadonlyArray<Redacted.Redacted>,
) => {
  const repeats = new Repeats()
  const hidden = secretsIn(secrets.map((secret) => Redacted.value(secret)))
  const current: { level: LogLabel; hidden: ReadonlyArray<string> } = { level: "info", hidden }
  const lines = pino(
    {
      // The control has filtered by level already and Effect's clock gives the time; pino writes what it is given.
      level: "trace",
      timestamp: false,
      base: { pid: process.pid },
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => error },
    },
    { write: (line) => write(current.level, withoutSecrets(line, current.hidden)) },
  )
  const writeLine = (level: LogLabel, ofRequest: ReadonlyArray<string>, fields: object, text: string): void => {
    current.level = level
    current.hidden = ofRequest.length === 0 ? hidden : [...ofRequest, ...hidden]
    lines[level](fields, text)
  }
  const logger = Logger.make<unknown, void>(({ cause, date, fiber, logLevel, message }) => {
    if (!control.isOn(logLevel)) return
    const level = labelOf(logLevel)
    if (level === "none") return
    const nowMillis = date.getTime()
    const { data, failure, text } = readMessage(message)
    // Whoever asks for details wants each of them, as far as the outputs take them.
    const leftOut = control.isOn("Debug") ? 0 : repeats.admit(level, text, nowMillis)
    if (leftOut === null) {
      control.counts.dropped.repeated[level] += 1
      return
    }
    const requestId = fiber.getRef(RequestId)
    writeLine(
      level,
      requestId === noRequest ? [] : secretsOfRequest(fiber),
      {
        time: date.toISOString(),
        ...traceFields(fiber),
        ...(requestId === noRequest ? {} : { requestId }),
        ...annotationFields(fiber.getRef(References.CurrentLogAnnotations)),
        ...spanFields(fiber, nowMillis),
        ...(data.length === 0 ? {} : { data: data.length === 1 ? censor(data[0]) : data.map(censor) }),
        ...(cause.reasons.length > 0
          ? { err: causeFields(cause) }
          : failure === undefined
            ? {}
            : { err: errorFields(failure, failure) }),
        ...(leftOut === 0 ? {} : { repeats: leftOut }),
      },
      text,
    )
  })
  /** Says of seconds that are over how many lines like which were left out of them. */
  const tellRepeats = (nowMillis: number, endedMillis = nowMillis): void => {
    for (const { count, level, text } of repeats.takeOver(endedMillis)) {
      if (!control.isOn(logLevels[level])) continue
      const time = DateTime.formatIso(DateTime.makeUnsafe(nowMillis))
      writeLine(level, [], { time, repeats: count }, text)
    }
  }
  return { logger, tellRepeats }
}

const traceFields = ({ cache: { span } }: Fiber.Fiber<unknown, unknown>): object =>
  span === undefined || span.traceId === noTrace ? {} : { traceId: span.traceId, spanId: span.spanId }

const spanFields = (fiber: Fiber.Fiber<unknown, unknown>, nowMillis: number): object => {
  const spans = fiber.getRef(References.CurrentLogSpans)
  if (spans.length === 0) return {}
  return { spans: Object.fromEntries(spans.map(([label, from]) => [label, nowMillis - from])) }
}

/** No secret, so that nobody can send a word in order to have it taken out of what the log says of him. */
const word = /^\D{0,23}$/

/** What the request being answered brought along to show who it is, and what it asks for by names that are secret. */
const secretsOfRequest = (fiber: Fiber.Fiber<unknown, unknown>): ReadonlyArray<string> => {
  const request = Context.getOrUndefined(fiber.context, HttpServerRequest.HttpServerRequest)
  if (request === undefined) return []
  const [, query = ""] = request.url.split("?", 2)
  const named = [...Object.entries(request.headers), ...new URLSearchParams(query)]
  const parts = named.flatMap(([name, value = ""]) => (isSecretName(name) ? value.split(/[\s,;=]+/) : []))
  return secretsIn(parts.filter((part) => !word.test(part)))
}

interface Message {
  readonly text: string
  readonly data: ReadonlyArray<unknown>
  readonly failure: Error | undefined
}

/** Words of a message become the text, an error the line's error; whatever else was logged becomes data beside them. */
const readMessage = (message: unknown): Message => {
  const parts = Array.isArray(message) ? message : [message]
  const words: Array<string> = []
  const data: Array<unknown> = []
  let failure: Error | undefined
  for (const part of parts) {
    if (part instanceof Error && failure === undefined) failure = part
    else if (Predicate.isObject(part) || Array.isArray(part)) data.push(part)
    else words.push(censorText(String(part)))
  }
  return { text: words.join(" "), data, failure }
}

const annotationFields = (annotations: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(
    Object.entries(annotations).map(([name, value]) => [
      lineFields.has(name) ? `annotation.${name}` : name,
      censorField(name, value),
    ]),
  )

/** The first failure is the error; where a cause has several, the others follow in it, as with an AggregateError. */
const causeFields = (cause: Cause.Cause<unknown>): object => {
  const failures = cause.reasons.flatMap((reason) =>
    Cause.isFailReason(reason) ? [reason.error] : Cause.isDieReason(reason) ? [reason.defect] : [],
  )
  const [first, ...others] = Cause.prettyErrors(cause).map((shown, at) =>
    errorFields(at < failures.length ? failures[at] : shown, shown),
  )
  return others.length === 0 ? { ...first } : { ...first, aggregateErrors: others }
}

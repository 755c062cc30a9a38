/**
 * Turns whatever was handed to a log call into plain JSON data that carries no secret: the one way into a log line.
 *
 * Must stay true: a Redacted value, and a field whose name speaks of a password, token, authorization, secret,
 * signature, API key or cookie, or that holds what a caller sent (headers, a body), leaves here as `[censored]` at any
 * depth; an error tells its type, message, code and stack, and of PostgreSQL's nothing that repeats a row or a
 * parameter; no address keeps its query; what comes out is bounded in depth, width and length, has no circle and never
 * throws. What is known to be secret is taken out of the finished line once more, by `secretsIn`.
 *
 * Tried and lost: pino's own `redact`, which knows only paths listed beforehand; a secret one level deeper got through.
 */
import { DateTime, Duration, Option, Predicate, Redacted } from "effect"

const censored = "[censored]"

/** Nesting, entries per level and characters per text of one logged value: a log line is read by people. */
const depthMax = 6
const entriesMax = 50
const textLengthMax = 8_000

const secretName =
  /pass(word|wd|phrase)|token|authorization|secret|signature|api[-_]?key|private[-_]?key|credential|cookie/i
/** What a caller sent, or is sent: nobody knows what is in it. */
const sentName = /^(headers|body|rawBody|payload|urlParams)$/i

/** What an error repeats of the rows, parameters, requests and answers that it is about. */
const repeatedByErrors = new Set([
  "detail",
  "where",
  "internalQuery",
  "query",
  "sql",
  "statement",
  "parameters",
  "params",
  "values",
  "input",
  "actual",
  "issue",
  "request",
  "response",
])

/** Secrets that travel inside text, and what stays of each. */
const inText: ReadonlyArray<readonly [RegExp, string]> = [
  [/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, `$1 ${censored}`],
  // The API key of a channel, what webhooks are signed with, and a session's token, wherever they stand.
  [/\bhfy_[\w-]{8,}/g, censored],
  [/\bwhsec_[\w+/=-]{8,}/g, censored],
  [/\beyJ[\w-]{4,}\.[\w-]{4,}(\.[\w-]*)?/g, censored],
  // The password in an address, or a token that stands for a name; and whatever an address asks for.
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s/]+@/gi, `$1${censored}@`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s:/@]+@/gi, `$1${censored}@`],
  [/([\w/.~-])\?[^\s"'<>?]*=[^\s"'<>]*/g, `$1?${censored}`],
  // What could not be parsed, as V8 and PostgreSQL quote it.
  [/"[^]*" is not valid JSON/g, `${censored} is not valid JSON`],
  [/(invalid (?:input )?(?:syntax|value|byte sequence)[^:"]*: )"[^]*?"/g, `$1${censored}`],
]

export const censorText = (text: string): string => {
  const short = text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text
  return inText.reduce((rest, [pattern, instead]) => rest.replace(pattern, instead), short)
}

/** Shorter ones would be found in words that are none. */
const secretLengthMin = 6

/** Takes these out of a finished line of JSON, wherever they are. */
export const withoutSecrets = (line: string, secrets: ReadonlyArray<string>): string => {
  let rest = line
  for (const secret of secrets) {
    if (rest.includes(secret)) rest = rest.replaceAll(secret, censored)
  }
  return rest
}

/** Secrets in each form in which a line of JSON can have them. */
export const secretsIn = (texts: ReadonlyArray<string>): ReadonlyArray<string> => {
  const forms = texts.flatMap((text) =>
    text.length < secretLengthMin
      ? []
      : [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text.toWellFormed())],
  )
  // The longest first: one may be a part of another.
  return [...new Set(forms)].sort((left, right) => right.length - left.length)
}

/** Whether what stands under this name is a secret by its name. */
export const isSecretName = (name: string): boolean => secretName.test(name)

/** What a failure says of itself: its type and its words, with the stack of `shown`, which knows the spans around it. */
export const errorFields = (failure: unknown, shown: Error): { type: string; message: string; stack?: string } => {
  const type = failure instanceof Error ? failure.name : shown.name
  const message = messageOf(failure)
  const stack = stackOf(type, message, shown, failure instanceof Error ? failure.cause : undefined)
  return { type, message, stack }
}

const messageOf = (failure: unknown): string => {
  if (failure instanceof Error) return censorText(failure.message)
  const value = censor(failure)
  return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value))
}

const causesMax = 4

/** Frames as they are; the words above them are written anew, since a stack repeats what the censor has not seen. */
const stackOf = (type: string, message: string, error: Error, cause: unknown, depth = 0): string => {
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line))
  const own = [`${type}: ${message}`, ...frames.map(censorText)].join("\n")
  if (!(cause instanceof Error) || depth === causesMax) return own
  return `${own}\ncaused by ${stackOf(cause.name, messageOf(cause), cause, cause.cause, depth + 1)}`
}

/** Plain data for one value. Total: a getter or toJSON that throws costs its own value, not the log line. */
export const censor = (value: unknown): unknown => {
  try {
    return plain(value, [])
  } catch {
    return "[unreadable]"
  }
}

/** Plain data for the value of a named field. */
export const censorField = (name: string, value: unknown): unknown => (isHidden(name) ? censored : censor(value))

const isHidden = (name: string): boolean => secretName.test(name) || sentName.test(name)

const plain = (value: unknown, above: ReadonlyArray<object>): unknown => {
  if (typeof value === "string") return censorText(value)
  if (typeof value === "bigint" || typeof value === "symbol") return String(value)
  if (typeof value === "function") return `[function ${value.name}]`
  if (!Predicate.isObject(value) && !Array.isArray(value)) return value
  if (Redacted.isRedacted(value)) return censored
  if (above.includes(value)) return "[circular]"
  if (above.length >= depthMax) return "[deeper]"
  return plainObject(value, [...above, value])
}

const plainObject = (value: object, above: ReadonlyArray<object>): unknown => {
  if (value instanceof Error) return plainError(value, above)
  if (Predicate.isDate(value)) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString()
  if (DateTime.isDateTime(value)) return DateTime.formatIso(value)
  if (Duration.isDuration(value)) return Duration.format(value)
  if (Option.isOption(value)) return Option.isSome(value) ? plain(value.value, above) : null
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (value instanceof Map) return plainFields(Object.fromEntries(value), above)
  if (Array.isArray(value) || value instanceof Set) {
    return [...value].slice(0, entriesMax).map((entry) => plain(entry, above))
  }
  return plainFields(value, above)
}

const plainError = (error: Error, above: ReadonlyArray<object>): object => {
  const told = Object.entries(error).filter(([name]) => !repeatedByErrors.has(name) && name !== "cause")
  return {
    ...plainFields(Object.fromEntries(told), above),
    type: error.name,
    message: messageOf(error),
    stack: stackOf(error.name, messageOf(error), error, undefined),
    ...(error.cause === undefined ? {} : { cause: plain(error.cause, above) }),
  }
}

const plainFields = (value: object, above: ReadonlyArray<object>): object => {
  const fields: Array<[string, unknown]> = []
  for (const [name, field] of Object.entries(value)) {
    if (fields.length === entriesMax) break
    fields.push([name, isHidden(name) ? censored : plain(field, above)])
  }
  return Object.fromEntries(fields)
}

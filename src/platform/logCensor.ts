/**
 * Turns whatever was handed to a log call into plain JSON data that carries no secret: the one way into a log line.
 *
 * Must stay true: a Redacted value, and a field whose name speaks of a password, token, authorization, secret, API key
 * or cookie, leaves here as `[censored]` at any depth; what comes out is bounded in depth, width and length, has no
 * circle and never throws.
 *
 * Tried and lost: pino's own `redact`, which knows only paths listed beforehand; a secret one level deeper got through.
 */
import { DateTime, Duration, Option, Predicate, Redacted } from "effect"

const censored = "[censored]"

/** Nesting, entries per level and characters per text of one logged value: a log line is read by people. */
const depthMax = 6
const entriesMax = 50
const textLengthMax = 8_000

const secretName = /pass(word|wd|phrase)|token|authorization|secret|api[-_]?key|private[-_]?key|credential|cookie/i

/** Secrets that travel inside text: the value of an Authorization header, and the password in a connection address. */
const bearer = /\b(Bearer|Basic)\s+[\w.~+/=-]+/gi
const addressPassword = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s/@]+@/gi

/** The API key of a channel, wherever it stands. */
const apiKey = /\bhfy_[\w-]{8,}/g

export const censorText = (text: string): string => {
  const short = text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text
  return short.replace(bearer, `$1 ${censored}`).replace(apiKey, censored).replace(addressPassword, `$1${censored}@`)
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
export const censorField = (name: string, value: unknown): unknown => (secretName.test(name) ? censored : censor(value))

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
  if (value instanceof Error) return { ...plainFields(value, above), ...plainError(value, above) }
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

const plainError = (error: Error, above: ReadonlyArray<object>): object => ({
  type: error.name,
  message: censorText(error.message),
  ...(error.stack === undefined ? {} : { stack: censorText(error.stack) }),
  ...(error.cause === undefined ? {} : { cause: plain(error.cause, above) }),
})

const plainFields = (value: object, above: ReadonlyArray<object>): object => {
  const fields: Array<[string, unknown]> = []
  for (const [name, field] of Object.entries(value)) {
    if (fields.length === entriesMax) break
    fields.push([name, secretName.test(name) ? censored : plain(field, above)])
  }
  return Object.fromEntries(fields)
}

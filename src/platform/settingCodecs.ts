/**
 * How the text of a setting is read: one reader a kind of value, each beside the words that say what it allows, so that
 * a refusal and `.env.example` speak of the same thing. Bounds come in from outside; none are made up here.
 */
import { Array, ByteSize, Duration, Option, Redacted, Schema } from "effect"
import { isIP } from "node:net"

/** Reads the text of the environment; `allowed` says in words what it takes. */
export interface SettingCodec<A> {
  readonly read: (text: string) => Option.Option<A>
  readonly allowed: string
}

export const text = (allowed: string, pattern = /^[^\0]+$/): SettingCodec<string> => ({
  read: Schema.decodeUnknownOption(Schema.String.check(Schema.isPattern(pattern))),
  allowed,
})

/** Never shown, neither in a refusal nor in a log. */
export const secret = (allowed: string, pattern?: RegExp): SettingCodec<Redacted.Redacted> => {
  const codec = text(allowed, pattern)
  return { read: (given) => Option.map(codec.read(given), (value) => Redacted.make(value)), allowed }
}

/** A secret that is a URL of one of these schemes; what no program could take apart is refused here, by its name. */
export const secretUrl = (allowed: string, pattern: RegExp): SettingCodec<Redacted.Redacted> => {
  const codec = secret(allowed, pattern)
  return { read: (given) => (URL.canParse(given) ? codec.read(given) : Option.none()), allowed }
}

export const wholeNumber = (minimum: number, maximum: number): SettingCodec<number> => {
  const read = Schema.decodeUnknownOption(
    Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum })),
  )
  return {
    read: (given) => (/^\d+$/.test(given) ? read(given) : Option.none()),
    allowed: `a whole number from ${minimum} to ${maximum}`,
  }
}

export const wholeNumberOrOff = (minimum: number, maximum: number): SettingCodec<number | "off"> => {
  const { allowed, read } = wholeNumber(minimum, maximum)
  return {
    read: (given) => (given.toLowerCase() === "off" ? Option.some("off") : read(given)),
    allowed: `${allowed}, or off`,
  }
}

const inWords = (millis: number) => (millis === 0 ? "0" : Duration.format(Duration.millis(millis)))

/** A bare number counts milliseconds, so that 0 needs no unit. */
export const durationMillis = (minimum: number, maximum: number): SettingCodec<number> => {
  const read = Schema.decodeUnknownOption(Schema.DurationFromString)
  return {
    read: (given) =>
      read(/^\d+$/.test(given) ? `${given} millis` : given).pipe(
        Option.map(Duration.toMillis),
        Option.filter((millis) => millis >= minimum && millis <= maximum),
      ),
    allowed: `a duration like "500 millis", "5 seconds" or "15 minutes", from ${inWords(minimum)} to ${inWords(maximum)}`,
  }
}

/** The same, or Infinity where it is to happen never. */
export const durationMillisOrOff = (minimum: number, maximum: number): SettingCodec<number> => {
  const { allowed, read } = durationMillis(minimum, maximum)
  return {
    read: (given) => (given.toLowerCase() === "off" ? Option.some(Infinity) : read(given)),
    allowed: `${allowed}; or off`,
  }
}

/** A bare number counts bytes. */
export const byteSize = (minimum: number, maximum: number): SettingCodec<number> => ({
  read: (given) =>
    ByteSize.fromString(/^\d+$/.test(given) ? `${given} B` : given).pipe(
      Option.flatMap(ByteSize.toNumber),
      Option.filter((bytes) => bytes >= minimum && bytes <= maximum),
    ),
  allowed: `a size like "512 KiB" or "64 MiB", from ${inKibibytes(minimum)} to ${inKibibytes(maximum)}`,
})

const inKibibytes = (bytes: number) => {
  const kibibytes = bytes / 1024
  return kibibytes < 1024 ? `${kibibytes} KiB` : `${kibibytes / 1024} MiB`
}

/** One of some words, in any case, each with its meaning; `allowed` names the ones to write. */
export const oneOf = <A>(meanings: Readonly<Record<string, A>>, allowed: string): SettingCodec<A> => ({
  read: (given) => Option.fromUndefinedOr(new Map(Object.entries(meanings)).get(given.toLowerCase())),
  allowed,
})

export const onOrOff = oneOf(
  { on: true, true: true, "1": true, yes: true, off: false, false: false, "0": false, no: false },
  "on or off",
)

/** Separated by commas. */
const listOf = (fits: (item: string) => boolean, allowed: string): SettingCodec<ReadonlyArray<string>> => ({
  read: (given) => {
    const items = Array.dedupe(
      given
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== ""),
    )
    return items.every(fits) ? Option.some(items) : Option.none()
  },
  allowed,
})

const isOrigin = (item: string) => item === "*" || (URL.canParse(item) && new URL(item).origin === item)

export const origins = listOf(isOrigin, "origins like https://shop.example, separated by commas, or *")

const isAddressOrRange = (item: string) => {
  const [address = "", bits, ...rest] = item.split("/")
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}

export const addressRanges = listOf(isAddressOrRange, "IP addresses or ranges like 10.0.0.0/8, separated by commas")

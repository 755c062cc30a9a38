/**
 * The secrets that the settings hold, for whoever has to keep them out of what others read.
 */
import { Option, Redacted } from "effect"
import type { ConfigurationValues, Environment } from "../Configuration.ts"

type SecretValues = Pick<
  ConfigurationValues,
  "adminPassword" | "databaseUrl" | "paymentSecret" | "paymentUrl" | "redisUrl" | "tokenSecret"
>

/** What the collector knows us by; read by OpenTelemetry itself, as are its other settings. */
const collectorHeaders = /^OTEL_EXPORTER_OTLP(_\w+)?_HEADERS$/

/** A weak password that is a word would be taken out of lines that speak of something else, too. */
const word = /^[a-z]{1,11}$/

export const secretSettings = (
  { adminPassword, databaseUrl, paymentSecret, paymentUrl, redisUrl, tokenSecret }: SecretValues,
  environment: Environment,
): ReadonlyArray<Redacted.Redacted> => {
  const given = [adminPassword, paymentSecret, tokenSecret].flatMap(valueOf)
  const addresses = [...[databaseUrl, redisUrl].flatMap(valueOf), ...Option.toArray(paymentUrl)]
  const texts = [...given, ...addresses.flatMap(secretsOfAddress), ...secretsOfCollector(environment)]
  return texts.filter((text) => !word.test(text)).map((text) => Redacted.make(text))
}

const valueOf = (secret: Option.Option<Redacted.Redacted>): ReadonlyArray<string> =>
  Option.isSome(secret) ? [Redacted.value(secret.value)] : []

/** The password, as it is written in the address and as it is meant. */
const secretsOfAddress = (address: string): ReadonlyArray<string> => {
  if (!URL.canParse(address)) return []
  const { password, searchParams } = new URL(address)
  return [password, decoded(password), searchParams.get("password") ?? ""].filter((text) => text !== "")
}

/** `name=value` pairs, separated by commas. */
const secretsOfCollector = (environment: Environment): ReadonlyArray<string> =>
  Object.entries(environment)
    .filter(([name]) => collectorHeaders.test(name))
    .flatMap(([, pairs]) => (pairs ?? "").split(","))
    .map((pair) => pair.slice(pair.indexOf("=") + 1).trim())
    .flatMap((value) => [value, decoded(value), ...decoded(value).split(/\s+/)])

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/**
 * The settings of this process, read once from the environment and complete before anything starts. A name we do not
 * know or a value that does not fit stops the start with one sentence that names it, what was given and what is allowed;
 * what a secret was given is never said.
 */
import { Config, ConfigProvider, Context, Effect, Layer, Option } from "effect"
import { type CannotStart, cannotStart } from "./CannotStart.ts"
import { nearest } from "./nearest.ts"
import { type Setting, settings } from "./settings.ts"

type Settings = typeof settings
type ValueOf<S> = S extends Setting<infer A> ? (S extends { readonly fallback: string } ? A : Option.Option<A>) : never

/** One field a setting, by the names of `settings`; optional ones are an Option. What depends on production is decided here. */
export type ConfigurationValues = Readonly<
  { [Key in Exclude<keyof Settings, "demo" | "webhookInsecureTargets">]: ValueOf<Settings[Key]> } & {
    demo: boolean
    webhookInsecureTargets: "off" | "loopback" | "on"
    /** Whether NODE_ENV says production: fewer conveniences, more required. */
    production: boolean
  }
>

export type Environment = Readonly<Record<string, string | undefined>>

const names = Object.values(settings).map(({ name }) => name)

const refuseUnknown = (environment: Environment): Effect.Effect<void, CannotStart> => {
  const unknown = Object.keys(environment).find((name) => name.startsWith("HEDONIFY_") && !names.includes(name))
  if (unknown === undefined) return Effect.void
  const meant = nearest(unknown, names)
  return Effect.fail(
    cannotStart(
      `${unknown} is not a setting${meant === undefined ? "; .env.example lists all." : `: did you mean ${meant}?`}`,
    ),
  )
}

/** A variable that is set to nothing counts as not set. */
const given = (name: string) =>
  Config.option(Config.String(name)).pipe(
    Effect.mapError((error) => cannotStart(`${name} cannot be read: ${error.message}.`)),
    Effect.map(Option.filter((value) => value.trim() !== "")),
  )

const decode = <A>(setting: Setting<A>, value: string): Effect.Effect<A, CannotStart> =>
  Option.match(setting.codec.read(setting.isSecret === true ? value : value.trim()), {
    onSome: Effect.succeed,
    onNone: () => {
      const shown = setting.isSecret === true ? "has a value that does not fit" : `is ${JSON.stringify(value)}`
      return Effect.fail(cannotStart(`${setting.name} ${shown}; allowed is ${setting.codec.allowed}.`))
    },
  })

const withFallback = <A>(setting: Setting<A> & { readonly fallback: string }) =>
  Effect.flatMap(given(setting.name), (value) =>
    decode(
      setting,
      Option.getOrElse(value, () => setting.fallback),
    ),
  )

const withoutFallback = <A>(setting: Setting<A>) =>
  Effect.flatMap(given(setting.name), (value) =>
    Option.isNone(value) ? Effect.succeed(Option.none<A>()) : Effect.asSome(decode(setting, value.value)),
  )

const readAll = Effect.gen(function* () {
  const nodeEnvironment = yield* given("NODE_ENV")
  const production = Option.getOrElse(nodeEnvironment, () => "") === "production"
  const demo = yield* withoutFallback(settings.demo)
  const mailboxSize = yield* withFallback(settings.mailboxSize)
  const batchSizeMax = yield* withFallback(settings.batchSizeMax)
  const batchIsGiven = Option.isSome(yield* given(settings.batchSizeMax.name))
  const values: ConfigurationValues = {
    host: yield* withFallback(settings.host),
    port: yield* withFallback(settings.port),
    metricsHost: yield* withFallback(settings.metricsHost),
    metricsPort: yield* withFallback(settings.metricsPort),
    dataDir: yield* withFallback(settings.dataDir),
    databaseUrl: yield* withoutFallback(settings.databaseUrl),
    redisUrl: yield* withoutFallback(settings.redisUrl),
    adminEmail: yield* withoutFallback(settings.adminEmail),
    adminPassword: yield* withoutFallback(settings.adminPassword),
    tokenSecret: yield* withoutFallback(settings.tokenSecret),
    paymentUrl: yield* withoutFallback(settings.paymentUrl),
    paymentSecret: yield* withoutFallback(settings.paymentSecret),
    demo: Option.getOrElse(demo, () => !production),
    production,
    shards: yield* withFallback(settings.shards),
    mailboxSize,
    // Who only makes the mailbox small has not asked for a batch that does not fit it.
    batchSizeMax: batchIsGiven ? batchSizeMax : Math.min(batchSizeMax, mailboxSize),
    lingerMillis: yield* withFallback(settings.lingerMillis),
    orderDeadlineMillis: yield* withFallback(settings.orderDeadlineMillis),
    reservationTtlMillis: yield* withFallback(settings.reservationTtlMillis),
    offerTtlMillis: yield* withFallback(settings.offerTtlMillis),
    eventsKeptMillis: yield* withFallback(settings.eventsKeptMillis),
    webhookInsecureTargets: Option.getOrElse(yield* withoutFallback(settings.webhookInsecureTargets), () =>
      production ? "off" : "loopback",
    ),
    ordersPerSecond: yield* withoutFallback(settings.ordersPerSecond),
    databaseConnections: yield* withFallback(settings.databaseConnections),
    unsafeDurability: yield* withFallback(settings.unsafeDurability),
    cluster: yield* withFallback(settings.cluster),
    corsOrigins: yield* withFallback(settings.corsOrigins),
    trustedProxies: yield* withFallback(settings.trustedProxies),
    logLevel: yield* withFallback(settings.logLevel),
    logFile: yield* withoutFallback(settings.logFile),
    logFileSizeMaxBytes: yield* withFallback(settings.logFileSizeMaxBytes),
    logFilesMax: yield* withFallback(settings.logFilesMax),
    auditIntervalMillis: yield* withFallback(settings.auditIntervalMillis),
    otlpEndpoint: yield* withoutFallback(settings.otlpEndpoint),
  }
  return values
})

/** What no single setting can say. */
const refuseContradictions = (values: ConfigurationValues): Effect.Effect<void, CannotStart> => {
  const { adminEmail, adminPassword, tokenSecret, batchSizeMax, mailboxSize, paymentSecret, paymentUrl, production } =
    values
  const sentence =
    Option.isSome(adminEmail) !== Option.isSome(adminPassword)
      ? "HEDONIFY_ADMIN_EMAIL and HEDONIFY_ADMIN_PASSWORD go together: set both or neither."
      : production && Option.isNone(tokenSecret)
        ? `HEDONIFY_TOKEN_SECRET is required in production; allowed is ${settings.tokenSecret.codec.allowed}.`
        : production && Option.isSome(paymentUrl) && Option.isNone(paymentSecret)
          ? `HEDONIFY_PAYMENT_SECRET is required in production; allowed is ${settings.paymentSecret.codec.allowed}.`
          : batchSizeMax > mailboxSize
            ? `HEDONIFY_BATCH_SIZE_MAX is ${batchSizeMax}; allowed is at most HEDONIFY_MAILBOX_SIZE, which is ${mailboxSize}.`
            : undefined
  return sentence === undefined ? Effect.void : Effect.fail(cannotStart(sentence))
}

/** The settings of an environment, or the one sentence that says what is wrong with them. */
export const readConfiguration = Effect.fnUntraced(function* (environment: Environment) {
  yield* refuseUnknown(environment)
  const set = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  const provider = ConfigProvider.fromEnv({ env: Object.fromEntries(set) })
  const values = yield* Effect.provideService(readAll, ConfigProvider.ConfigProvider, provider)
  yield* refuseContradictions(values)
  return values
})

export class Configuration extends Context.Service<Configuration, ConfigurationValues>()(
  "hedonify/platform/Configuration",
) {
  /** From an environment made by hand; what it leaves out has its default. */
  static readonly layerOf = (environment: Environment) =>
    Layer.effect(
      Configuration,
      Effect.suspend(() => readConfiguration(environment)),
    )

  /** From the environment of this process. */
  static readonly layer = Configuration.layerOf(process.env)
}

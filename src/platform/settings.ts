/**
 * Every setting of the service: its name in the environment, what it is for, what it allows and what it is when nobody
 * sets it. `.env.example` says the same and a test holds the two together; whatever is not here is refused at the start.
 */
import * as bounds from "../domain/bounds.ts"
import { eventsKeptMaxMillis, eventsKeptMinMillis } from "../events/eventBounds.ts"
import { logLevels } from "./logging/LogControl.ts"
import {
  addressRanges,
  byteSize,
  durationMillis,
  durationMillisOrOff,
  oneOf,
  onOrOff,
  origins,
  secret,
  secretUrl,
  type SettingCodec,
  text,
  wholeNumber,
  wholeNumberOrOff,
} from "./settingCodecs.ts"

export interface Setting<A> {
  readonly name: string
  readonly about: string
  readonly codec: SettingCodec<A>
  /** As it would be written in the environment. Without one the setting is optional. */
  readonly fallback?: string
  readonly isSecret?: true
}

/** Connections for reads; a writer's own connection is not among them. */
const databaseConnectionsDefault = 8
const databaseConnectionsMax = 100
/** The shortest deadline that a commit on a slow disk can still meet. */
const orderDeadlineMinMillis = 100
const reservationTtlMinMillis = 1_000
/** More than one process can place: a limit above it would be none. */
const ordersPerSecondMax = 1_000_000
const tokenSecretLengthMin = 32
const mebibyte = 1024 * 1024
const logFilesMax = 100
/** Each looks at the whole database: often enough to be of use to whoever is called, seldom enough to be no load. */
const auditIntervalMinMillis = 60_000
const auditIntervalMaxMillis = 7 * 24 * 60 * 60_000

const required = <A>(setting: Setting<A> & { readonly fallback: string }) => setting
const optional = <A>(setting: Omit<Setting<A>, "fallback">): Setting<A> => setting

export const settings = {
  host: required({
    name: "HEDONIFY_HOST",
    about: "The address the API listens on.",
    codec: text("a host name or an IP address", /^[\w.:-]+$/),
    fallback: "127.0.0.1",
  }),
  port: required({
    name: "HEDONIFY_PORT",
    about: "The port of the API; 0 picks a free one and prints it.",
    codec: wholeNumber(0, 65_535),
    fallback: "8080",
  }),
  metricsHost: required({
    name: "HEDONIFY_METRICS_HOST",
    about: "The address the metrics are served on.",
    codec: text("a host name or an IP address", /^[\w.:-]+$/),
    fallback: "127.0.0.1",
  }),
  metricsPort: required({
    name: "HEDONIFY_METRICS_PORT",
    about: "The port of the metrics; 0 picks a free one and prints it, off serves none.",
    codec: wholeNumberOrOff(0, 65_535),
    fallback: "9464",
  }),
  dataDir: required({
    name: "HEDONIFY_DATA_DIR",
    about: "Where the embedded PostgreSQL and made secrets are kept.",
    codec: text("a folder"),
    fallback: ".data",
  }),
  databaseUrl: optional({
    name: "DATABASE_URL",
    about: "A PostgreSQL of your own, 15 or newer. Without it the embedded one under the data folder is used.",
    codec: secretUrl("a URL like postgres://user:password@host:5432/database", /^postgres(ql)?:\/\/\S+$/),
    isSecret: true,
  }),
  redisUrl: optional({
    name: "REDIS_URL",
    about: "A Redis for caches and counters that processes share. Without it, or while it is away, each keeps its own.",
    codec: secretUrl("a URL like redis://host:6379", /^rediss?:\/\/\S+$/),
    isSecret: true,
  }),
  adminEmail: optional({
    name: "HEDONIFY_ADMIN_EMAIL",
    about: "The first admin, made once at start; needs the password too.",
    codec: text("an e-mail address", /^[^\s@]+@[^\s@]+$/),
  }),
  adminPassword: optional({
    name: "HEDONIFY_ADMIN_PASSWORD",
    about: "The first admin's password.",
    codec: secret(
      `${bounds.passwordLengthMin} to ${bounds.passwordLengthMax} characters`,
      new RegExp(`^.{${bounds.passwordLengthMin},${bounds.passwordLengthMax}}$`, "su"),
    ),
    isSecret: true,
  }),
  tokenSecret: optional({
    name: "HEDONIFY_TOKEN_SECRET",
    about:
      "What sign-in tokens are signed with. Made and kept under the data folder when unset; required in production.",
    codec: secret(`at least ${tokenSecretLengthMin} characters`, new RegExp(`^\\S{${tokenSecretLengthMin},}$`, "u")),
    isSecret: true,
  }),
  paymentUrl: optional({
    name: "HEDONIFY_PAYMENT_URL",
    about: "The payment provider. Without it payments are simulated in this process, and no money moves.",
    codec: text("a URL like http://127.0.0.1:8090", /^https?:\/\/[^\s?#]+$/),
  }),
  paymentSecret: optional({
    name: "HEDONIFY_PAYMENT_SECRET",
    about:
      "What the payment provider signs its callbacks with. Made and kept under the data folder when unset; required in production with HEDONIFY_PAYMENT_URL.",
    codec: secret("whsec_ and 24 to 64 bytes in base64", /^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/),
    isSecret: true,
  }),
  demo: optional({
    name: "HEDONIFY_DEMO",
    about: "Demo products and accounts in an empty database: on, unless NODE_ENV is production.",
    codec: onOrOff,
  }),
  shards: required({
    name: "HEDONIFY_SHARDS",
    about: "Writers that share the products. Fixed when the database is created.",
    codec: wholeNumber(1, bounds.shardsMax),
    fallback: String(bounds.shardsDefault),
  }),
  mailboxSize: required({
    name: "HEDONIFY_MAILBOX_SIZE",
    about: "Commands that may wait for one shard; past it callers are told to try again.",
    codec: wholeNumber(1, bounds.mailboxSizeMax),
    fallback: String(bounds.mailboxSizeDefault),
  }),
  batchSizeMax: required({
    name: "HEDONIFY_BATCH_SIZE_MAX",
    about: "Commands that one commit may carry; at most the size of the mailbox.",
    codec: wholeNumber(1, bounds.batchSizeMaxMax),
    fallback: String(bounds.batchSizeMaxDefault),
  }),
  lingerMillis: required({
    name: "HEDONIFY_LINGER",
    about: "How long a batch waits for company; 0 commits what is there.",
    codec: durationMillis(0, bounds.lingerMaxMillis),
    fallback: String(bounds.lingerDefaultMillis),
  }),
  orderDeadlineMillis: required({
    name: "HEDONIFY_ORDER_DEADLINE",
    about: "How long an order may wait for its answer.",
    codec: durationMillis(orderDeadlineMinMillis, bounds.orderDeadlineMaxMillis),
    fallback: "5 seconds",
  }),
  reservationTtlMillis: required({
    name: "HEDONIFY_RESERVATION_TTL",
    about: "How long an unpaid order keeps its stock.",
    codec: durationMillis(reservationTtlMinMillis, bounds.reservationTtlMaxMillis),
    fallback: "15 minutes",
  }),
  offerTtlMillis: required({
    name: "HEDONIFY_OFFER_TTL",
    about: "How long stock that came back is kept for whoever was first on the waiting list.",
    codec: durationMillis(reservationTtlMinMillis, bounds.offerTtlMaxMillis),
    fallback: "10 minutes",
  }),
  eventsKeptMillis: required({
    name: "HEDONIFY_EVENTS_KEPT",
    about: "How long events can be read, and deliveries of webhooks that failed for good replayed.",
    codec: durationMillis(eventsKeptMinMillis, eventsKeptMaxMillis),
    fallback: "30 days",
  }),
  webhookInsecureTargets: optional({
    name: "HEDONIFY_WEBHOOK_INSECURE_TARGETS",
    about:
      "Where webhooks may go beside https to public addresses: to this machine, or anywhere. loopback, unless NODE_ENV is production.",
    codec: oneOf({ off: "off", loopback: "loopback", on: "on" } as const, "off, loopback or on"),
  }),
  ordersPerSecond: optional({
    name: "HEDONIFY_ORDERS_PER_SECOND",
    about: "Orders one account may place a second, all at once if it likes. Unlimited when unset.",
    codec: wholeNumber(1, ordersPerSecondMax),
  }),
  databaseConnections: required({
    name: "HEDONIFY_DATABASE_CONNECTIONS",
    about: "Connections to PostgreSQL for reads, beside one a shard for writing.",
    codec: wholeNumber(1, databaseConnectionsMax),
    fallback: String(databaseConnectionsDefault),
  }),
  unsafeDurability: required({
    name: "HEDONIFY_UNSAFE_DURABILITY",
    about: "On accepts a PostgreSQL that may lose confirmed orders.",
    codec: onOrOff,
    fallback: "off",
  }),
  cluster: required({
    name: "HEDONIFY_CLUSTER",
    about: "Several processes on one database. Not available yet.",
    codec: oneOf({ off: false, false: false, "0": false, no: false }, "off (one process serves a database)"),
    fallback: "off",
  }),
  corsOrigins: required({
    name: "HEDONIFY_CORS_ORIGINS",
    about: "Web pages of these origins may call the API from a browser.",
    codec: origins,
    fallback: "",
  }),
  trustedProxies: required({
    name: "HEDONIFY_TRUSTED_PROXIES",
    about: "Proxies whose X-Forwarded-For is believed.",
    codec: addressRanges,
    fallback: "",
  }),
  logLevel: required({
    name: "HEDONIFY_LOG_LEVEL",
    about: "The least important messages that are logged.",
    codec: oneOf(logLevels, "trace, debug, info, warn, error, fatal or none"),
    fallback: "info",
  }),
  logFile: optional({
    name: "HEDONIFY_LOG_FILE",
    about: "Where the log goes beside the standard output.",
    codec: text("a file"),
  }),
  logFileSizeMaxBytes: required({
    name: "HEDONIFY_LOG_FILE_SIZE_MAX",
    about: "How large the log file may grow before another is begun.",
    codec: byteSize(64 * 1024, 1024 * mebibyte),
    fallback: "64 MiB",
  }),
  logFilesMax: required({
    name: "HEDONIFY_LOG_FILES_MAX",
    about: "Log files that are kept, the one being written among them.",
    codec: wholeNumber(1, logFilesMax),
    fallback: "5",
  }),
  auditIntervalMillis: required({
    name: "HEDONIFY_AUDIT_INTERVAL",
    about: "How often the service holds its whole database to the rules of verify by itself.",
    codec: durationMillisOrOff(auditIntervalMinMillis, auditIntervalMaxMillis),
    fallback: "1 hour",
  }),
  otlpEndpoint: optional({
    name: "OTEL_EXPORTER_OTLP_ENDPOINT",
    about: "Where traces go. The other standard OTEL_* names work too.",
    codec: text("a URL like http://127.0.0.1:4318", /^https?:\/\/\S+$/),
  }),
}

/**
 * How to reach PostgreSQL, given or embedded, and the pool that everything but the shards' writers reads through. Must
 * stay true: nobody is answered from a PostgreSQL that may forget a commit, so the start is refused where it is too old
 * or may lose what it confirmed. Writers make connections of their own from the address.
 */
import { PgClient, PgConnection } from "@effect/sql-pg"
import { Context, Duration, Effect, Layer, Option } from "effect"
import { cannotStart } from "./CannotStart.ts"
import { Configuration } from "./Configuration.ts"
import * as EmbeddedPostgres from "./embedded/embeddedPostgres.ts"
import { interruptibleAtOnce } from "./interruptibleAtOnce.ts"

/** PostgreSQL 15 is the oldest that the statements of the inventory were tested on. */
const oldestVersionNumber = 150_000

/** What `/health/ready` may spend on asking. */
const healthCheckMaxMillis = 1_000

/** After these minutes without use a pooled connection is closed. */
const poolIdleMinutes = 5

/** A peer that vanished without a word is noticed after this and ten probes, a second apart. */
const keepAliveSeconds = 30

const durabilitySettings = ["fsync", "full_page_writes", "synchronous_commit"] as const

/** Fails with one sentence where PostgreSQL cannot be reached, is too old, not in UTF-8, or may lose commits. */
export const checkDatabase = Effect.fn("checkDatabase")(function* (
  address: PgConnection.Config,
  options: { readonly unsafeDurability: boolean },
) {
  const { rows } = yield* Effect.scoped(
    Effect.flatMap(PgConnection.make({ ...address, prepare: false }), (connection) =>
      connection.query("SELECT name, setting FROM pg_settings WHERE name = ANY (string_to_array($1, ' '))", [
        ["server_version", "server_version_num", "server_encoding", ...durabilitySettings].join(" "),
      ]),
    ),
  ).pipe(
    Effect.mapError((error) => {
      const { cause } = error.reason
      const reason = cause instanceof Error && cause.message !== "" ? cause.message : error.message
      return cannotStart(`PostgreSQL cannot be reached (${reason}): check DATABASE_URL.`)
    }),
  )
  const settings = new Map(rows.map((row) => [String(row["name"]), String(row["setting"])]))
  if (Number(settings.get("server_version_num")) < oldestVersionNumber) {
    return yield* cannotStart(`PostgreSQL 15 or newer is needed; this one is ${settings.get("server_version")}.`)
  }
  const encoding = settings.get("server_encoding")
  if (encoding !== "UTF8") {
    return yield* cannotStart(
      `The database is in ${encoding}; create it with ENCODING 'UTF8', which names are kept in.`,
    )
  }
  const off = durabilitySettings.find((name) => settings.get(name) === "off")
  if (off !== undefined && !options.unsafeDurability) {
    return yield* cannotStart(
      `PostgreSQL runs with ${off} = off and may lose orders that were confirmed: turn it on, or set HEDONIFY_UNSAFE_DURABILITY=on if losing orders is acceptable.`,
    )
  }
})

/** Complete but for what a caller adds of its own (startupParameters, applicationName). */
export class DatabaseAddress extends Context.Service<DatabaseAddress, PgConnection.Config>()(
  "hedonify/platform/DatabaseAddress",
) {
  /** DATABASE_URL, else the embedded server for as long as the layer lives; checked once. */
  static readonly layer = Layer.effect(
    DatabaseAddress,
    Effect.gen(function* () {
      const { databaseUrl, dataDir, unsafeDurability } = yield* Configuration
      const address: PgConnection.Config = Option.isSome(databaseUrl)
        ? { url: databaseUrl.value, keepAlive: Duration.seconds(keepAliveSeconds) }
        : yield* EmbeddedPostgres.acquire({ dataFolder: dataDir, fsync: true, announce: true })
      yield* checkDatabase(address, { unsafeDurability })
      return address
    }),
  )
}

/** The pooled client for reads, as PgClient and SqlClient. Connections are opened when needed and again when lost. */
const pooledClient = Layer.unwrap(
  Effect.gen(function* () {
    const address = yield* DatabaseAddress
    const { databaseConnections } = yield* Configuration
    return PgClient.layer({
      ...address,
      applicationName: "hedonify",
      maxConnections: databaseConnections,
      idleTimeout: Duration.minutes(poolIdleMinutes),
    })
  }),
)

/** Whether PostgreSQL answers right now: `ok`, or a few words on what is missing. */
export class DatabaseHealth extends Context.Service<DatabaseHealth, { readonly check: Effect.Effect<string> }>()(
  "hedonify/platform/DatabaseHealth",
) {
  static readonly layer = Layer.effect(
    DatabaseHealth,
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      return DatabaseHealth.of({
        check: sql`SELECT 1`.pipe(
          Effect.as("ok"),
          interruptibleAtOnce,
          Effect.timeoutOrElse({
            duration: Duration.millis(healthCheckMaxMillis),
            orElse: () => Effect.succeed(`PostgreSQL did not answer within ${healthCheckMaxMillis} ms`),
          }),
          Effect.catchTag("SqlError", () => Effect.succeed("PostgreSQL cannot be reached")),
        ),
      })
    }),
  )
}

/** All of it: the address for who makes connections of its own, the pool, and the health check. */
export const layer = DatabaseHealth.layer.pipe(
  Layer.provideMerge(Layer.orDie(pooledClient)),
  Layer.provideMerge(DatabaseAddress.layer),
)

/**
 * `hedonify serve`: the composition root's life. Configuration, database, migrations, then the application; told to
 * stop, it goes the same way back: not ready, HTTP drained, actors drained, PostgreSQL stopped. Layers make the order:
 * what is provided to another outlives it.
 */
import { Console, Effect, Layer, Option } from "effect"
import { Command } from "effect/cli"
import { HttpServer } from "effect/http"
import { SqlError } from "effect/sql"
import { Accounts } from "../accounts/Accounts.ts"
import { firstAdminLayer } from "../accounts/firstAdmin.ts"
import { Passwords } from "../accounts/Passwords.ts"
import { Sessions } from "../accounts/Sessions.ts"
import { Tokens } from "../accounts/Tokens.ts"
import { TokenSecret } from "../accounts/TokenSecret.ts"
import { Products } from "../catalogue/Products.ts"
import { StockMovements } from "../catalogue/StockMovements.ts"
import { Events } from "../events/Events.ts"
import { Readiness } from "../http/Readiness.ts"
import { httpLayer } from "../http/server.ts"
import { SingleOwner } from "../inventory/SingleOwner.ts"
import { sellers } from "../merchants/sellers.ts"
import { Instruments } from "../metrics/Instruments.ts"
import { MetricsAddress, scraping } from "../metrics/scraping.ts"
import { payments } from "../payments/layers.ts"
import { CannotStart, cannotStart } from "../platform/CannotStart.ts"
import { Configuration } from "../platform/Configuration.ts"
import * as Database from "../platform/Database.ts"
import * as Logging from "../platform/logging/logging.ts"
import { migrate } from "../platform/migrations.ts"
import { RedisLink } from "../platform/redis/RedisLink.ts"
import * as Telemetry from "../platform/tracing/telemetry.ts"
import { Audit } from "../verification/Audit.ts"
import { webhooks } from "../webhooks/layers.ts"
import { application } from "./application.ts"
import { type Seeded, seededLines, seedWhenEmpty } from "./seed.ts"

/** Signals closer together than this are one: npm passes on a Ctrl-C that the terminal already sent to everybody. */
const secondSignalAfterMillis = 500

const migrated = Layer.effectDiscard(
  Effect.gen(function* () {
    const applied = yield* migrate(yield* Database.DatabaseAddress)
    if (applied.length > 0) yield* Effect.logInfo(`Applied migrations ${applied.join(", ")}`)
  }),
)

const readiness = Layer.unwrap(
  Effect.gen(function* () {
    const database = yield* Database.DatabaseHealth
    const owner = yield* SingleOwner
    const redis = yield* RedisLink
    return Readiness.layer({ database: database.check, shards: owner.check }, () =>
      redis.isAway()
        ? [{ name: "redis", detail: "Redis is away; this process keeps its own counters and caches" }]
        : [],
    )
  }),
)

const people = Layer.mergeAll(sellers, firstAdminLayer).pipe(
  Layer.provideMerge(Layer.mergeAll(Accounts.layer, Sessions.layer)),
  Layer.provide([Passwords.layer, Tokens.layer]),
  Layer.provide(TokenSecret.layer),
)

const announced = (seeded: Option.Option<Seeded>) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { address } = yield* HttpServer.HttpServer
      const metrics = yield* MetricsAddress
      const url = HttpServer.formatAddress(address)
      const lines = [
        "",
        `Hedonify serves ${url}`,
        `  docs     ${url}/docs`,
        ...(Option.isSome(metrics) ? [`  metrics  ${metrics.value}`] : []),
        "  stop     Ctrl-C: answers what it has accepted, then stops",
        "",
        ...(Option.isSome(seeded) ? [...seededLines(seeded.value), ""] : []),
      ]
      yield* Console.log(lines.join("\n"))
    }),
  )

/** The demo shop, where the database is empty and the settings want it; whoever finds the service ready finds it, too. */
const open = Layer.unwrap(Effect.map(seedWhenEmpty, (seeded) => Layer.provide(announced(seeded), httpLayer)))

const audited = Layer.unwrap(Effect.map(Configuration, Audit.layer))

/** Read from the bottom: each line outlives the ones above it. */
const service = open.pipe(
  Layer.provide(scraping),
  Layer.provide(readiness),
  Layer.provide(webhooks),
  Layer.provide([people, Products.layer, StockMovements.layer, Events.layer, audited]),
  Layer.provide(payments),
  Layer.provide(application),
  Layer.provide(migrated),
  Layer.provide(Database.layer),
  Layer.provide([Logging.layer, Telemetry.layer, Instruments.layer]),
  Layer.provide(Configuration.layer),
)

const stopAtOnceWhenToldTwice = Effect.acquireRelease(
  Effect.sync(() => {
    let firstSignalAt = Number.POSITIVE_INFINITY
    const onSignal = () => {
      const now = performance.now()
      if (now - firstSignalAt > secondSignalAfterMillis) process.exit(130)
      firstSignalAt = Math.min(firstSignalAt, now)
    }
    process.on("SIGINT", onSignal).on("SIGTERM", onSignal)
    return onSignal
  }),
  (onSignal) => Effect.sync(() => process.off("SIGINT", onSignal).off("SIGTERM", onSignal)),
)

const run = stopAtOnceWhenToldTwice.pipe(
  Effect.andThen(Layer.launch(service)),
  // What fails while it is put together has one cause that a person can act on: the database or a file.
  Effect.mapError((error) => {
    if (error instanceof CannotStart) return error
    const cause = SqlError.isSqlError(error) ? error.reason.cause : error
    return cannotStart(`Hedonify cannot start: ${cause instanceof Error ? cause.message : String(error)}.`)
  }),
  // Told to stop, it stopped as it should: that is success, whatever the signal was.
  Effect.onInterrupt(() => Effect.sync(() => (process.exitCode = 0))),
  Effect.scoped,
)

export const serveCommand = Command.make("serve", {}, () => run).pipe(
  Command.withDescription("Serve the API; brings its own PostgreSQL unless DATABASE_URL is set"),
)

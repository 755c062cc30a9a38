/**
 * `hedonify serve`: the composition root's life. Configuration, database, migrations, then the application; told to
 * stop, it goes the same way back: not ready, HTTP drained, actors drained, PostgreSQL stopped. Layers make the order:
 * what is provided to another outlives it.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Console, Duration, Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { cannotStart } from "../platform/CannotStart.ts"
import { Configuration } from "../platform/Configuration.ts"
import * as Database from "../platform/Database.ts"
import { migrate } from "../platform/migrations.ts"

/** Signals closer together than this are one: npm passes on a Ctrl-C that the terminal already sent to everybody. */
const secondSignalAfterMillis = 500

const drainMaxSeconds = 10

const migrated = Layer.effectDiscard(
  Effect.gen(function* () {
    const applied = yield* migrate(yield* Database.DatabaseAddress)
    if (applied.length > 0) yield* Effect.logInfo(`applied migrations ${applied.join(", ")}`)
  }),
)

const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/health/live", HttpServerResponse.jsonUnsafe({ status: "ok" })),
  HttpRouter.add(
    "GET",
    "/health/ready",
    Effect.gen(function* () {
      const health = yield* Database.DatabaseHealth
      const database = yield* health.check
      const ready = database === "ok"
      return HttpServerResponse.jsonUnsafe({ status: ready ? "ok" : database }, { status: ready ? 200 : 503 })
    }),
  ),
)

const server = Layer.unwrap(
  Effect.map(Configuration, ({ host, port }) =>
    NodeHttpServer.layer(() => createServer(), {
      host,
      port,
      gracefulShutdownTimeout: Duration.seconds(drainMaxSeconds),
    }),
  ),
)

const announced = Layer.effectDiscard(
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    const url = HttpServer.formatAddress(address)
    yield* Console.log(
      `Hedonify serves ${url}\n  docs  ${url}/docs\n  stop  Ctrl-C (drains first; twice stops at once)`,
    )
  }),
)

const application = announced.pipe(
  Layer.provideMerge(HttpRouter.serve(routes, { disableListenLog: true, disableLogger: true })),
  Layer.provide(server),
  Layer.provide(migrated),
  Layer.provide(Database.layer),
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
  Effect.andThen(Layer.launch(application)),
  Effect.catchTag("ServeError", ({ cause }) =>
    Effect.fail(cannotStart(`The API cannot be served: ${cause instanceof Error ? cause.message : "no reason given"}.`)),
  ),
  // Told to stop, it stopped as it should: that is success, whatever the signal was.
  Effect.onInterrupt(() => Effect.sync(() => (process.exitCode = 0))),
  Effect.scoped,
)

export const serveCommand = Command.make("serve", {}, () => run).pipe(
  Command.withDescription("Serve the API; brings its own PostgreSQL unless DATABASE_URL is set"),
)

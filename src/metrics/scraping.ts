/**
 * The metrics over HTTP, on a port of their own, so that what an operator reads is never on the shop's address and a
 * scrape does not wait behind a crowd.
 *
 * Must stay true: nothing but `/metrics` is answered; a scrape changes nothing and is never cached.
 */
import { Context, Effect, Layer, Option, Semaphore } from "effect"
import { createServer, type RequestListener as NodeListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { Counter } from "prom-client"
import { Inventory } from "../inventory/Inventory.ts"
import { PaymentGateway } from "../payments/PaymentGateway.ts"
import { type CannotStart, cannotStart } from "../platform/CannotStart.ts"
import { Configuration } from "../platform/Configuration.ts"
import { CurrentLogControl } from "../platform/logging/LogControl.ts"
import { RedisLink } from "../platform/redis/RedisLink.ts"
import { Audit, violatedRules } from "../verification/Audit.ts"
import { makeBooks } from "./books.ts"
import { Instruments } from "./Instruments.ts"

const connectionsMax = 32
const requestMaxMillis = 10_000

/** Everything as it is now, in the format that is asked for. */
const makeScrape = Effect.gen(function* () {
  const instruments = yield* Instruments
  const inventory = yield* Inventory
  const gateway = yield* PaymentGateway
  const redis = yield* RedisLink
  const audit = yield* Audit
  const log = yield* CurrentLogControl
  const { mailboxSize, redisUrl } = yield* Configuration
  const { counter, gauge, hot, open, plain, readCounts } = instruments
  const books = yield* makeBooks(instruments)
  const depth = gauge("hedonify_mailbox_depth", "Commands that wait", ["shard"])
  const batches = counter("hedonify_batches_total", "Batches", ["shard"])
  const commands = counter("hedonify_shard_commands_total", "Commands taken by a shard's writer", ["shard"])
  const held = gauge("hedonify_lease_held", "Whether this process may write the shard", ["shard"])
  const epoch = gauge("hedonify_lease_epoch", "The lease's epoch", ["shard"])
  const batch = gauge("hedonify_lease_batch", "The lease's batch number", ["shard"])
  const available = gauge("hedonify_stock_available_units", "Units on the shelf", ["product_id"])
  const stocked = gauge("hedonify_stock_stocked_units", "Units ever stocked", ["product_id"])
  const info = gauge("hedonify_product_info", "Names of the products that sell most", ["product_id", "name"])
  const circuit = gauge("hedonify_payment_circuit_open", "Whether the payment provider is not called")
  gauge("hedonify_mailbox_capacity", "What a mailbox holds at most").set(mailboxSize)
  const broken = gauge("hedonify_verify_failed_rules", "Rules that the last audit found broken")
  const auditedAt = gauge("hedonify_verify_last_seconds", "When the last audit ended, in Unix seconds")
  const redisUp = Option.isSome(redisUrl) ? gauge("hedonify_redis_up", "Whether Redis answers") : null

  const look = Effect.gen(function* () {
    for (const each of [batches, commands, available, stocked, info]) each.reset()
    for (const status of inventory.statuses()) {
      const shard = { shard: status.shard }
      batches.inc(shard, status.batches)
      commands.inc(shard, status.commands)
      depth.set(shard, status.mailboxDepth)
      held.set(shard, status.lease === null ? 0 : 1)
      if (status.lease === null) continue
      epoch.set(shard, status.lease.epoch)
      batch.set(shard, status.lease.batch)
    }
    const { hot: hottest, others } = hot.among(inventory.products())
    for (const product of hottest) {
      available.set({ product_id: product.productId }, product.available)
      stocked.set({ product_id: product.productId }, product.stocked)
      info.set({ product_id: product.productId, name: product.name }, 1)
    }
    available.set({ product_id: "other" }, others.available)
    stocked.set({ product_id: "other" }, others.stocked)
    circuit.set((yield* gateway.isShut) ? 1 : 0)
    redisUp?.set(redis.isUp() ? 1 : 0)
    const found = audit.state()
    broken.set(violatedRules(found).length)
    auditedAt.set((found.last?.endedAtMillis ?? 0) / 1000)
    readCounts(log.counts)
    yield* books
  })
  const oneAtATime = yield* Semaphore.make(1)
  return (accept: string) =>
    Effect.gen(function* () {
      yield* look
      if (accept.includes("application/openmetrics-text")) {
        return { text: yield* Effect.promise(() => open.metrics()), contentType: open.contentType }
      }
      // Writing OpenMetrics takes the ending of every counter's name, and leaves it so for the other format.
      for (const metric of plain.getMetricsAsArray()) {
        if (metric instanceof Counter && !metric.name.endsWith("_total")) metric.name += "_total"
      }
      return { text: yield* Effect.promise(() => plain.metrics()), contentType: plain.contentType }
    }).pipe(oneAtATime.withPermits(1))
})

const serve = Effect.fnUntraced(function* (host: string, port: number) {
  const scrape = yield* makeScrape
  const run = Effect.runForkWith(yield* Effect.context())
  const listener: NodeListener = (request, response) => {
    const path = request.url?.split("?", 1)[0]
    if (path !== "/metrics") return response.writeHead(404).end()
    if (request.method !== "GET" && request.method !== "HEAD") {
      return response.writeHead(405, { allow: "GET, HEAD" }).end()
    }
    run(
      Effect.matchCause(scrape(request.headers.accept ?? ""), {
        onSuccess: ({ contentType, text }) => {
          response.writeHead(200, { "content-type": contentType, "cache-control": "no-store" })
          response.end(request.method === "HEAD" ? undefined : text)
        },
        onFailure: () => void response.writeHead(500).end(),
      }),
    )
    return response
  }
  const server = yield* Effect.acquireRelease(
    Effect.callback<Server, CannotStart>((resume) => {
      const made = createServer({ requestTimeout: requestMaxMillis, headersTimeout: requestMaxMillis }, listener)
      made.maxConnections = connectionsMax
      made.once("error", (error) =>
        resume(
          Effect.fail(
            cannotStart(
              `The metrics cannot listen on ${host}:${port} (${error.message}): free it, or set HEDONIFY_METRICS_PORT.`,
            ),
          ),
        ),
      )
      made.listen(port, host, () => resume(Effect.succeed(made)))
    }),
    (made) =>
      Effect.sync(() => {
        made.close()
        made.closeAllConnections()
      }),
  )
  return (server.address() as AddressInfo).port
})

/** Where the metrics are served, or that they are not. */
export class MetricsAddress extends Context.Service<MetricsAddress, Option.Option<string>>()(
  "hedonify/metrics/MetricsAddress",
) {}

/** Serves the metrics while the layer lives, and says where. */
export const scraping = Layer.effect(
  MetricsAddress,
  Effect.gen(function* () {
    const { metricsHost: host, metricsPort } = yield* Configuration
    if (metricsPort === "off") return Option.none()
    const port = yield* serve(host, metricsPort)
    return Option.some(`http://${host.includes(":") ? `[${host}]` : host}:${port}/metrics`)
  }),
)

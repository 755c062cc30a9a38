/**
 * The instruments that this process counts and measures with, and what it listens by: one registry a service, in both
 * formats that scrapers ask for. `observability/signals.md` says what each name tells.
 *
 * Must stay true: every label has a fixed set of values or a bound, and none comes from a caller; what is called on an
 * order's way does no more than add to numbers.
 *
 * Effect's own metrics have no exemplars, in their registry or in their Prometheus text; prom-client has both.
 */
import { Context, Effect, Layer } from "effect"
import {
  collectDefaultMetrics,
  Counter,
  Gauge,
  Histogram,
  type OpenMetricsContentType,
  type PrometheusContentType,
  Registry,
} from "prom-client"
import manifest from "../../package.json" with { type: "json" }
import { RequestListener } from "../http/requestSpan.ts"
import { InventoryListener } from "../inventory/InventoryListener.ts"
import { GatewayListener } from "../payments/PaymentGateway.ts"
import type { LogCounts } from "../platform/logging/LogControl.ts"
import { spansDropped } from "../platform/tracing/exporting.ts"
import { RelayListener } from "../webhooks/Relay.ts"
import { makeHotProducts } from "./hotProducts.ts"

const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const sizeBuckets = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]

const makeInstruments = () => {
  const plain = new Registry<PrometheusContentType>()
  const open = new Registry<OpenMetricsContentType>()
  open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const registers = [plain, open] as const
  const own = <Label extends string>(name: string, help: string, labelNames: ReadonlyArray<Label> = []) => ({
    name,
    help,
    labelNames: [...labelNames],
    registers: [...registers],
  })
  const counter = <Label extends string>(name: string, help: string, labels: ReadonlyArray<Label> = []) =>
    new Counter(own(name, help, labels))
  const gauge = <Label extends string>(name: string, help: string, labels: ReadonlyArray<Label> = []) =>
    new Gauge(own(name, help, labels))
  const histogram = <Label extends string>(
    name: string,
    help: string,
    buckets: ReadonlyArray<number>,
    labels: ReadonlyArray<Label> = [],
  ) => new Histogram({ ...own(name, help, labels), buckets: [...buckets] })
  /** With the trace of one observation in each bucket, which the plain format leaves out. */
  const traced = <Label extends string>(name: string, help: string, labels: ReadonlyArray<Label>) => {
    const options = { ...own(name, help, labels), registers: [open], buckets: requestBuckets, enableExemplars: true }
    const made = new Histogram(options)
    plain.registerMetric(made)
    return made
  }

  for (const register of registers) collectDefaultMetrics({ register })
  gauge("hedonify_build_info", "This build, always 1", ["version", "node"]).set(
    { version: manifest.version, node: process.version },
    1,
  )

  const requests = traced("http_server_request_duration_seconds", "Answered requests", [
    "http_request_method",
    "http_route",
    "http_response_status_code",
  ])
  const active = gauge("http_server_active_requests", "Requests being answered now")
  const orders = counter("hedonify_orders_total", "Orders asked for", ["outcome", "reason"])
  const orderSeconds = traced("hedonify_order_duration_seconds", "From the order service to its answer", ["outcome"])
  const unitsSold = counter("hedonify_units_sold_total", "Units in accepted orders")
  const transitions = counter("hedonify_order_transitions_total", "Orders that got this status", ["to"])
  const waits = histogram("hedonify_mailbox_wait_seconds", "From the mailbox to the batch", requestBuckets)
  const batchSizes = histogram("hedonify_batch_size", "Commands a batch", sizeBuckets)
  const batchSeconds = histogram("hedonify_batch_duration_seconds", "Batches, from taken to answered", requestBuckets)
  const commitSeconds = histogram("hedonify_commit_duration_seconds", "Commit statements, settled", requestBuckets)
  const commands = counter("hedonify_commands_total", "Commands that were decided", ["command", "outcome"])
  const full = counter("hedonify_commands_refused_full_total", "Commands refused by a full mailbox", ["shard"])
  const late = counter("hedonify_commands_late_total", "Commands that waited past their deadline", ["shard"])
  const again = counter("hedonify_plans_again_total", "Batches that were planned more than once", ["reason"])
  const fences = counter("hedonify_fences_total", "Leases that another writer took", ["shard"])
  const unknown = counter("hedonify_commit_outcomes_unknown_total", "Commits of unknown outcome", ["settled_as"])
  const payments = counter("hedonify_payments_total", "Payments that got this status", ["result"])
  const gatewaySeconds = histogram(
    "hedonify_payment_gateway_duration_seconds",
    "Calls of the payment provider",
    requestBuckets,
    ["operation", "result"],
  )
  const offersMade = counter("hedonify_offers_made_total", "Offers made to those who wait")
  const attempts = counter("hedonify_webhook_attempts_total", "Attempts to deliver to a webhook", ["result"])
  const attemptSeconds = histogram("hedonify_webhook_duration_seconds", "One attempt", requestBuckets)
  const lost = counter("hedonify_telemetry_dropped_total", "Spans and lines that were lost", ["signal", "reason"])
  const lines = counter("hedonify_log_lines_total", "Log lines written", ["level"])
  const hot = makeHotProducts()

  const inventory: InventoryListener = {
    refusedFull: (shard) => full.inc({ shard }),
    late: (shard) => late.inc({ shard }),
    waited: (seconds) => waits.observe(seconds),
    batched: (size, seconds) => {
      batchSizes.observe(size)
      batchSeconds.observe(seconds)
    },
    decided: (command, outcome) => commands.inc({ command, outcome }),
    committed: (seconds) => commitSeconds.observe(seconds),
    applied: (write, result) => {
      const placed = write.orders.length - result.unplaced.length
      if (placed > 0) transitions.inc({ to: "reserved" }, placed)
      if (write.endings.length > 0) {
        const unended = new Set(result.unended)
        for (const { orderId, status } of write.endings) if (!unended.has(orderId)) transitions.inc({ to: status })
      }
      for (const { status } of result.payments) payments.inc({ result: status })
      const made = write.offers.length - result.unoffered.length
      if (made > 0) offersMade.inc(made)
    },
    plannedAgain: (reason) => again.inc({ reason }),
    settledUnknown: (as) => unknown.inc({ settled_as: as }),
    fenced: (shard) => fences.inc({ shard }),
    asked: ({ outcome, reason, seconds, sold, traceId }) => {
      orders.inc({ outcome, reason })
      orderSeconds.observe({ labels: { outcome }, value: seconds, exemplarLabels: exemplar(traceId) })
      if (outcome !== "accepted") return
      let units = 0
      for (const { productId, quantity } of sold) {
        units += quantity
        hot.sold(productId, quantity)
      }
      unitsSold.inc(units)
    },
  }
  const http: RequestListener = {
    began: () => active.inc(),
    answered: ({ method, route, seconds, status, traceId }) => {
      active.dec()
      const labels = {
        http_request_method: methods.has(method) ? method : "_OTHER",
        http_route: route,
        http_response_status_code: status,
      }
      requests.observe({ labels, value: seconds, exemplarLabels: exemplar(traceId) })
    },
  }
  const gateway: GatewayListener = {
    called: (operation, isAnswered, seconds) =>
      gatewaySeconds.observe({ operation, result: isAnswered ? "ok" : "error" }, seconds),
  }
  const relay: RelayListener = {
    attempted: (isDelivered, seconds) => {
      attempts.inc({ result: isDelivered ? "delivered" : "failed" })
      attemptSeconds.observe(seconds)
    },
  }
  /** What is counted elsewhere and read when somebody looks. */
  const readCounts = ({ dropped, written }: LogCounts): void => {
    for (const counted of [lost, lines]) counted.reset()
    for (const [reason, count] of spansDropped) lost.inc({ signal: "spans", reason }, count)
    for (const [reason, byLevel] of Object.entries(dropped)) {
      lost.inc(
        { signal: "logs", reason },
        Object.values(byLevel).reduce((sum, count) => sum + count, 0),
      )
    }
    for (const [level, count] of Object.entries(written)) lines.inc({ level }, count)
  }
  return { plain, open, counter, gauge, listeners: { inventory, http, gateway, relay }, hot, readCounts }
}

/** A request may call itself anything; OpenTelemetry's word for what is none of these. */
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

/** What Grafana looks for in an exemplar. prom-client's types want the histogram's own labels there. */
const exemplar = (traceId: string | null): object => (traceId === null ? noExemplar : { trace_id: traceId })
const noExemplar = {}

export class Instruments extends Context.Service<Instruments, ReturnType<typeof makeInstruments>>()(
  "hedonify/metrics/Instruments",
) {
  /** With everybody's listeners: provided to the service, it is measured. */
  static readonly layer = Layer.unwrap(
    Effect.sync(() => {
      const instruments = makeInstruments()
      const { gateway, http, inventory, relay } = instruments.listeners
      return Layer.mergeAll(
        Layer.succeed(Instruments, instruments),
        Layer.succeed(InventoryListener, inventory),
        Layer.succeed(RequestListener, http),
        Layer.succeed(GatewayListener, gateway),
        Layer.succeed(RelayListener, relay),
      )
    }),
  )
}

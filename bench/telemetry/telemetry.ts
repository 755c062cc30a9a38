/**
 * `telemetry`: what it costs to be seen. The same orders over HTTP with tracing off, at the default share and at 1.0,
 * and how much log an order makes. Must stay true: each service has a database of its own on a server of its own, only
 * one is loaded at a time, in turn, and each writes its log to a file as it would anywhere.
 */
import { Console, Context, Effect, FileSystem, Layer } from "effect"
import { BenchDatabase, benchDatabase } from "../benchDatabase.ts"
import { startLoad, startServer } from "../http/processes.ts"
import { openShop, shopSettings, verifySold } from "../http/shop.ts"
import { loadWith, orderOf, rates, type Target } from "../http/target.ts"
import { compare, publish, serverFacts } from "../report.ts"
import { median } from "../statistics.ts"

const connections = 256
const roundSeconds = 2
const warmUpSeconds = 3
const roundsDefault = 5
const defaultShareBar = 0.95
/** What every trace may cost: shown, and no goal. */
const everyTraceBar = 0.5

const startService = Effect.fnUntraced(function* (name: string, settings: Readonly<Record<string, string>>) {
  const files = yield* FileSystem.FileSystem
  const database = Context.get(yield* Layer.build(Layer.fresh(BenchDatabase.layer)), BenchDatabase)
  const logFile = `${yield* files.makeTempDirectoryScoped({ prefix: "hedonify-bench-log-" })}/log`
  const port = yield* startServer("src/main.ts", {
    arguments: ["serve"],
    settings: { ...database.settings, ...shopSettings, HEDONIFY_LOG_FILE: logFile, ...settings },
  })
  const shop = yield* openShop(port)
  const job = { port, paths: ["/v1/orders"], body: orderOf(shop.productId), tokens: shop.tokens, connections }
  const target: Target = { name, job, status: "201", rounds: [], answered: 0 }
  return { logFile, shop, target }
})

const measure = Effect.fnUntraced(function* (roundCount: number) {
  const files = yield* FileSystem.FileSystem
  const collector = yield* startServer("bench/telemetry/collector.ts")
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector}` }
  const off = yield* startService("tracing off", {})
  const share = yield* startService("default share", traced)
  const every = yield* startService("every trace", { ...traced, OTEL_TRACES_SAMPLER_ARG: "1" })
  const services = [off, share, every]
  const load = loadWith(yield* startLoad)
  yield* Console.log("telemetry: warming up")
  for (const { target } of services) yield* load(target, warmUpSeconds)
  for (let round = 1; round <= roundCount; round++) {
    yield* Console.log(`telemetry: round ${round} of ${roundCount}`)
    for (const { target } of services) target.rounds.push(yield* load(target, roundSeconds))
  }
  for (const { shop, target } of services) yield* verifySold(shop, target.answered)
  const logNotes = Effect.fnUntraced(function* ({ logFile, target }: (typeof services)[number]) {
    const log = yield* files.readFileString(logFile)
    const lines = log.split("\n").length - 1
    const per = (count: number) => (count / target.answered).toFixed(2)
    const latency = median(target.rounds.map((round) => round.latenciesMillis.p99)).toFixed(1)
    return `p99 ${latency} ms; log an order: ${per(lines)} lines, ${per(Buffer.byteLength(log))} bytes`
  })
  yield* publish({
    name: "telemetry",
    unit: `orders/s at ${connections} connections`,
    rows: yield* Effect.forEach(services, (service) =>
      Effect.map(logNotes(service), (notes) => ({ name: service.target.name, values: rates(service.target), notes })),
    ),
    comparisons: [
      compare("default share / tracing off", rates(share.target), rates(off.target), defaultShareBar),
      compare("every trace / tracing off", rates(every.target), rates(off.target), everyTraceBar),
    ],
    checks: services.map(
      ({ target: { answered, name } }) => `${name}: ${answered.toLocaleString("en")} answers 201 = units gone`,
    ),
    server: yield* serverFacts,
  })
})

export const telemetry = (rounds: number = roundsDefault) =>
  measure(rounds).pipe(Effect.scoped, Effect.provide(benchDatabase))

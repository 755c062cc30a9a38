/**
 * `latency`: what one order costs one client that waits for it, in process and over HTTP, against one bare transaction
 * that writes the same rows: a single prepared statement, the least that any service on PostgreSQL would have to send.
 * Must stay true: only one of them runs at a time, in turn, so that each has the disk and both processors to itself.
 */
import { Clock, Console, Effect, Layer } from "effect"
import { randomBytes } from "node:crypto"
import { orderDeadlineDefaultMillis, shardsDefault } from "../src/domain/bounds.ts"
import * as PostgresShardStore from "../src/inventory/store/PostgresShardStore.ts"
import * as ShardActor from "../src/inventory/shard/ShardActor.ts"
import { ShardStore } from "../src/inventory/store/ShardStore.ts"
import { WriterConnections } from "../src/inventory/store/writerConnections.ts"
import { makeMerchant, makeProduct, makeShards, reserve } from "../test/inventory/fixtures.ts"
import { BenchDatabase, benchDatabase } from "./benchDatabase.ts"
import { settings } from "./hotProduct/ours.ts"
import { conditionalUpdate, makeEventTable } from "./hotProduct/rivals.ts"
import { timed, unitsStocked } from "./hotProduct/strategy.ts"
import { startLoad, startServer } from "./http/processes.ts"
import { openShop, shopSettings, verifySold } from "./http/shop.ts"
import { compare, publish, serverFacts } from "./report.ts"
import { median } from "./statistics.ts"

const roundsDefault = 5
const roundSeconds = 1
const bar = 2.5
/** A shard the service does not know of, and so leaves alone. */
const ownShard = shardsDefault

/** One order after the other for a round; the median in milliseconds. */
const medianMillis = Effect.fnUntraced(function* <E>(placeOne: Effect.Effect<unknown, E>) {
  const latencies: Array<number> = []
  let spent = 0
  while (spent < roundSeconds) {
    const seconds = yield* timed(placeOne)
    spent += seconds
    latencies.push(seconds * 1000)
  }
  return median(latencies)
})

const makeInProcess = Effect.gen(function* () {
  const store = yield* ShardStore
  yield* makeShards(ownShard + 1)
  const productId = yield* makeProduct(yield* makeMerchant(), unitsStocked, { shard: ownShard })
  const actor = yield* ShardActor.make(ownShard, store, settings, () => {})
  const lease = (yield* store.acquire([ownShard], "bench")).get(ownShard)
  if (lease === undefined) return yield* Effect.die("the shard has no lease")
  actor.grant(lease)
  return Effect.suspend(() => {
    const command = reserve([[productId, 1]])
    return Effect.flatMap(Clock.currentTimeMillis, (now) => actor.submit(command, now + orderDeadlineDefaultMillis))
  })
})

const makeBare = Effect.gen(function* () {
  yield* makeEventTable
  const productId = yield* makeProduct(yield* makeMerchant(), unitsStocked)
  const connection = yield* Effect.flatMap(WriterConnections, ({ open }) => open)
  return Effect.suspend(() => conditionalUpdate(connection, reserve([[productId, 1]]), productId))
})

const makeOverHttp = Effect.gen(function* () {
  const database = yield* BenchDatabase
  const port = yield* startServer("src/main.ts", {
    arguments: ["serve"],
    settings: { ...database.settings, ...shopSettings },
  })
  const shop = yield* openShop(port)
  const send = yield* startLoad
  const body = JSON.stringify({ lines: [{ productId: shop.productId, quantity: 1 }] })
  let placed = 0
  const round = Effect.gen(function* () {
    const keyPrefix = randomBytes(6).toString("hex")
    const job = { port, paths: ["/v1/orders"], body, tokens: shop.tokens.slice(0, 1), connections: 1 }
    const { answers, latenciesMillis } = yield* send({ ...job, keyPrefix, seconds: roundSeconds })
    if (Object.keys(answers).join() !== "201") return yield* Effect.die(`answers were ${JSON.stringify(answers)}`)
    placed += answers["201"] ?? 0
    return latenciesMillis.median
  })
  return { round, verify: Effect.suspend(() => verifySold(shop, placed)) }
})

const measure = Effect.fnUntraced(function* (rounds: number) {
  const overHttp = yield* makeOverHttp
  const sides = [
    { name: "one bare transaction", round: medianMillis(yield* makeBare), values: [] as Array<number> },
    { name: "hedonify, in process", round: medianMillis(yield* makeInProcess), values: [] as Array<number> },
    { name: "hedonify, over HTTP", round: overHttp.round, values: [] as Array<number> },
  ] as const
  yield* Console.log("latency: warming up")
  for (const { round } of sides) yield* round
  for (let round = 1; round <= rounds; round++) {
    yield* Console.log(`latency: round ${round} of ${rounds}`)
    for (const side of sides) side.values.push(yield* side.round)
  }
  yield* overHttp.verify
  const [bare, inProcess, http] = sides
  yield* publish({
    name: "latency",
    unit: "ms for one order of one client",
    rows: sides.map(({ name, values }) => ({ name, values, notes: "median of a round" })),
    comparisons: [
      compare("in process / one bare transaction", inProcess.values, bare.values, bar, "lower"),
      compare("over HTTP / one bare transaction", http.values, bare.values, bar, "lower"),
    ],
    checks: ["stock checked: answers 201 = units gone"],
    server: yield* serverFacts,
  })
})

const layer = PostgresShardStore.layerNoDeps.pipe(
  Layer.provideMerge(WriterConnections.layer),
  Layer.provideMerge(benchDatabase),
)

export const latency = (rounds: number = roundsDefault) => measure(rounds).pipe(Effect.scoped, Effect.provide(layer))

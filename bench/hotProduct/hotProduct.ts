/**
 * `hot-product`: how many durable orders a second one product can sell, as ratios in one run. Hedonify at three numbers
 * of callers, PostgreSQL alone at the batch sizes that resulted, and the best of two per-order strategies at its own
 * best concurrency. Must stay true: rounds alternate between all of them, so that what drifts (tables that grow, a busy
 * neighbour) meets each alike; every strategy's books are checked before a number is printed.
 */
import { Console, Effect, Layer } from "effect"
import * as PostgresShardStore from "../../src/inventory/store/PostgresShardStore.ts"
import { WriterConnections } from "../../src/inventory/store/writerConnections.ts"
import { makeMerchant, makeProduct, makeShards } from "../../test/inventory/fixtures.ts"
import { benchDatabase } from "../benchDatabase.ts"
import { compare, publish, serverFacts } from "../report.ts"
import { median } from "../statistics.ts"
import { makeDatabaseAlone } from "./databaseAlone.ts"
import { makeOurs } from "./ours.ts"
import { conditionalUpdate, makeEventTable, makeRival, rowLock } from "./rivals.ts"
import { ordersPerSecond, type Round, type Strategy, unitsStocked, verifyBooks } from "./strategy.ts"

const callerCounts = [64, 256, 1024] as const
const rivalConcurrencies = [4, 16, 64] as const
const roundSeconds = 0.8
const roundsDefault = 5
/** Enough for the code to be compiled and the connections to have their plans. */
const warmUpOrders = { ours: 20_000, rival: 300 } as const
const bars = { databaseAlone: 0.5, bestRival: 10 } as const

/** A strategy and the rounds that count. */
class Contestant {
  readonly strategy: Strategy
  readonly rounds: Array<Round> = []
  answered = 0
  last: Round | undefined
  constructor(strategy: Strategy) {
    this.strategy = strategy
  }
  get rates(): ReadonlyArray<number> {
    return this.rounds.map(ordersPerSecond)
  }
  get batchSize(): number {
    return Math.round(median(this.rounds.map((round) => round.batchSize)))
  }
}

const run = (contestant: Contestant, orders: number) =>
  Effect.map(contestant.strategy.round(orders), (round) => {
    contestant.answered += round.orders
    contestant.last = round
    return round
  })

/** As many orders as should take a round, by the rate of the round before. */
const runRound = Effect.fnUntraced(function* (contestant: Contestant) {
  const rate = contestant.last === undefined ? 1000 : ordersPerSecond(contestant.last)
  contestant.rounds.push(yield* run(contestant, Math.ceil(rate * roundSeconds)))
})

const makeRivals = Effect.gen(function* () {
  const { open } = yield* WriterConnections
  const merchant = yield* makeMerchant()
  const connections = yield* Effect.all(Array.from({ length: Math.max(...rivalConcurrencies) }, () => open))
  const rivals: Array<Contestant> = []
  for (const [name, place] of [
    ["conditional UPDATE", conditionalUpdate],
    ["SELECT FOR UPDATE", rowLock],
  ] as const) {
    const productId = yield* makeProduct(merchant, unitsStocked)
    for (const concurrency of rivalConcurrencies) {
      rivals.push(new Contestant(makeRival(name, place, productId, connections.slice(0, concurrency))))
    }
  }
  return rivals
})

/** Each rival warmed up and measured once at each concurrency: the best stays, and the others' orders count as its own. */
const bestOf = Effect.fnUntraced(function* (rivals: ReadonlyArray<Contestant>) {
  const best = new Map<string, Contestant>()
  const answered = new Map<string, number>()
  for (const rival of rivals) {
    yield* run(rival, warmUpOrders.rival)
    yield* run(rival, Math.ceil((rival.last === undefined ? 300 : ordersPerSecond(rival.last)) * roundSeconds))
    const { productId } = rival.strategy
    answered.set(productId, (answered.get(productId) ?? 0) + rival.answered)
    const current = best.get(productId)
    if (rate(rival) > rate(current)) best.set(productId, rival)
  }
  for (const [productId, rival] of best) rival.answered = answered.get(productId) ?? 0
  return [...best.values()]
})

const rate = (contestant: Contestant | undefined): number =>
  contestant?.last === undefined ? 0 : ordersPerSecond(contestant.last)

const makePairs = Effect.gen(function* () {
  const merchant = yield* makeMerchant()
  yield* makeShards(callerCounts.length * 2)
  const pairs: Array<{ readonly ours: Contestant; readonly alone: Contestant }> = []
  for (const [at, callers] of callerCounts.entries()) {
    const shard = at * 2
    const ours = new Contestant(yield* makeOurs(shard, yield* makeProduct(merchant, unitsStocked, { shard }), callers))
    const name = `PostgreSQL alone, as with ${callers} callers`
    const product = yield* makeProduct(merchant, unitsStocked, { shard: shard + 1 })
    const alone = yield* makeDatabaseAlone(shard + 1, product, name, () => ours.last?.batchSize ?? callers)
    pairs.push({ ours, alone: new Contestant(alone) })
  }
  return pairs
})

const measure = Effect.fnUntraced(function* (rounds: number) {
  yield* makeEventTable
  const pairs = yield* makePairs
  yield* Console.log("hot-product: warming up, and looking for each rival's best concurrency")
  for (const { alone, ours } of [...pairs, ...pairs]) {
    yield* run(ours, warmUpOrders.ours)
    yield* run(alone, warmUpOrders.ours)
  }
  const rivals = yield* bestOf(yield* makeRivals)
  const contestants = [...pairs.flatMap(({ alone, ours }) => [ours, alone]), ...rivals]
  for (let round = 1; round <= rounds; round++) {
    yield* Console.log(`hot-product: round ${round} of ${rounds}`)
    for (const contestant of contestants) yield* runRound(contestant)
  }
  for (const { answered, strategy } of contestants) yield* verifyBooks(strategy, answered)

  const bestRival = rivals.toSorted((left, right) => median(right.rates) - median(left.rates))[0]
  const bestPair = pairs.toSorted((left, right) => median(right.ours.rates) - median(left.ours.rates))[0]
  yield* publish({
    name: "hot-product",
    unit: "orders/s",
    rows: contestants.map((contestant) => ({
      name: contestant.strategy.name,
      values: contestant.rates,
      notes: contestant.batchSize === 1 ? "one a commit" : `median batch ${contestant.batchSize}`,
    })),
    comparisons: [
      ...pairs.map(({ alone, ours }) =>
        compare(`${ours.strategy.name} / PostgreSQL alone`, ours.rates, alone.rates, bars.databaseAlone),
      ),
      ...(bestRival === undefined || bestPair === undefined
        ? []
        : [
            compare(
              `${bestPair.ours.strategy.name} / ${bestRival.strategy.name}`,
              bestPair.ours.rates,
              bestRival.rates,
              bars.bestRival,
            ),
          ]),
    ],
    checks: [
      `books checked for each strategy: ${contestants.reduce((sum, { answered }) => sum + answered, 0).toLocaleString("en")} orders answered = orders = lines = units taken from stock`,
    ],
    server: yield* serverFacts,
  })
})

const layer = PostgresShardStore.layerNoDeps.pipe(
  Layer.provideMerge(WriterConnections.layer),
  Layer.provideMerge(benchDatabase),
)

export const hotProduct = (rounds: number = roundsDefault) => measure(rounds).pipe(Effect.scoped, Effect.provide(layer))

/**
 * `http`: single orders and sold-out answers at 256 keep-alive connections through the real service, as it starts by
 * default, against the HttpApi echo and a bare node:http server. Must stay true: only one target is loaded at a time,
 * in turn, by the same generator with the same requests; an answer with any other status ends the run.
 */
import { Console, Effect } from "effect"
import { BenchDatabase, benchDatabase } from "../benchDatabase.ts"
import { compare, publish, serverFacts } from "../report.ts"
import { median } from "../statistics.ts"
import type { LoadResult } from "./loadGenerator.ts"
import { startLoad, startServer } from "./processes.ts"
import { openShop, shopSettings, verifySold } from "./shop.ts"
import { loadWith, orderOf, rates, type Target } from "./target.ts"

const connections = 256
const roundSeconds = 2
const warmUpSeconds = 3
const roundsDefault = 5
const bars = { echo: 0.5, bare: 0.25, soldOut: 0.6 } as const

const startTargets = Effect.gen(function* () {
  const { settings } = yield* BenchDatabase
  const ports = yield* Effect.all([startServer("bench/http/echoServer.ts"), startServer("bench/http/bareServer.ts")])
  const service = yield* startServer("src/main.ts", {
    arguments: ["serve"],
    settings: { ...settings, ...shopSettings },
  })
  const shop = yield* openShop(service)
  const target = (
    name: string,
    port: number,
    productId: string,
    status: string,
    tokens: ReadonlyArray<string>,
  ): Target => ({
    name,
    job: { port, paths: ["/v1/orders"], body: orderOf(productId), tokens, connections },
    status,
    rounds: [],
    answered: 0,
  })
  return {
    shop,
    orders: target("hedonify, single orders", service, shop.productId, "201", shop.tokens),
    soldOut: target("hedonify, sold out", service, shop.soldOutProductId, "409", shop.tokens),
    echo: target("HttpApi echo", ports[0], shop.productId, "201", []),
    bare: target("bare node:http", ports[1], shop.productId, "201", []),
  }
})

const notes = ({ rounds }: Target): string => {
  const of = (value: (round: LoadResult) => number) => median(rounds.map(value))
  const latency = `${of((round) => round.latenciesMillis.median).toFixed(1)} / ${of((round) => round.latenciesMillis.p99).toFixed(1)} ms`
  return `median / p99 ${latency}, load busy ${Math.round(of((round) => round.utilisation) * 100)} %`
}

const measure = Effect.fnUntraced(function* (rounds: number) {
  const { bare, echo, orders, shop, soldOut } = yield* startTargets
  const targets = [orders, echo, soldOut, bare]
  const load = loadWith(yield* startLoad)
  yield* Console.log("http: warming up")
  for (const target of targets) yield* load(target, warmUpSeconds)
  for (let round = 1; round <= rounds; round++) {
    yield* Console.log(`http: round ${round} of ${rounds}`)
    for (const target of targets) target.rounds.push(yield* load(target, roundSeconds))
  }
  yield* verifySold(shop, orders.answered)
  yield* publish({
    name: "http",
    unit: `answers/s at ${connections} connections`,
    rows: targets.map((target) => ({ name: target.name, values: rates(target), notes: notes(target) })),
    comparisons: [
      compare("single orders / HttpApi echo", rates(orders), rates(echo), bars.echo),
      compare("single orders / bare node:http", rates(orders), rates(bare), bars.bare),
      compare("sold-out answers / HttpApi echo", rates(soldOut), rates(echo), bars.soldOut),
    ],
    checks: [`stock checked: ${orders.answered.toLocaleString("en")} answers 201 = units gone`],
    server: yield* serverFacts,
  })
})

export const http = (rounds: number = roundsDefault) =>
  measure(rounds).pipe(Effect.scoped, Effect.provide(benchDatabase))

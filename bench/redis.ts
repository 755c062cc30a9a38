/**
 * `redis`: orders and searches through the real service while its Redis is stopped, started, paused, resumed and
 * flushed under the load. Must stay true: each fault strikes while requests are under way; each order asks Redis for its
 * account's rate and a merchant adds products all the time, so that there is always something Redis is wanted for; the
 * run fails where an answer is neither 201 nor 200.
 */
import { PgClient } from "@effect/sql-pg"
import { Console, Effect, Schedule } from "effect"
import { randomBytes } from "node:crypto"
import { cannotStart } from "../src/platform/CannotStart.ts"
import { redisIsMissing, type RedisServer, redisServer } from "../test/redis/redisServer.ts"
import { BenchDatabase, benchDatabase } from "./benchDatabase.ts"
import type { Job, LoadResult } from "./http/loadGenerator.ts"
import { startLoad, startServer } from "./http/processes.ts"
import { call, openShop, shopSettings, verifySold } from "./http/shop.ts"
import { compare, publish, serverFacts } from "./report.ts"
import { median } from "./statistics.ts"

const orderConnections = 48
const readConnections = 16
const phaseSeconds = 2
const warmUpSeconds = 3
/** Into the phase, so that the fault meets requests under way. */
const faultAfterMillis = 300
const flushEveryMillis = 100
const productEveryMillis = 500
const roundsDefault = 5
const productsOnTheShelf = 50_000
/** More than one process places: every order asks, none is refused. */
const ordersPerSecond = 1_000_000
const bar = 0.9

/** Words that some of the products have: in two of a hundred, in two of a thousand and in none. */
const searches = ["lamp%20red", "chair%20blue", "table%20model12", "sofa%20model77", "desk%20zebra", "vase"]

const fillShelf = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* sql`
    insert into products (id, merchant_id, shard, name, price, currency, created_at, updated_at)
    select ('0180a0a0-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid, merchant.id, number % 16,
      (array['Lamp', 'Chair', 'Table', 'Sofa', 'Desk', 'Shelf', 'Rug', 'Vase', 'Clock', 'Mirror'])[1 + number % 10]
        || ' ' || (array['red', 'blue', 'green', 'oak', 'steel'])[1 + number / 10 % 5] || ' model' || number % 500,
      1000, 'EUR', now(), now()
    from generate_series(1, ${productsOnTheShelf}::integer) as number, (select id from merchants limit 1) as merchant`
  yield* sql`
    insert into stock (product_id, stocked, available) select id, 100, 100 from products where id < '0181a0a0-0000-7000-8000-000000000000'`
  yield* sql`analyze products, stock`
})

interface Phase {
  readonly name: string
  readonly fault: (redis: RedisServer) => Effect.Effect<unknown>
}

const phases: ReadonlyArray<Phase> = [
  { name: "before", fault: () => Effect.void },
  { name: "stopped", fault: ({ stop }) => stop },
  { name: "started", fault: ({ start }) => start },
  { name: "paused", fault: ({ pause }) => pause },
  { name: "resumed", fault: ({ resume }) => resume },
  {
    name: "flushed",
    fault: ({ command }) => Effect.repeat(command("FLUSHALL"), Schedule.spaced(flushEveryMillis)),
  },
  { name: "after", fault: () => Effect.void },
]

interface Measured {
  readonly orders: LoadResult
  readonly reads: LoadResult
}

const startStage = Effect.gen(function* () {
  if (redisIsMissing !== null) return yield* cannotStart(`bench redis cannot run: ${redisIsMissing}.`)
  const redis = yield* redisServer
  const { settings } = yield* BenchDatabase
  const service = yield* startServer("src/main.ts", {
    arguments: ["serve"],
    settings: {
      ...settings,
      ...shopSettings,
      REDIS_URL: redis.url,
      HEDONIFY_ORDERS_PER_SECOND: String(ordersPerSecond),
      HEDONIFY_LOG_LEVEL: "none",
    },
  })
  const shop = yield* openShop(service)
  yield* fillShelf
  return { redis, service, shop, sendOrders: yield* startLoad, sendReads: yield* startLoad }
})

/** The phases, so many times over; what each came to, by its name. */
const runPhases = Effect.fnUntraced(function* (rounds: number) {
  const { redis, sendOrders, sendReads, service, shop } = yield* startStage
  let placed = 0
  const load = Effect.fnUntraced(function* (seconds: number) {
    const both = { port: service, keyPrefix: randomBytes(6).toString("hex"), seconds }
    const body = JSON.stringify({ lines: [{ productId: shop.productId, quantity: 1 }] })
    const orders: Job = { ...both, paths: ["/v1/orders"], body, tokens: shop.tokens, connections: orderConnections }
    const paths = searches.map((words) => `/v1/products?q=${words}`)
    const reads: Job = { ...both, paths, body: null, tokens: [], connections: readConnections }
    const results = yield* Effect.all({ orders: sendOrders(orders), reads: sendReads(reads) }, { concurrency: 2 })
    placed += results.orders.answers["201"] ?? 0
    return results
  })
  const addProducts = Effect.repeat(shop.addProduct, Schedule.spaced(productEveryMillis))

  yield* Console.log("redis: warming up")
  yield* load(warmUpSeconds)
  const measured = new Map<string, Array<Measured>>()
  for (let round = 1; round <= rounds; round++) {
    yield* Console.log(`redis: round ${round} of ${rounds}`)
    for (const { fault, name } of phases) {
      const strike = fault(redis).pipe(Effect.delay(faultAfterMillis), Effect.andThen(Effect.never))
      const result = yield* load(phaseSeconds).pipe(
        Effect.raceFirst(Effect.andThen(addProducts, Effect.never)),
        Effect.raceFirst(strike),
      )
      yield* call(service, "GET", "/health/ready")
      measured.set(name, [...(measured.get(name) ?? []), result])
    }
  }
  yield* verifySold(shop, placed)
  return { measured, placed }
})

const kinds = [
  { kind: "orders", status: "201" },
  { kind: "reads", status: "200" },
] as const

const measure = Effect.fnUntraced(function* (rounds: number) {
  const { measured, placed } = yield* runPhases(rounds)
  const columns = kinds.flatMap(({ kind, status }) => {
    const before = (measured.get("before") ?? []).map((each) => (each[kind].answers[status] ?? 0) / each[kind].seconds)
    return phases.map(({ name }) => {
      const results = (measured.get(name) ?? []).map((each) => each[kind])
      const all = results.flatMap(({ answers }) => Object.entries(answers))
      const errors = all.reduce((sum, [answered, count]) => sum + (answered === status ? 0 : count), 0)
      const millis = (share: "median" | "p99") =>
        median(results.map(({ latenciesMillis }) => latenciesMillis[share])).toFixed(1)
      return {
        name: `${kind}, ${name}`,
        values: results.map(({ answers, seconds }) => (answers[status] ?? 0) / seconds),
        notes: `median / p99 ${millis("median")} / ${millis("p99")} ms, errors ${errors}`,
        errors,
        before,
        isBefore: name === "before",
      }
    })
  })
  const errors = columns.reduce((sum, column) => sum + column.errors, 0)
  yield* publish({
    name: "redis",
    unit: `answers/s at ${orderConnections} + ${readConnections} connections`,
    rows: columns.map(({ name, notes, values }) => ({ name, notes, values })),
    comparisons: columns
      .filter(({ isBefore }) => !isBefore)
      .map(({ before, name, values }) => compare(`${name} / before`, values, before, bar)),
    checks: [
      `${errors} answers other than 201 and 200; ready after each phase`,
      `stock checked: ${placed.toLocaleString("en")} answers 201 = units gone`,
    ],
    server: yield* serverFacts,
  })
  if (errors > 0) return yield* Effect.die(`${errors} answers were errors`)
})

export const redis = (rounds: number = roundsDefault) =>
  measure(rounds).pipe(Effect.scoped, Effect.provide(benchDatabase))

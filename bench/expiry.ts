/**
 * `expiry`: a hundred thousand reservations of one product whose time is over in the same instant, as after a sale that
 * nobody paid for. How long until all of their stock is back, and what new orders of the same shard wait meanwhile,
 * against what they waited before. Must stay true: the sweeper that runs is the service's own, at its own pace, and the
 * new orders come at a fixed rate, so that a slow answer does not thin them out.
 */
import { PgClient } from "@effect/sql-pg"
import { Clock, Console, Effect, Fiber, Layer } from "effect"
import { orderDeadlineDefaultMillis } from "../src/domain/bounds.ts"
import type { ProductId } from "../src/domain/ids.ts"
import { Inventory } from "../src/inventory/Inventory.ts"
import { OrderEnding } from "../src/inventory/OrderEnding.ts"
import * as PostgresShardStore from "../src/inventory/store/PostgresShardStore.ts"
import { ShardStore } from "../src/inventory/store/ShardStore.ts"
import { WriterConnections } from "../src/inventory/store/writerConnections.ts"
import { sweeper } from "../src/inventory/sweeper.ts"
import * as SecureRandom from "../src/platform/secureRandom.ts"
import { isViolated, verify } from "../src/verification/verify.ts"
import { makeMerchant, makeProduct, makeShards, reserve } from "../test/inventory/fixtures.ts"
import { benchDatabase } from "./benchDatabase.ts"
import { settings } from "./hotProduct/ours.ts"
import { compare, publish, serverFacts } from "./report.ts"
import { quantile } from "./statistics.ts"

const reservationsPerRound = 100_000
const callersFilling = 512
const orderEveryMillis = 5
const secondsBefore = 5
const roundsDefault = 1
const secondsBar = 20
const slownessBar = 3

const placeOne = Effect.fnUntraced(function* (productId: ProductId) {
  const inventory = yield* Inventory
  const deadlineMillis = (yield* Clock.currentTimeMillis) + orderDeadlineDefaultMillis
  const outcome = yield* inventory.submit(0, reserve([[productId, 1]]), deadlineMillis)
  if (outcome._tag !== "Accepted") return yield* Effect.die(`an order ended as ${JSON.stringify(outcome)}`)
})

/** Orders at their fixed rate until interrupted; what each waited, in milliseconds. */
const ordering = (productId: ProductId, latencies: Array<number>) =>
  Effect.gen(function* () {
    const one = Effect.gen(function* () {
      const beganAt = performance.now()
      yield* placeOne(productId)
      latencies.push(performance.now() - beganAt)
    })
    return yield* Effect.forever(Effect.andThen(Effect.forkChild(Effect.orDie(one)), Effect.sleep(orderEveryMillis)))
  })

const fill = (productId: ProductId) =>
  Effect.forEach(Array.from({ length: reservationsPerRound }), () => placeOne(productId), {
    concurrency: callersFilling,
    discard: true,
  })

const measure = Effect.fnUntraced(function* (rounds: number) {
  const sql = yield* PgClient.PgClient
  const inventory = yield* Inventory
  yield* makeShards(1)
  const merchantId = yield* makeMerchant()
  inventory.grant(yield* (yield* ShardStore).acquire([0], "bench"))
  const seconds: Array<number> = []
  const before: Array<number> = []
  const meanwhile: Array<number> = []
  for (let round = 1; round <= rounds; round++) {
    yield* Console.log(`expiry: round ${round} of ${rounds}: ${reservationsPerRound} reservations`)
    const sold = yield* makeProduct(merchantId, reservationsPerRound)
    const other = yield* makeProduct(merchantId, 2_000_000)
    yield* fill(sold)
    yield* sql`vacuum analyze`
    const calm: Array<number> = []
    const calmly = yield* Effect.forkChild(ordering(other, calm))
    yield* Effect.sleep(secondsBefore * 1000)
    yield* Fiber.interrupt(calmly)
    const under: Array<number> = []
    const meanwhileFiber = yield* Effect.forkChild(ordering(other, under))
    yield* sql`update orders o set created_at = created_at - interval '1 hour', expires_at = now()
      from order_lines l where l.order_id = o.id and l.product_id = ${sold}::uuid`
    const beganAt = performance.now()
    const isBack = Effect.map(
      sql<{ readonly back: boolean }>`select available = stocked as back from stock where product_id = ${sold}::uuid`,
      ([row]) => row?.back === true,
    )
    while (!(yield* isBack)) yield* Effect.sleep(100)
    seconds.push((performance.now() - beganAt) / 1000)
    yield* Fiber.interrupt(meanwhileFiber)
    before.push(quantile(calm, 0.99))
    meanwhile.push(quantile(under, 0.99))
    yield* Console.log(`expiry: ${seconds.at(-1)?.toFixed(1)} s; ${under.length} new orders meanwhile`)
  }
  const broken = (yield* verify()).filter(isViolated)
  if (broken.length > 0) return yield* Effect.die(`verify: ${broken.map((rule) => rule.name).join(", ")}`)
  const goal = seconds.map(() => 1)
  yield* publish({
    name: "expiry",
    unit: "seconds, and ms at the 99th percentile",
    rows: [
      { name: "until all stock is back, s", values: seconds, notes: `${reservationsPerRound} reservations` },
      { name: "new orders before, ms", values: before, notes: `one every ${orderEveryMillis} ms` },
      { name: "new orders meanwhile, ms", values: meanwhile, notes: "of the same shard" },
    ],
    comparisons: [
      compare("seconds until all stock is back", seconds, goal, secondsBar, "lower"),
      compare("p99 of new orders meanwhile / before", meanwhile, before, slownessBar, "lower"),
    ],
    checks: ["verify holds"],
    server: yield* serverFacts,
  })
})

const inventory = Inventory.layerLocal({ ...settings, shards: 1 }).pipe(
  Layer.provideMerge(PostgresShardStore.layerNoDeps),
  Layer.provideMerge(WriterConnections.layer),
)
const layer = sweeper.pipe(
  Layer.provideMerge(OrderEnding.layer({ orderDeadlineMillis: orderDeadlineDefaultMillis })),
  Layer.provideMerge(inventory),
  Layer.provide(SecureRandom.layer),
  Layer.provideMerge(benchDatabase),
)

export const expiry = (rounds: number = roundsDefault) => measure(rounds).pipe(Effect.scoped, Effect.provide(layer))

/**
 * `expiry`: a hundred thousand reservations of one product whose time is over in the same instant, as after a sale that
 * nobody paid for. How long until all of their stock is back, and what new orders of the same shard wait meanwhile,
 * against what they waited before: with the service there, and with the service down at that moment, timed from its next
 * start. Must stay true: the sweeper that runs is the service's own, at its own pace, and the new orders come at a fixed
 * rate, so that a slow answer does not thin them out.
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
const secondsBefore = 15
const lookEveryMillis = 100
const roundsDefault = 2
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

/** Ends the time of a product's reservations, as if they had been placed an hour ago; when that was, by `performance`. */
const endAll = Effect.fnUntraced(function* (productId: ProductId) {
  const sql = yield* PgClient.PgClient
  yield* sql`update orders o set created_at = created_at - interval '1 hour', expires_at = now()
    from order_lines l where l.order_id = o.id and l.product_id = ${productId}::uuid`
  return performance.now()
})

const allBack = Effect.fnUntraced(function* (productId: ProductId) {
  const sql = yield* PgClient.PgClient
  const isBack = Effect.map(
    sql<{
      readonly back: boolean
    }>`select available = stocked as back from stock where product_id = ${productId}::uuid`,
    ([row]) => row?.back === true,
  )
  while (!(yield* isBack)) yield* Effect.sleep(lookEveryMillis)
})

/** One start of the service, for as long as the effect takes: its shard, its writer and its sweeper. */
const serving = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const leases = yield* (yield* ShardStore).acquire([0], "bench")
    ;(yield* Inventory).grant(leases)
    return yield* work
  }).pipe(Effect.provide(service), Effect.scoped)

const settled = Effect.fnUntraced(function* (other: ProductId) {
  const latencies: Array<number> = []
  const calmly = yield* Effect.forkChild(ordering(other, latencies))
  yield* Effect.sleep(secondsBefore * 1000)
  yield* Fiber.interrupt(calmly)
  return quantile(latencies, 0.99)
})

const returning = Effect.fnUntraced(function* (sold: ProductId, other: ProductId, endedAt: number) {
  const latencies: Array<number> = []
  const meanwhile = yield* Effect.forkChild(ordering(other, latencies))
  yield* allBack(sold)
  const seconds = (performance.now() - endedAt) / 1000
  yield* Fiber.interrupt(meanwhile)
  return { seconds, meanwhile: quantile(latencies, 0.99), orders: latencies.length }
})

interface Measured {
  readonly before: Array<number>
  readonly meanwhile: Array<number>
  readonly seconds: Array<number>
}
type Moment = "there" | "down"

const measureOne = Effect.fnUntraced(function* (moment: Moment, { before, meanwhile, seconds }: Measured) {
  const sql = yield* PgClient.PgClient
  const merchantId = yield* makeMerchant()
  const sold = yield* makeProduct(merchantId, reservationsPerRound)
  const other = yield* makeProduct(merchantId, 2_000_000)
  const prepared = Effect.gen(function* () {
    yield* fill(sold)
    yield* sql`vacuum analyze`
    before.push(yield* settled(other))
  })
  const ended = endAll(sold)
  const back = (endedAt: number) => returning(sold, other, endedAt)
  const result =
    moment === "there"
      ? yield* serving(prepared.pipe(Effect.andThen(ended), Effect.flatMap(back)))
      : yield* serving(prepared).pipe(
          Effect.andThen(ended),
          Effect.flatMap((endedAt) => serving(back(endedAt))),
        )
  seconds.push(result.seconds)
  meanwhile.push(result.meanwhile)
  yield* Console.log(`expiry: service ${moment}: ${result.seconds.toFixed(1)} s; ${result.orders} new orders meanwhile`)
})

const measure = Effect.fnUntraced(function* (rounds: number) {
  yield* makeShards(1)
  const there: Measured = { before: [], meanwhile: [], seconds: [] }
  const down: Measured = { before: [], meanwhile: [], seconds: [] }
  for (let round = 1; round <= rounds; round++) {
    yield* Console.log(`expiry: round ${round} of ${rounds}: ${reservationsPerRound} reservations, twice`)
    yield* measureOne("there", there)
    yield* measureOne("down", down)
  }
  const broken = (yield* verify()).filter(isViolated)
  if (broken.length > 0) return yield* Effect.die(`verify: ${broken.map((rule) => rule.name).join(", ")}`)
  const goal = there.seconds.map(() => 1)
  const rows = (moment: Moment, measured: Measured) => [
    { name: `service ${moment}: until all stock is back, s`, values: measured.seconds, notes: notes[moment] },
    {
      name: `service ${moment}: new orders before, ms`,
      values: measured.before,
      notes: `one every ${orderEveryMillis} ms`,
    },
    { name: `service ${moment}: new orders meanwhile, ms`, values: measured.meanwhile, notes: "of the same shard" },
  ]
  const comparisons = (moment: Moment, { before, meanwhile, seconds }: Measured) => [
    compare(`service ${moment}: seconds until all stock is back`, seconds, goal, secondsBar, "lower"),
    compare(`service ${moment}: p99 of new orders meanwhile / before`, meanwhile, before, slownessBar, "lower"),
  ]
  yield* publish({
    name: "expiry",
    unit: "seconds, and ms at the 99th percentile",
    rows: [...rows("there", there), ...rows("down", down)],
    comparisons: [...comparisons("there", there), ...comparisons("down", down)],
    checks: ["verify holds"],
    server: yield* serverFacts,
  })
})

const notes: Readonly<Record<Moment, string>> = {
  there: `${reservationsPerRound} reservations`,
  down: "the same, from the next start on",
}

const inventory = Inventory.layerLocal({ ...settings, shards: 1 }).pipe(
  Layer.provideMerge(PostgresShardStore.layerNoDeps),
  Layer.provideMerge(WriterConnections.layer),
)
const service = Layer.fresh(
  sweeper.pipe(
    Layer.provideMerge(OrderEnding.layer({ orderDeadlineMillis: orderDeadlineDefaultMillis })),
    Layer.provideMerge(inventory),
    Layer.provide(SecureRandom.layer),
  ),
)

export const expiry = (rounds: number = roundsDefault) =>
  measure(rounds).pipe(Effect.scoped, Effect.provide(benchDatabase))

/**
 * The simulation's crowd on real PostgreSQL and real concurrency: it orders, cancels, lets reservations run out, checks
 * carts out, delivers and edits over several shards. Every rule of `verify` holds while it does, and at the end stock,
 * orders and every answer agree.
 */
import { NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule } from "effect"
import { SecureRandom } from "effect/crypto"
import { Carts } from "../../src/carts/Carts.ts"
import { Inventory } from "../../src/inventory/Inventory.ts"
import { OrderCoordinator } from "../../src/inventory/OrderCoordinator.ts"
import { OrderEnding } from "../../src/inventory/OrderEnding.ts"
import * as PostgresShardStore from "../../src/inventory/store/PostgresShardStore.ts"
import { ProductWriter } from "../../src/inventory/ProductWriter.ts"
import { ShardDirectory } from "../../src/inventory/ShardDirectory.ts"
import { ShardStore } from "../../src/inventory/store/ShardStore.ts"
import { sweeper } from "../../src/inventory/sweeper.ts"
import { WriterConnections } from "../../src/inventory/store/writerConnections.ts"
import { OrderReads } from "../../src/orders/OrderReads.ts"
import { Orders } from "../../src/orders/Orders.ts"
import { isViolated, verify } from "../../src/verification/verify.ts"
import { makeShards } from "../inventory/fixtures.ts"
import { testDatabase } from "../platform/testDatabase.ts"
import { Chance } from "../simulation/machine/chance.ts"
import { drawMarket, type Market } from "./market.ts"
import { checkAnswers } from "./marketAudit.ts"

const shards = 3
const settings = { shards, mailboxSize: 200, batchSizeMax: 64, lingerMillis: 0, offerTtlMillis: 60_000 }
const deadline = { orderDeadlineMillis: 20_000 }
const stores = Layer.mergeAll(PostgresShardStore.layerNoDeps, ShardDirectory.layer).pipe(
  Layer.provide(WriterConnections.layer),
)
const shop = Layer.mergeAll(
  Orders.layer({ ...deadline, reservationTtlMillis: 900_000 }),
  ProductWriter.layer(deadline),
  sweeper,
).pipe(
  Layer.provideMerge(
    Layer.mergeAll(OrderCoordinator.layer, OrderEnding.layer(deadline), OrderReads.layer, Carts.layer),
  ),
  Layer.provideMerge(Inventory.layerLocal(settings)),
  Layer.provideMerge(stores),
  Layer.provideMerge(SecureRandom.layerWebCrypto),
  Layer.provideMerge(testDatabase),
  Layer.provideMerge(NodeServices.layer),
  Layer.orDie,
)

const many = <A, E, R>(count: number, concurrency: number, once: (at: number) => Effect.Effect<A, E, R>) =>
  Effect.forEach(
    Array.from({ length: count }, (_, at) => at),
    once,
    { concurrency },
  )

/** Everybody at once, until all have their answers. */
const trading = ({ checkOut, edit, move, order }: Market) =>
  Effect.all(
    {
      orders: many(500, 100, order),
      checkouts: many(5, 5, checkOut),
      edits: many(40, 4, edit),
      movements: many(30, 3, move),
    },
    { concurrency: "unbounded" },
  )

/**
 * Nothing whose time is over or soon will be, and nothing under way: what the sweeper leaves when it has passed. Of a
 * crowd that was quick, no reservation's time may be over yet.
 */
const swept = Effect.gen(function* () {
  const store = yield* ShardStore
  const sql = yield* PgClient.PgClient
  const due = store.dueShards(Array.from({ length: shards }, (_, shard) => shard))
  const soon = sql`select id from orders where status = 'reserved'
    and expires_at < clock_timestamp() + interval '1 minute' limit 1`
  yield* Effect.zipWith(due, soon, (shardsDue, orders) => [...shardsDue, ...orders]).pipe(
    Effect.repeat({ until: (found) => found.length === 0, schedule: Schedule.spaced("50 millis") }),
    Effect.timeout("10 seconds"),
  )
})

layer(shop, { excludeTestServices: true })("an arbitrary crowd on PostgreSQL", (it) => {
  for (const seed of [1, 2, 3]) {
    it.effect(`agrees with the rows on every answer (seed ${seed})`, () =>
      Effect.gen(function* () {
        yield* makeShards(shards)
        const inventory = yield* Inventory
        const store = yield* ShardStore
        inventory.grant(yield* store.acquire([0, 1, 2], "a test"))
        const market = yield* drawMarket(new Chance(seed), shards)
        const violated = Effect.map(verify(), (results) => results.filter(isViolated))
        const crowd = yield* Effect.forkChild(trading(market))
        while (crowd.pollUnsafe() === undefined) assert.deepStrictEqual(yield* violated, [], "while it sells")
        const answers = yield* Fiber.join(crowd)
        yield* market.calmly
        yield* swept
        assert.deepStrictEqual(yield* violated, [])
        yield* checkAnswers(market, answers)
      }),
    )
  }
})

/** The simulation's crowd on real PostgreSQL and real concurrency: at the end stock, orders and every answer agree. */
import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Clock, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import type { ProductId } from "../../src/domain/ids.ts"
import { Inventory, sweeper } from "../../src/inventory/Inventory.ts"
import { OrderCoordinator } from "../../src/inventory/OrderCoordinator.ts"
import * as PostgresShardStore from "../../src/inventory/PostgresShardStore.ts"
import { ShardDirectory } from "../../src/inventory/ShardDirectory.ts"
import { ShardStore } from "../../src/inventory/ShardStore.ts"
import { WriterConnections } from "../../src/inventory/writerConnections.ts"
import { isViolated, verify } from "../../src/verification/verify.ts"
import { makeMerchant, makeProduct, makeShards, reserve, restock } from "../inventory/fixtures.ts"
import { testDatabase } from "../platform/testDatabase.ts"
import { Chance } from "./chance.ts"
import { answerOf } from "./history.ts"

const shards = 3
const settings = { shards, mailboxSize: 200, batchSizeMax: 64, lingerMillis: 0 }
const stores = Layer.mergeAll(PostgresShardStore.layerNoDeps, ShardDirectory.layer).pipe(
  Layer.provide(WriterConnections.layer),
)
const heart = Layer.mergeAll(OrderCoordinator.layer, sweeper).pipe(
  Layer.provideMerge(Inventory.layerLocal(settings)),
  Layer.provideMerge(stores),
  Layer.provideMerge(SecureRandom.layerWebCrypto),
  Layer.provideMerge(testDatabase),
  Layer.provideMerge(NodeServices.layer),
  Layer.orDie,
)

interface OrderRow {
  readonly id: string
  readonly caller: string
  readonly key: string
}

layer(heart, { excludeTestServices: true })("an arbitrary crowd on PostgreSQL", (it) => {
  for (const seed of [1, 2, 3]) {
    it.effect(`agrees with the rows on every answer (seed ${seed})`, () =>
      Effect.gen(function* () {
        const chance = new Chance(seed)
        const sql = yield* PgClient.PgClient
        yield* makeShards(shards)
        const inventory = yield* Inventory
        const coordinator = yield* OrderCoordinator
        const store = yield* ShardStore
        inventory.grant(yield* store.acquire([0, 1, 2], "a test"))
        const merchant = yield* makeMerchant()
        const products: Array<{ readonly productId: ProductId; readonly shard: number }> = []
        for (let number = 0; number < 6; number++) {
          const shard = number % shards
          const limit = number === 4 ? { limitPerCustomer: 2 } : {}
          products.push({ productId: yield* makeProduct(merchant, chance.between(5, 60), { shard, ...limit }), shard })
        }
        const wishes = Array.from({ length: 250 }, () => {
          const lines = products.filter(() => chance.happens(0.3)).map(({ productId }) => productId)
          const wanted = lines.length === 0 ? [chance.pick(products).productId] : lines
          return reserve(wanted.map((productId) => [productId, chance.between(1, 2)] as const))
        })
        const place = Effect.fnUntraced(function* (at: number) {
          const hangsUp = chance.happens(0.1)
          const request = { ...chance.pick(wishes), orderId: reserve([]).orderId }
          for (let breath = at % 7; breath > 0; breath--) yield* Effect.yieldNow
          const placing = coordinator.place(request, (yield* Clock.currentTimeMillis) + 20_000)
          const hungUp = Effect.as(Effect.yieldNow, { _tag: "HungUp" } as const)
          const exit = yield* Effect.exit(hangsUp ? Effect.raceFirst(placing, hungUp) : placing)
          return { request, answer: answerOf(exit) }
        })
        const move = Effect.fnUntraced(function* () {
          const { productId, shard } = chance.pick(products)
          const command = restock(productId, chance.pick([-2, 3, 5]))
          yield* Effect.exit(inventory.submit(shard, command, (yield* Clock.currentTimeMillis) + 20_000))
        })
        const [answers] = yield* Effect.all(
          [
            Effect.forEach(
              Array.from({ length: 600 }, (_, at) => at),
              place,
              { concurrency: 150 },
            ),
            Effect.forEach(Array.from({ length: 30 }), move, { concurrency: 3, discard: true }),
          ],
          { concurrency: "unbounded" },
        )
        yield* Effect.forEach(wishes, (wish) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.exit(coordinator.place(wish, now + 20_000))),
        )
        const rows = yield* sql<OrderRow>`select id, caller, key from orders`
        const byId = new Map(rows.map((row) => [row.id, row]))
        const tags = new Map<string, number>()
        for (const { answer, request } of answers) {
          tags.set(answer._tag, (tags.get(answer._tag) ?? 0) + 1)
          const row = byId.get(request.orderId)
          if (answer._tag === "Accepted") assert.strictEqual(row?.key, request.key)
          if (answer._tag === "Refused" || answer._tag === "Busy") assert.isUndefined(row, "a ghost")
          if ("orderId" in answer && typeof answer.orderId === "string") {
            assert.strictEqual(byId.get(answer.orderId)?.key, request.key)
          }
        }
        for (const tag of ["Accepted", "Repeated", "Refused"]) assert.isAbove(tags.get(tag) ?? 0, 0, tag)
        const violated = (yield* verify()).filter(isViolated)
        assert.deepStrictEqual(violated, [])
      }),
    )
  }
})

/** A rule is one snapshot, so that `verify` is right in the middle of a sale: here over the demo shop, while it sells. */
import { NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { application } from "../../src/commands/application.ts"
import { seed } from "../../src/commands/seed.ts"
import { ProductId } from "../../src/domain/ids.ts"
import { Orders } from "../../src/orders/Orders.ts"
import { accountBuyer } from "../../src/orders/placing.ts"
import { Configuration } from "../../src/platform/Configuration.ts"
import { newCaller } from "../inventory/fixtures.ts"
import { testDatabase } from "../platform/testDatabase.ts"
import { demoServices } from "./demoServices.ts"
import { violated } from "./world.ts"

const shop = demoServices.pipe(
  Layer.provideMerge(application),
  Layer.provideMerge(testDatabase),
  Layer.provideMerge(Layer.mergeAll(Configuration.layerOf({}), NodeServices.layer)),
  Layer.orDie,
)

const ordersPlaced = 600

it.live("every rule holds at every look while orders of one and of several shards are placed and refused", () =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const orders = yield* Orders
    yield* seed
    const products = (yield* sql<{ readonly id: string }>`select id from products order by id`).map(({ id }) =>
      ProductId.make(id),
    )
    const buyers = Array.from({ length: 30 }, () => accountBuyer(newCaller()))
    const place = Effect.fnUntraced(function* (number: number) {
      const buyer = buyers[number % buyers.length] ?? accountBuyer(newCaller())
      const wanted = new Set([products[number % 12], products[(number * 5 + 1) % 12]].filter((id) => id !== undefined))
      const lines = [...wanted].map((productId) => ({ productId, quantity: 1 + (number % 3) }))
      const wish = { idempotencyKey: `order ${number}`, lines, expectedTotal: null }
      const { _tag } = yield* orders.place(buyer, wish).pipe(Effect.catchTag("Busy", Effect.succeed))
      return _tag
    })
    const numbers = Array.from({ length: ordersPlaced }, (_, number) => number)
    const selling = yield* Effect.forkChild(Effect.forEach(numbers, place, { concurrency: 40 }))
    const looks: Array<unknown> = []
    while (selling.pollUnsafe() === undefined) looks.push(yield* violated)
    const outcomes = yield* Fiber.join(selling)
    looks.push(yield* violated)

    assert.deepStrictEqual(
      looks,
      looks.map(() => []),
    )
    assert.isAbove(looks.length, 2)
    assert.includeMembers(outcomes, ["Placed", "Refused"])
    const [homes] = yield* sql<{ readonly shards: number; readonly coordinated: number }>`
      select count(distinct o.home_shard)::int as shards,
        count(*) filter (where p.shard <> o.home_shard)::int as coordinated
      from orders o join order_lines l on l.order_id = o.id join products p on p.id = l.product_id`
    assert.isAbove(homes?.shards ?? 0, 1)
    assert.isAbove(homes?.coordinated ?? 0, 10)
  }).pipe(Effect.provide(shop)),
)

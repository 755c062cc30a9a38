/** However much comes back at once, and whoever waits for it: no batch offers more than its share. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { SecureRandom } from "effect/crypto"
import { offeredProductsMax } from "../../src/domain/bounds.ts"
import { AccountId, OfferId, type ProductId } from "../../src/domain/ids.ts"
import type { ShardStore } from "../../src/inventory/store/ShardStore.ts"
import { newCaller, reserve } from "../inventory/fixtures.ts"
import { newProduct, startOneShard } from "./oneShard.ts"

/** What each look at waiters and each batch of offers were about, by how many products they name. */
const counting = (looks: Array<number>, batches: Array<number>) => (store: ShardStore["Service"]) => ({
  ...store,
  waiters: (...[shard, productIds, sizeMax]: Parameters<typeof store.waiters>) => {
    looks.push(productIds.length)
    return store.waiters(shard, productIds, sizeMax)
  },
  commit: (write: Parameters<typeof store.commit>[0]) => {
    if (write.offers.length > 0) batches.push(new Set(write.offers.map((offer) => offer.productId)).size)
    return store.commit(write)
  },
})

describe("more products with waiters than one batch offers", () => {
  /** As after a merchant may sell again: all is there, everybody waits, and the writer knows nothing yet. */
  const start = Effect.gen(function* () {
    const looks: Array<number> = []
    const batches: Array<number> = []
    const shop = yield* startOneShard({ wrap: counting(looks, batches) })
    const productIds = Array.from({ length: 2 * offeredProductsMax + 1 }, () => newProduct(shop.database, 2))
    for (const productId of productIds) shop.database.amendProduct(productId, { paused: true })
    const waits = (productId: ProductId) => {
      const accountId = AccountId.make(newCaller())
      return {
        _tag: "Join" as const,
        offerId: OfferId.make(SecureRandom.uuidV7Unsafe()),
        productId,
        accountId,
        quantity: 1,
      }
    }
    for (const productId of productIds) yield* shop.send(waits(productId))
    for (const productId of productIds) shop.database.amendProduct(productId, { paused: false })
    shop.actor.revoke()
    yield* shop.grant
    looks.length = 0
    const offers = (): number => shop.database.tables.holds.all().filter((row) => row.kind === "offer").length
    return { ...shop, batches, looks, offers, productIds }
  })

  const shares = [offeredProductsMax, offeredProductsMax, 1]

  it.effect("are offered a share at a time, where the sweeper asks for all of them", () =>
    Effect.gen(function* () {
      const { batches, looks, offer, offers, productIds } = yield* start
      const fibers = yield* Effect.forEach(productIds, (productId) => offer({ _tag: "Offer", productId }))
      const tags = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual([...new Set(tags)], ["Done"])
      assert.strictEqual(offers(), productIds.length)
      assert.deepStrictEqual([batches, looks], [shares, shares])
    }),
  )

  it.effect("are offered before the orders that want what is there of them", () =>
    Effect.gen(function* () {
      const { batches, looks, offer, offers, productIds } = yield* start
      const orders = productIds.flatMap((productId) => [reserve([[productId, 2]]), reserve([[productId, 1]])])
      const fibers = yield* Effect.forEach(orders, (order) => offer(order))
      const tags = yield* Effect.forEach(fibers, (fiber) => Fiber.join(fiber))
      assert.deepStrictEqual(
        tags,
        productIds.flatMap(() => ["Refused", "Accepted"]),
      )
      assert.strictEqual(offers(), productIds.length)
      assert.deepStrictEqual([batches, looks], [shares, shares])
    }),
  )
})

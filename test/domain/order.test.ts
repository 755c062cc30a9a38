import { assert, describe, it } from "@effect/vitest"
import { SecureRandom } from "effect/crypto"
import { MerchantId, ProductId } from "../../src/domain/ids.ts"
import { isLive, mergeLines, OrderStatus, orderTransitions } from "../../src/domain/order.ts"
import { orderRefusalOrder } from "../../src/domain/refusals.ts"
import { shardOf } from "../../src/domain/shard.ts"

const productId = () => ProductId.make(SecureRandom.uuidV7Unsafe())

describe("an order", () => {
  it("loses its units only by an ending that returns them, and never gets them back", () => {
    for (const from of OrderStatus.literals) {
      for (const to of orderTransitions[from]) {
        assert.isTrue(isLive(from), `${from} is over, so nothing follows it`)
        if (!isLive(to)) assert.include(["reserved", "paid"], from, `${to} returns stock before anything has shipped`)
      }
    }
  })

  it("can reach every status from its first, and always has an end in sight", () => {
    const reached = new Set<OrderStatus>(["reserved"])
    for (const status of reached) for (const next of orderTransitions[status]) reached.add(next)
    assert.sameMembers([...reached], [...OrderStatus.literals])
  })

  it("has one form for the same wish, however its lines are written", () => {
    const [first, second] = [productId(), productId()].toSorted()
    if (first === undefined || second === undefined) return assert.fail("two products were made")
    const merged = [
      { productId: first, quantity: 3 },
      { productId: second, quantity: 4 },
    ]
    const scattered = [
      { productId: second, quantity: 4 },
      { productId: first, quantity: 1 },
      { productId: first, quantity: 2 },
    ]
    assert.deepStrictEqual(mergeLines(scattered), merged)
    assert.deepStrictEqual(mergeLines(merged), merged)
  })
})

describe("the shard of a product", () => {
  it("is the same for what is bought together, and spreads everything else", () => {
    const merchantId = MerchantId.make(SecureRandom.uuidV7Unsafe())
    const grouped = Array.from({ length: 50 }, () => shardOf({ id: productId(), merchantId, stockGroup: "drop" }, 16))
    assert.strictEqual(new Set(grouped).size, 1)
    const counts = new Map<number, number>()
    for (let product = 0; product < 16_000; product++) {
      const shard = shardOf({ id: productId(), merchantId, stockGroup: null }, 16)
      counts.set(shard, (counts.get(shard) ?? 0) + 1)
    }
    assert.strictEqual(counts.size, 16)
    for (const count of counts.values()) assert.isTrue(count > 500 && count < 2_000, `${count} of 16,000 in one of 16`)
  })
})

describe("refusals", () => {
  it("have an order that names each of them once", () => {
    assert.strictEqual(new Set(orderRefusalOrder).size, orderRefusalOrder.length)
  })
})

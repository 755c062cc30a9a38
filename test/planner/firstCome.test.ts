/**
 * First come, first served, and once: what the order of the mailbox and the key of an order decide.
 */
import { assert, describe, it } from "@effect/vitest"
import { writes } from "../../src/inventory/shard/planner.ts"
import { bob, chair, ends, lamp, placed, product, reserve, restock, verdicts, world } from "./cases.ts"
import { planScene } from "./planning.ts"
import { callerId, orderId } from "./names.ts"

describe("first come, first served", () => {
  it("the last unit goes to the first who asks", () => {
    const given = world({ products: [product(lamp, { available: 1 })] })
    assert.deepStrictEqual(ends(given, reserve([[lamp, 1]]), reserve([[lamp, 1]])), ["Placed", "out_of_stock"])
  })

  it("an impossible order starves nobody", () => {
    const impossible = reserve([
      [lamp, 3],
      [chair, 4],
    ])
    assert.deepStrictEqual(ends(world(), impossible, reserve([[lamp, 3]]), reserve([[chair, 3]])), [
      "out_of_stock",
      "Placed",
      "Placed",
    ])
  })

  it("a smaller order gets what a larger one ahead of it could not use", () => {
    assert.deepStrictEqual(ends(world(), reserve([[lamp, 4]]), reserve([[lamp, 3]])), ["out_of_stock", "Placed"])
  })

  it("a customer's limit counts what the same customer has, and takes in the same batch, and nobody else's", () => {
    const given = world({
      products: [product(lamp, { limitPerCustomer: 3, available: 10, stocked: 10 })],
      orders: [placed(reserve([[lamp, 1]]))],
    })
    const batch = [
      reserve([[lamp, 1]]),
      reserve([[lamp, 2]]),
      reserve([[lamp, 2]], { caller: bob }),
      reserve([[lamp, 1]]),
      reserve([[lamp, 1]]),
    ]
    assert.deepStrictEqual(ends(given, ...batch), ["Placed", "limit_exceeded", "Placed", "Placed", "limit_exceeded"])
    const [, refused] = verdicts(given, ...batch)
    assert.deepStrictEqual(refused, {
      _tag: "Refused",
      refusal: { code: "limit_exceeded", productId: lamp, allowed: 3, had: 2 },
    })
  })
})

describe("a key", () => {
  it("known with the same request is answered with its order, whatever became of the product", () => {
    const known = reserve([[lamp, 1]])
    const given = world({ products: [product(lamp, { archived: true, available: 0 })], orders: [placed(known)] })
    assert.deepStrictEqual(verdicts(given, { ...known, orderId: orderId(901) }), [
      { _tag: "Repeated", id: known.orderId },
    ])
    assert.isFalse(writes(planScene({ world: given, batch: [known] })))
  })

  it("twice in one batch is one order", () => {
    const order = reserve([[lamp, 2]])
    const again = { ...order, orderId: orderId(902) }
    assert.deepStrictEqual(ends(world(), order, again, reserve([[lamp, 1]])), ["Placed", "Repeated", "Placed"])
  })

  it("with another request in one batch is refused", () => {
    const order = reserve([[lamp, 1]])
    const other = reserve([[lamp, 2]], { key: order.key })
    assert.deepStrictEqual(ends(world(), order, other), ["Placed", "idempotency_key_reused"])
  })

  it("of a refused order may be tried again, and may then succeed", () => {
    const order = reserve([[lamp, 4]])
    const smaller = reserve([[lamp, 3]], { key: order.key })
    assert.deepStrictEqual(ends(world(), order, order, smaller), ["out_of_stock", "out_of_stock", "Placed"])
  })

  it("of another caller is another key", () => {
    const order = reserve([[lamp, 1]])
    assert.deepStrictEqual(ends(world(), order, { ...order, caller: callerId(2), orderId: orderId(903) }), [
      "Placed",
      "Placed",
    ])
  })

  it("of an order is not a movement's", () => {
    const order = reserve([[lamp, 1]])
    assert.deepStrictEqual(ends(world(), order, restock(chair, 1, { key: order.key })), ["Placed", "Moved"])
  })
})

/**
 * A merchant's movements of stock, sentence by sentence.
 */
import { assert, describe, it } from "@effect/vitest"
import { ends, lamp, nothing, product, refusalOf, reserve, restock, world } from "./cases.ts"

describe("a movement", () => {
  it("may not write off what is sold, and says what is left", () => {
    const given = world({ products: [product(lamp, { available: 1 })] })
    assert.deepStrictEqual(refusalOf(given, restock(lamp, -2)), {
      code: "stock_is_sold",
      productId: lamp,
      available: 1,
    })
    assert.deepStrictEqual(ends(given, restock(lamp, -1), reserve([[lamp, 1]])), ["Moved", "out_of_stock"])
  })

  it("may not pass what a product can have, and says what it has", () => {
    const stocked = 2_147_483_647
    const given = world({ products: [product(lamp, { stocked })] })
    assert.deepStrictEqual(refusalOf(given, restock(lamp, 1)), { code: "stock_too_large", productId: lamp, stocked })
  })

  it("of a product that does not exist is refused, and of an archived one is not", () => {
    const given = world({ products: [product(lamp, { archived: true })] })
    assert.deepStrictEqual(ends(given, restock(nothing, 1), restock(lamp, 1)), ["unknown_product", "Moved"])
  })

  it("is made once a key", () => {
    const received = restock(lamp, 5)
    assert.deepStrictEqual(ends(world(), received, received, restock(lamp, 6, { key: received.key })), [
      "Moved",
      "Repeated",
      "idempotency_key_reused",
    ])
    assert.deepStrictEqual(ends(world({ movements: [received] }), received), ["Repeated"])
  })
})

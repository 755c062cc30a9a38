/**
 * What a batch gives back may be spent from the next batch on: where a command needs it, the plan ends.
 */
import { assert, describe, it } from "@effect/vitest"
import { bob, chair, ends, hold, lamp, product, release, reserve, restock, world, rowsOf } from "./cases.ts"
import { planScene } from "./planning.ts"
import { returnId } from "./names.ts"

describe("what the batch gives back", () => {
  const held = hold([[lamp, 3]])
  const soldOut = world({ products: [product(lamp, { available: 0 }), product(chair)], holds: [...rowsOf(held)] })

  it("ends the plan before the first command that would need it", () => {
    assert.deepStrictEqual(ends(soldOut, release(held), reserve([[lamp, 1]]), reserve([[chair, 1]])), ["Done"])
    const back = { _tag: "Return", returnId: returnId(1), productId: lamp } as const
    assert.deepStrictEqual(ends(soldOut, back, reserve([[lamp, 1]])), ["Done"])
    assert.deepStrictEqual(ends(soldOut, restock(lamp, 5), reserve([[lamp, 1]])), ["Moved"])
    assert.deepStrictEqual(ends(soldOut, restock(lamp, 5), restock(lamp, -1)), ["Moved"])
  })

  it("does not keep anybody from what is there without it", () => {
    const given = world({ holds: [...rowsOf(held)] })
    assert.deepStrictEqual(ends(given, release(held), reserve([[lamp, 3]]), reserve([[chair, 4]])), [
      "Done",
      "Placed",
      "out_of_stock",
    ])
  })

  it("may be a customer's limit, too", () => {
    const given = world({
      products: [product(lamp, { limitPerCustomer: 3, available: 9, stocked: 12 })],
      holds: [...rowsOf(held)],
    })
    assert.deepStrictEqual(ends(given, release(held), reserve([[lamp, 1]], { caller: bob }), reserve([[lamp, 1]])), [
      "Done",
      "Placed",
    ])
  })

  it("is not expected as a level of stock, since only the commit knows it", () => {
    const given = world({ holds: [...rowsOf(held)] })
    const batch = [release(held), reserve([[lamp, 1]]), reserve([[chair, 1]])]
    assert.deepStrictEqual([...planScene({ world: given, batch }).expected], [[chair, 2]])
  })
})

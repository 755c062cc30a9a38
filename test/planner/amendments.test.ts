/**
 * Edits of products among orders: those ahead of an edit do not see it, and those behind it are decided on what it left.
 */
import { assert, describe, it } from "@effect/vitest"
import {
  amend,
  chair,
  ends,
  hold,
  lamp,
  nothing,
  product,
  refusalOf,
  reserve,
  restock,
  verdicts,
  world,
} from "./cases.ts"
import { planScene } from "./planning.ts"

describe("an edit", () => {
  it("is made at the version that was edited, or at any where none is given, and answers the next", () => {
    const given = world({ products: [product(lamp, { version: 4 })] })
    assert.deepStrictEqual(verdicts(given, amend(lamp, { name: "Lamp" }, 4)), [{ _tag: "Amended", version: 5 }])
    assert.deepStrictEqual(verdicts(given, amend(lamp, { name: "Lamp" }, null)), [{ _tag: "Amended", version: 5 }])
    const change = { name: "Lamp", limitPerCustomer: null }
    const { write } = planScene({ world: given, batch: [amend(lamp, change, null)] })
    assert.deepStrictEqual(write.amendments, [{ productId: lamp, change, version: 4 }])
  })

  it("of another version is refused and says which there is", () => {
    const given = world({ products: [product(lamp, { version: 4 })] })
    for (const version of [3, 5]) {
      assert.deepStrictEqual(refusalOf(given, amend(lamp, { name: "Lamp" }, version)), {
        code: "version_mismatch",
        version: 4,
      })
    }
  })

  it("of a product that does not exist is refused, and of an archived one is not", () => {
    assert.deepStrictEqual(refusalOf(world(), amend(nothing, { name: "Lamp" })), {
      code: "unknown_product",
      productIds: [nothing],
    })
    const given = world({ products: [product(lamp, { archived: true })] })
    assert.deepStrictEqual(ends(given, amend(lamp, { archived: false })), ["Amended"])
  })

  it("of the currency is refused, and says which it has", () => {
    assert.deepStrictEqual(refusalOf(world(), amend(lamp, { price: { amount: 1, currency: "USD" } })), {
      code: "currency_fixed",
      currency: "EUR",
    })
    assert.deepStrictEqual(ends(world(), amend(lamp, { price: { amount: 1, currency: "EUR" } })), ["Amended"])
  })

  it("that archives what is archived changes nothing, whatever the version, and writes nothing", () => {
    const given = world({ products: [product(lamp, { archived: true, version: 4 })] })
    const again = amend(lamp, { archived: true }, 1)
    assert.deepStrictEqual(verdicts(given, again), [{ _tag: "Amended", version: 4 }])
    assert.deepStrictEqual(planScene({ world: given, batch: [again] }).write.amendments, [])
    assert.strictEqual(refusalOf(given, amend(lamp, { archived: true, name: "Lamp" }, 1)).code, "version_mismatch")
  })

  it("is not seen by orders ahead of it, and ends the plan before whatever meets it next", () => {
    const dearer = amend(lamp, { price: { amount: 999, currency: "EUR" } })
    const expecting = (total: number) => reserve([[lamp, 1]], { expectedTotal: { amount: total, currency: "EUR" } })
    assert.deepStrictEqual(ends(world(), expecting(100), dearer, expecting(100)), ["Placed", "Amended"])
    assert.deepStrictEqual(ends(world(), dearer, hold([[lamp, 1]])), ["Amended"])
    assert.deepStrictEqual(ends(world(), dearer, amend(lamp, { paused: true }, null)), ["Amended"])
    const both = reserve([
      [chair, 1],
      [lamp, 1],
    ])
    assert.deepStrictEqual(ends(world(), dearer, reserve([[chair, 1]]), both), ["Amended", "Placed"])
  })

  it("keeps nobody from other products, nor from moving the stock of its own", () => {
    assert.deepStrictEqual(
      ends(world(), amend(lamp, { archived: true }), restock(lamp, 5), amend(chair, {}), restock(lamp, -1)),
      ["Amended", "Moved", "Amended", "Moved"],
    )
  })

  it("that is refused ends no plan: those behind it are decided at once", () => {
    assert.deepStrictEqual(ends(world(), amend(lamp, { paused: true }, 9), reserve([[lamp, 1]])), [
      "version_mismatch",
      "Placed",
    ])
  })

  it("answers a retry of an order that is known without waiting for the next batch", () => {
    const order = reserve([[lamp, 1]])
    assert.deepStrictEqual(ends(world(), order, amend(lamp, { paused: true }), order), [
      "Placed",
      "Amended",
      "Repeated",
    ])
  })
})

/**
 * Checkouts in a batch, and the counts that limits are decided by: a cart is sold once a batch, and a customer's units
 * are counted from a product's first limit on.
 */
import { assert, describe, it } from "@effect/vitest"
import {
  ann,
  bob,
  chair,
  ends,
  lamp,
  placed,
  product,
  refusalOf,
  reserve,
  verdicts,
  type Wanted,
  world,
} from "./cases.ts"
import { planScene } from "./planning.ts"
import { cartVersion, orderId } from "./names.ts"

const checkout = (wanted: Wanted, caller = ann) => reserve(wanted, { caller, cartVersion })

describe("a checkout", () => {
  it("is placed with the version of the cart that was read", () => {
    const command = checkout([[lamp, 1]])
    const { write } = planScene({ world: world(), batch: [command] })
    assert.deepStrictEqual(
      write.orders.map((order) => order.command.cartVersion),
      [cartVersion],
    )
  })

  it("of a cart that is sold in this batch waits for the next one; another's does not", () => {
    const his = checkout([[lamp, 1]], bob)
    assert.deepStrictEqual(ends(world(), checkout([[lamp, 1]]), his, checkout([[chair, 1]])), ["Placed", "Placed"])
  })

  it("that is refused leaves the cart to the next", () => {
    assert.deepStrictEqual(ends(world(), checkout([[lamp, 9]]), checkout([[lamp, 1]])), ["out_of_stock", "Placed"])
  })

  it("with the key of one in this batch is its repeat, and no order without a cart waits for one", () => {
    const first = checkout([[lamp, 1]])
    const again = { ...first, orderId: orderId(904) }
    assert.deepStrictEqual(ends(world(), first, again, reserve([[lamp, 1]])), ["Placed", "Repeated", "Placed"])
    const known = world({ orders: [placed(first)] })
    assert.deepStrictEqual(ends(known, checkout([[chair, 1]]), again), ["Placed", "Repeated"])
  })
})

describe("a customer's units", () => {
  const before = (wanted: Wanted) => placed(reserve(wanted))
  const unitsBefore = (given: ReturnType<typeof world>, ...batch: ReadonlyArray<ReturnType<typeof reserve>>) =>
    planScene({ world: given, batch }).write.orders.map(({ lines }) => lines.map((line) => line.unitsBefore))

  it("bought before a limit was set count against it", () => {
    const given = world({ products: [product(lamp, { limitPerCustomer: 3, available: 9, stocked: 12 })] })
    const bought = { ...given, orders: [before([[lamp, 2]])] }
    assert.deepStrictEqual(refusalOf(bought, reserve([[lamp, 2]])), {
      code: "limit_exceeded",
      productId: lamp,
      allowed: 3,
      had: 2,
    })
    assert.deepStrictEqual(ends(given, reserve([[lamp, 2]])), ["Placed"])
  })

  it("of an order that was cancelled or expired do not count, those of a paid one do", () => {
    const products = [product(lamp, { limitPerCustomer: 3, available: 9, stocked: 12 })]
    const having = (status: "cancelled" | "expired" | "paid") =>
      world({ products, orders: [placed(reserve([[lamp, 2]]), { status })] })
    const outcomes = (["cancelled", "expired", "paid"] as const).map((status) =>
      ends(having(status), reserve([[lamp, 2]])).at(0),
    )
    assert.deepStrictEqual(outcomes, ["Placed", "Placed", "limit_exceeded"])
  })

  it("are written with what was there before the batch, the same for each of its orders", () => {
    const products = [product(lamp, { limitPerCustomer: 9, available: 9, stocked: 12 }), product(chair)]
    const given = world({ products, orders: [before([[lamp, 2]])] })
    const both = reserve([
      [lamp, 1],
      [chair, 1],
    ])
    const his = reserve([[lamp, 1]], { caller: bob })
    assert.deepStrictEqual(unitsBefore(given, both, reserve([[lamp, 3]]), his), [[2, null], [2], [0]])
  })

  it("go on being counted when the limit is gone, and then refuse nobody", () => {
    const given = world({ products: [product(lamp, { countsUnits: true, available: 9, stocked: 12 })] })
    const bought = { ...given, orders: [before([[lamp, 7]])] }
    const order = reserve([[lamp, 9]])
    assert.deepStrictEqual(
      verdicts(bought, order).map((verdict) => verdict._tag),
      ["Placed"],
    )
    assert.deepStrictEqual(unitsBefore(bought, order), [[7]])
  })
})

/**
 * Orders that end in a batch: the plan writes each once and leaves it to the commit whether it may still end, and
 * counts on nothing that it might give back.
 */
import { assert, describe, it } from "@effect/vitest"
import {
  amend,
  ann,
  bob,
  cancel,
  chair,
  ends,
  expire,
  heldElsewhere,
  lamp,
  placed,
  product,
  reserve,
  restock,
  world,
} from "./cases.ts"
import { planScene } from "./planning.ts"
import { here } from "./referenceWorld.ts"

describe("an order that ends", () => {
  const hers = placed(reserve([[lamp, 3]]))
  const soldOut = world({ products: [product(lamp, { available: 0 }), product(chair)], orders: [hers] })

  it("is written with its status and all of its lines, wherever they belong", () => {
    const order = placed(reserve([[lamp, 1]], { held: [heldElsewhere(2, 70)] }))
    for (const [command, status] of [[cancel(order), "cancelled"] as const, [expire(order), "expired"] as const]) {
      const { write } = planScene({ world: world({ orders: [order] }), batch: [command] })
      assert.deepStrictEqual(write.endings, [{ orderId: order.orderId, lines: command.lines, status }])
      assert.deepStrictEqual(
        command.lines.map((line) => line.shard),
        [here, 1],
      )
    }
  })

  it("is written once a batch, however often its caller cancels it", () => {
    const batch = [cancel(hers), reserve([[chair, 1]]), cancel(hers)]
    assert.deepStrictEqual(ends(soldOut, ...batch), ["Ending", "Placed", "Ending"])
    assert.lengthOf(planScene({ world: soldOut, batch }).write.endings, 1)
  })

  it("waits for the next batch to end in another way, since only the commit tells which way it ended", () => {
    assert.deepStrictEqual(ends(soldOut, cancel(hers), expire(hers)), ["Ending"])
    assert.deepStrictEqual(ends(soldOut, expire(hers), expire(hers)), ["Ending"])
    assert.deepStrictEqual(ends(soldOut, expire(hers), reserve([[chair, 1]]), cancel(hers)), ["Ending", "Placed"])
    const his = placed(reserve([[chair, 1]], { caller: bob }))
    assert.deepStrictEqual(ends(soldOut, cancel(hers), cancel(his)), ["Ending", "Ending"])
  })

  it("ends the plan before the first command that would need its units", () => {
    assert.deepStrictEqual(ends(soldOut, cancel(hers), reserve([[lamp, 1]]), reserve([[chair, 1]])), ["Ending"])
    assert.deepStrictEqual(ends(soldOut, expire(hers), restock(lamp, -1)), ["Ending"])
    assert.deepStrictEqual(ends(soldOut, cancel(hers), reserve([[chair, 1]]), reserve([[chair, 9]])), [
      "Ending",
      "Placed",
      "out_of_stock",
    ])
  })

  it("ends the plan before its own customer's next order where the limit stands in the way", () => {
    const limited = product(lamp, { limitPerCustomer: 3, available: 5, stocked: 8 })
    const given = world({ products: [limited, product(chair)], orders: [hers] })
    const his = reserve([[lamp, 1]], { caller: bob })
    assert.deepStrictEqual(ends(given, cancel(hers), his, reserve([[lamp, 1]])), ["Ending", "Placed"])
    assert.deepStrictEqual(ends(given, his, reserve([[lamp, 1]])), ["Placed", "limit_exceeded"])
  })

  it("gives nothing of another shard to this one", () => {
    const elsewhere = placed(reserve([], { held: [heldElsewhere(2, 70)] }))
    const given = world({ products: [product(lamp, { available: 0 })], orders: [elsewhere] })
    assert.deepStrictEqual(ends(given, cancel(elsewhere), reserve([[lamp, 1]])), ["Ending", "out_of_stock"])
  })

  it("is not expected as a level of stock, since only the commit knows whether it ends", () => {
    const given = world({ orders: [placed(reserve([[lamp, 1]]))] })
    const batch = [cancel(given.orders[0] ?? assert.fail("no order")), reserve([[lamp, 1]]), reserve([[chair, 1]])]
    assert.deepStrictEqual([...planScene({ world: given, batch }).expected], [[chair, 2]])
  })

  it("ends whatever became of its products: archived, paused or edited in this very batch", () => {
    const gone = product(lamp, { archived: true, paused: true })
    const given = world({ products: [gone, product(chair)], orders: [hers] })
    assert.deepStrictEqual(ends(given, cancel(hers)), ["Ending"])
    assert.deepStrictEqual(ends(soldOut, amend(lamp, { paused: true }), cancel(hers)), ["Amended", "Ending"])
    assert.strictEqual(hers.caller, ann)
  })
})

/**
 * Who waits for a product, and who is offered what there is of it before anybody else can take it.
 */
import { assert, describe, it } from "@effect/vitest"
import { offersMax } from "../../src/domain/bounds.ts"
import type { Command } from "../../src/domain/commands.ts"
import {
  amend,
  ann,
  bob,
  chair,
  ends,
  hold,
  lamp,
  nothing,
  product,
  refusalOf,
  reserve,
  restock,
  world,
} from "./cases.ts"
import { accept, decline, join, leave, offer, offered, waiting } from "./casesOfLives.ts"
import { callerId, merchantId, nowMillis } from "./names.ts"
import { planScene } from "./planning.ts"
import type { World } from "./referenceWorld.ts"

const eve = callerId(3)
/** Who is offered how much, in the order in which it is offered. */
const offersOf = (given: World, ...batch: ReadonlyArray<Command>): ReadonlyArray<readonly [string, number]> =>
  planScene({ world: given, batch }).write.offers.map(({ accountId, quantity }) => [accountId, quantity])

describe("a place on a waiting list", () => {
  it("is given for a product that has a list, within the customer's limit", () => {
    const given = world({
      products: [product(lamp, { limitPerCustomer: 2 }), product(chair, { waitlist: false })],
    })
    assert.deepStrictEqual(ends(given, join(lamp, 2)), ["Joined"])
    assert.deepStrictEqual(refusalOf(given, join(lamp, 3)), {
      code: "limit_exceeded",
      productId: lamp,
      allowed: 2,
      had: 0,
    })
    assert.deepStrictEqual(refusalOf(given, join(chair, 1)), { code: "no_waitlist", productId: chair })
    assert.deepStrictEqual(refusalOf(given, join(nothing, 1)), { code: "unknown_product", productIds: [nothing] })
    const archived = world({ products: [product(lamp, { archived: true })] })
    assert.strictEqual(refusalOf(archived, join(lamp, 1)).code, "unknown_product")
  })

  it("counts what an order ahead of it has taken of the limit", () => {
    const given = world({ products: [product(lamp, { limitPerCustomer: 2 })] })
    assert.deepStrictEqual(ends(given, reserve([[lamp, 1]]), join(lamp, 2)), ["Placed", "limit_exceeded"])
    assert.deepStrictEqual(ends(given, reserve([[lamp, 1]]), join(lamp, 1)), ["Placed", "Joined"])
  })

  it("is given and taken once a batch", () => {
    assert.deepStrictEqual(ends(world(), join(lamp, 1), join(chair, 1), join(lamp, 2)), ["Joined", "Joined"])
    assert.deepStrictEqual(ends(world(), join(lamp, 1), leave(lamp)), ["Joined"])
    assert.deepStrictEqual(ends(world(), leave(lamp), join(lamp, 1)), ["Done"])
    assert.deepStrictEqual(ends(world(), join(lamp, 1), join(lamp, 1, bob), leave(lamp, eve)), [
      "Joined",
      "Joined",
      "Done",
    ])
  })

  it("waits for the edit ahead of it", () => {
    assert.deepStrictEqual(ends(world(), amend(lamp, { waitlist: false }), join(lamp, 1)), ["Amended"])
  })
})

describe("an offer", () => {
  const [first, second, third] = [join(lamp, 5), join(lamp, 2, bob), join(lamp, 1, eve)]
  const given = world({ waiting: [first, second, third].map(waiting) })

  it("is made to the earliest whose quantity fits, and who wants more than there is is passed over", () => {
    assert.deepStrictEqual(offersOf(given, offer(lamp)), [
      [bob, 2],
      [eve, 1],
    ])
    const plenty = world({ ...given, products: [product(lamp, { available: 6, stocked: 6 })] })
    assert.deepStrictEqual(offersOf(plenty, offer(lamp)), [
      [ann, 5],
      [eve, 1],
    ])
  })

  it("comes before the order behind it, and after the one ahead of it", () => {
    assert.deepStrictEqual(ends(given, offer(lamp), reserve([[lamp, 1]])), ["Done", "out_of_stock"])
    assert.deepStrictEqual(offersOf(given, reserve([[lamp, 2]]), offer(lamp)), [[eve, 1]])
    assert.deepStrictEqual(offersOf(given, hold([[lamp, 3]]), offer(lamp)), [])
    assert.deepStrictEqual([...planScene({ world: given, batch: [offer(lamp)] }).expected], [[lamp, 0]])
  })

  it("leaves what nobody who waits can use to whoever asks", () => {
    const alone = world({ waiting: [waiting(first)] })
    assert.deepStrictEqual(ends(alone, offer(lamp), reserve([[lamp, 3]])), ["Done", "Placed"])
  })

  it("is made once a batch, and again where the batch has given something back since", () => {
    const batch = [offer(lamp), offer(lamp), reserve([[chair, 1]])]
    assert.deepStrictEqual(ends(given, ...batch), ["Done", "Done", "Placed"])
    assert.lengthOf(offersOf(given, ...batch), 2)
    assert.deepStrictEqual(ends(given, offer(lamp), restock(lamp, 5), offer(lamp)), ["Done", "Moved"])
  })

  it("waits for what the batch gives back, and for who joins in it", () => {
    assert.deepStrictEqual(ends(given, restock(lamp, 5), offer(lamp)), ["Moved"])
    assert.deepStrictEqual(ends(given, join(lamp, 1, callerId(4)), offer(lamp)), ["Joined"])
    assert.deepStrictEqual(ends(given, offer(lamp), join(lamp, 1, callerId(4))), ["Done"])
    assert.deepStrictEqual(ends(given, offer(lamp), leave(lamp, bob)), ["Done"])
  })

  it("passes over who leaves in this batch", () => {
    assert.deepStrictEqual(offersOf(given, leave(lamp, bob), offer(lamp)), [[eve, 1]])
  })

  it("is not made to who has bought up to the limit meanwhile: that place is given up", () => {
    const limited = product(lamp, { limitPerCustomer: 2 })
    const waitingTwo = world({ products: [limited], waiting: [second, third].map(waiting) })
    const batch = [reserve([[lamp, 1]], { caller: bob }), offer(lamp)]
    assert.deepStrictEqual(offersOf(waitingTwo, ...batch), [[eve, 1]])
    assert.deepStrictEqual(planScene({ world: waitingTwo, batch }).write.leaves, [leave(lamp, bob)])
    const writes = planScene({ world: waitingTwo, batch: [offer(lamp)] }).write.offers
    assert.deepStrictEqual(
      writes.map((row) => row.unitsBefore),
      [0, 0],
    )
  })

  it("is not made of what nobody could buy: without a list, paused, archived or not on sale yet", () => {
    const states = [{ waitlist: false }, { paused: true }, { archived: true }, { saleStartsAtMillis: nowMillis + 1 }]
    for (const state of states) {
      assert.deepStrictEqual(offersOf({ ...given, products: [product(lamp, state)] }, offer(lamp)), [])
    }
    const begins = { ...given, products: [product(lamp, { saleStartsAtMillis: nowMillis })] }
    assert.lengthOf(offersOf(begins, offer(lamp)), 2)
  })

  it("keeps its product from those behind it until everybody who waits was looked at", () => {
    const crowd = Array.from({ length: offersMax + 1 }, (_, number) => waiting(join(lamp, 1, callerId(10 + number))))
    const plenty = [product(lamp, { available: 500, stocked: 500 }), product(chair)]
    const crowded = world({ products: plenty, waiting: crowd })
    const batch = [offer(lamp), reserve([[chair, 1]]), reserve([[lamp, 1]])]
    assert.deepStrictEqual(ends(crowded, ...batch), ["Done", "Placed"])
    assert.lengthOf(offersOf(crowded, ...batch), offersMax)
    const planned = planScene({ world: crowded, batch })
    assert.deepStrictEqual([...planned.offered], [[lamp, { mayGoOn: true }]])
    const rest = { ...crowded, waiting: crowd.slice(0, offersMax) }
    assert.deepStrictEqual(ends(rest, ...batch), ["Done", "Placed", "Placed"])
  })
})

describe("what was offered", () => {
  const row = offered(join(lamp, 2, bob))
  const given = world({ products: [product(lamp, { available: 0 }), product(chair)], holds: [row] })

  it("is sold as it was held, whatever became of the product", () => {
    const dearer = { ...given, products: [product(lamp, { available: 0, price: 900, paused: true })] }
    const acceptance = accept(row)
    const { write } = planScene({ world: dearer, batch: [acceptance] })
    assert.deepStrictEqual(
      write.orders.map(({ lines, total }) => [lines, total]),
      [[[], 200]],
    )
  })

  it("is sold or given back once a batch", () => {
    const batches = [
      [accept(row), accept(row)],
      [accept(row), decline(row)],
      [decline(row), accept(row)],
      [decline(row), decline(row)],
    ]
    for (const batch of batches) assert.lengthOf(ends(given, ...batch), 1)
  })

  it("may come back to who is short of it, but not any more once it is sold", () => {
    const retryable = (...batch: ReadonlyArray<Command>) =>
      planScene({ world: given, batch }).decisions.map((decision) => {
        const outcome = decision._tag === "Answered" ? decision.outcome : null
        return outcome?._tag === "Refused" && outcome.refusal.code === "out_of_stock" && outcome.refusal.retryable
      })
    assert.deepStrictEqual(retryable(reserve([[lamp, 1]])), [true])
    assert.deepStrictEqual(retryable(accept(row), reserve([[lamp, 1]])), [false, false])
  })
})

describe("a merchant's products read anew", () => {
  it("are what the commands behind it are decided on, and not those ahead of it", () => {
    const refresh = { _tag: "Refresh", merchantId: merchantId(0) } as const
    const other = product(chair, { merchantId: merchantId(1) })
    const given = world({ products: [product(lamp), other] })
    assert.deepStrictEqual(ends(given, reserve([[lamp, 1]]), refresh, reserve([[chair, 1]]), reserve([[lamp, 1]])), [
      "Placed",
      "Done",
      "Placed",
    ])
    for (const behind of [hold([[lamp, 1]]), join(lamp, 1), offer(lamp)]) {
      assert.deepStrictEqual(ends(given, refresh, behind), ["Done"])
    }
  })
})

/**
 * Orders that are paid, shipped and delivered: what has become of them only their rows know, so a plan writes each change
 * down and leaves it to the commit, and changes an order once.
 */
import { assert, describe, it } from "@effect/vitest"
import { amend, bob, cancel, chair, ends, expire, lamp, placed, product, reserve, world } from "./cases.ts"
import { begun, deliver, extend, over, pay, ship } from "./casesOfLives.ts"
import { planScene } from "./planning.ts"

describe("an order's life", () => {
  const hers = placed(reserve([[lamp, 1]]))
  const his = placed(reserve([[chair, 1]], { caller: bob }))
  const given = world({ orders: [hers, his] })

  it("changes once a batch: what comes second for the same order waits for the next", () => {
    const payment = extend(hers)
    const parcel = ship(hers)
    const ways = [payment, pay(payment), parcel, deliver(parcel), cancel(hers), expire(hers)]
    for (const first of ways) {
      for (const second of ways) {
        const isSameCancel = first._tag === "Cancel" && second._tag === "Cancel"
        const both = ends(given, first, reserve([[chair, 1]]), second)
        assert.lengthOf(both, isSameCancel ? 3 : 2, `${first._tag}, then ${second._tag}`)
      }
    }
  })

  it("does not keep other orders waiting", () => {
    const payments = [extend(hers), extend(his)]
    const batch = [...payments, reserve([[lamp, 1]])]
    assert.deepStrictEqual(ends(given, ...batch), ["Change", "Change", "Placed"])
    assert.deepStrictEqual(planScene({ world: given, batch }).write.payments, payments)
  })

  it("begins to be paid once under one key, whichever order the key is used for", () => {
    const payment = extend(hers)
    const { caller, key } = payment
    assert.deepStrictEqual(ends(given, payment, extend(his, { caller, key })), ["Change"])
    assert.deepStrictEqual(ends(given, payment, extend(his, { key })), ["Change", "Change"])
  })

  it("is left to the commit where it cannot go on, since only the rows know", () => {
    const gone = { ...hers, ...over }
    const soldBefore = world({ orders: [gone, his], payments: [begun(extend(his))] })
    const batch = [extend(gone), extend(his)]
    assert.deepStrictEqual(ends(soldBefore, ...batch), ["Change", "Change"])
    const planned = planScene({ world: soldBefore, batch })
    assert.deepStrictEqual([planned.refuses, planned.write.payments], [false, batch])
  })

  it("takes nothing and gives nothing back until it is refunded", () => {
    const parcel = ship(his)
    const batch = [extend(hers), parcel]
    const { expected, write } = planScene({ world: given, batch })
    assert.deepStrictEqual([[...expected], write.shipments], [[], [parcel]])
    const refund = { ...cancel(hers), _tag: "Refund" } as const
    const soldOut = world({ products: [product(lamp, { available: 0 }), product(chair)], orders: [hers, his] })
    assert.deepStrictEqual(ends(soldOut, refund, reserve([[chair, 1]]), reserve([[lamp, 1]])), ["Ending", "Placed"])
    assert.strictEqual(planScene({ world: soldOut, batch: [refund] }).write.endings[0]?.status, "refunded")
  })
})

describe("how long a reservation lasts", () => {
  const quick = product(lamp, { reservationTtlSeconds: 60 })
  const quicker = product(chair, { reservationTtlSeconds: 30 })
  const ttlsOf = (...products: ReadonlyArray<typeof quick>) => {
    const batch = [
      reserve([
        [lamp, 1],
        [chair, 1],
      ]),
    ]
    return planScene({ world: world({ products: [...products] }), batch }).write.orders.map((order) => order.ttlMillis)
  }

  it("is the shortest that any of its products sets, and the service's where none does", () => {
    assert.deepStrictEqual(ttlsOf(quick, quicker), [30_000])
    assert.deepStrictEqual(ttlsOf(quick, product(chair)), [60_000])
    assert.deepStrictEqual(ttlsOf(product(lamp), product(chair)), [60_000])
    assert.deepStrictEqual(ttlsOf(product(lamp, { reservationTtlSeconds: 600 }), product(chair)), [600_000])
  })

  it("is decided by what the product is to the orders ahead of an edit", () => {
    const given = world({ products: [quick, product(chair)] })
    const batch = [reserve([[lamp, 1]]), amend(lamp, { reservationTtlSeconds: 5 }), reserve([[lamp, 1]])]
    const planned = planScene({ world: given, batch })
    assert.deepStrictEqual([planned.decisions.length, planned.write.orders[0]?.ttlMillis], [2, 60_000])
  })
})

import { assert, describe, it } from "@effect/vitest"
import { contradictions, unsettled } from "../../src/demo/audit.ts"
import type { Told, Visit } from "../../src/demo/crowd.ts"

const visit = (key: string, quantity: number, ...told: ReadonlyArray<Told>): Visit => ({
  buyer: { token: "", key, quantity, temper: "patient", hangUpsAfterMillis: [] },
  told,
  busyAnswers: 0,
  hangUps: 0,
  lostConnections: 0,
  latenciesMillis: [],
})
const bought = (orderId: string): Told => ({ _tag: "Bought", orderId, wasReplayed: false })
const soldOut: Told = { _tag: "Refused", code: "out_of_stock" }
const order = (id: string, units: number) => ({ id, status: "reserved", units })

describe("the demo's audit", () => {
  it("has nothing to say where everybody was told the truth", () => {
    const visits = [visit("a", 2, bought("1"), bought("1")), visit("b", 2, soldOut)]
    assert.deepStrictEqual(contradictions(visits, [order("1", 2)], { stocked: 3, available: 1 }), [])
  })

  it("leaves room for the order of somebody who never got an answer", () => {
    const visits = [visit("a", 2, { _tag: "Nothing" })]
    assert.deepStrictEqual(contradictions(visits, [order("1", 2)], { stocked: 3, available: 1 }), [])
  })

  it("finds each way in which answers and orders disagree", () => {
    const found = (visits: ReadonlyArray<Visit>, orders: Parameters<typeof contradictions>[1], available: number) =>
      contradictions(visits, orders, { stocked: 3, available })
    assert.deepStrictEqual(found([visit("a", 1, bought("1"))], [], 3), ["order 1 was confirmed and is not there"])
    assert.deepStrictEqual(found([visit("a", 2, soldOut)], [order("1", 2)], 1), [
      "order 1 is there, and nobody was told of it",
    ])
    assert.deepStrictEqual(found([visit("a", 1, bought("1"), bought("2"))], [order("1", 1), order("2", 1)], 1), [
      "key a got 2 orders",
    ])
    assert.deepStrictEqual(found([visit("a", 2, bought("1"), soldOut)], [order("1", 2)], 1), [
      "key a was both sold and refused",
    ])
    assert.deepStrictEqual(found([visit("a", 1, bought("1"))], [order("1", 2)], 1), [
      "order 1 has 2 units instead of 1",
    ])
    assert.deepStrictEqual(found([visit("a", 1, bought("1"))], [order("1", 1)], 1), [
      "orders hold 1 units, and 2 left the stock",
    ])
    assert.deepStrictEqual(found([visit("a", 2, soldOut)], [], 3), ["key a was refused 2 of 3 units left"])
    assert.deepStrictEqual(found([visit("a", 4, bought("1"))], [order("1", 4)], -1), ["1 units were sold twice"])
    assert.deepStrictEqual(found([visit("a", 1, { _tag: "Refused", code: "internal" })], [], 3), [
      "an order was refused with internal",
    ])
  })
})

describe("what is left when everybody has paid or forgotten it", () => {
  const stock = { stocked: 10, available: 4 }
  const statuses = (paid: number, open: number) =>
    new Map([
      ["paid", { orders: 2, units: paid }],
      ["expired", { orders: 1, units: 3 }],
      ...(open === 0 ? [] : [["reserved", { orders: open, units: open }] as const]),
    ])

  it("is nothing, where every unit is paid for or in stock", () => {
    assert.deepStrictEqual(unsettled(statuses(6, 0), stock), [])
  })

  it("is said, where units are neither, or an order is still open", () => {
    assert.deepStrictEqual(unsettled(statuses(5, 0), stock), ["5 units are paid for and 4 in stock, of 10"])
    assert.deepStrictEqual(unsettled(statuses(6, 1), stock), ["1 orders are neither paid nor over"])
  })
})

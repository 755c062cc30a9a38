/** What one correct stock counter can have answered, and what it cannot, in histories small enough to see why. */
import { assert, describe, it } from "@effect/vitest"
import { checkStock } from "./stockCounter.ts"
import type { Aside, StockOperation } from "./stockHistory.ts"

type Times = readonly [invokedAt: number, answeredAt: number]
const take = (quantity: number, [invokedAt, answeredAt]: Times, isOptional = false): StockOperation => ({
  kind: "take",
  quantity,
  invokedAt,
  answeredAt,
  isOptional,
})
const give = (quantity: number, [invokedAt, answeredAt]: Times, isOptional = false): StockOperation => ({
  kind: "give",
  quantity,
  invokedAt,
  answeredAt,
  isOptional,
})
const sees = (available: number, [invokedAt, answeredAt]: Times): StockOperation => ({
  kind: "reading",
  available,
  invokedAt,
  answeredAt,
})
const anyTime = Infinity

const verdict = (firstStock: number, operations: ReadonlyArray<StockOperation>, asides: ReadonlyArray<Aside> = []) =>
  checkStock({ firstStock, operations, asides })
const isPossible = (...history: Parameters<typeof verdict>) => verdict(...history).isLinearizable

describe("buyers of limited stock", () => {
  it("a shop nobody came to is correct", () => assert.isTrue(isPossible(3, [])))
  it("one buyer of the last unit has it", () => assert.isTrue(isPossible(1, [take(1, [0, 1])])))
  it("two buyers of the last unit cannot both have it", () =>
    assert.isFalse(isPossible(1, [take(1, [0, 5]), take(1, [0, 5])])))
  it("two buyers of the last unit both have it where one came back in between", () =>
    assert.isTrue(isPossible(1, [take(1, [0, 1]), give(1, [2, 3]), take(1, [4, 5])])))
  it("the second buyer cannot have the unit that only came back later", () =>
    assert.isFalse(isPossible(1, [take(1, [0, 1]), take(1, [2, 3]), give(1, [4, 5])])))
  it("an answer at the very instant of the next call leaves their order open", () =>
    assert.isTrue(isPossible(1, [take(1, [0, 1]), take(1, [2, 4]), give(1, [4, 5])])))
  it("says where every order got stuck", () => {
    const last = take(2, [4, 5])
    const answer = verdict(3, [take(1, [0, 1]), take(1, [2, 3]), last])
    if (answer.isLinearizable !== false) throw new Error("three units were four")
    assert.strictEqual(answer.stuckAt, last)
    assert.match(answer.explanation, /1 too few/)
  })
  it("shows an order that explains a correct history", () => {
    const [bought, back, looked] = [take(1, [0, 9]), give(2, [0, 9]), sees(2, [0, 9])]
    const answer = verdict(0, [bought, back, looked])
    if (answer.isLinearizable !== true) throw new Error("it was correct")
    const steps = answer.order.map(({ countAfter, kind }) => `${kind} leaves ${countAfter}`)
    assert.deepStrictEqual(steps, ["give leaves 2", "reading leaves 2", "take leaves 1"])
  })
})

describe("what refusals and looks saw", () => {
  it("a refusal naming the last unit may come before the buyer who got it was told", () =>
    assert.isTrue(isPossible(1, [take(1, [0, 5]), sees(1, [3, 4])])))
  it("a refusal naming 3 left after the third of three units was acknowledged is wrong", () =>
    assert.isFalse(isPossible(3, [take(1, [0, 1]), take(1, [0, 2]), take(1, [0, 3]), sees(3, [4, 5])])))
  it("a refusal naming 1 left while the third of three units is being bought may be right", () =>
    assert.isTrue(isPossible(3, [take(1, [0, 1]), take(1, [0, 2]), take(1, [0, 5]), sees(1, [4, 6])])))
  it("a count that no set of purchases leaves is wrong", () =>
    assert.isFalse(isPossible(9, [take(2, [0, 9]), take(4, [0, 9]), sees(6, [0, 9]), sees(4, [0, 9])])))
  it("two looks, one after the other, cannot see units come that nobody gave", () =>
    assert.isFalse(isPossible(5, [take(1, [0, 9]), take(1, [0, 9]), sees(3, [1, 2]), sees(4, [3, 4])])))
  it("two looks at once may be ordered as they please", () =>
    assert.isTrue(isPossible(5, [take(1, [0, 9]), take(1, [0, 9]), sees(3, [1, 4]), sees(4, [2, 3])])))
  it("a look sees the units that a purchase due later has taken", () =>
    assert.isTrue(isPossible(5, [take(1, [0, 3]), take(2, [0, 9]), sees(3, [1, 2]), sees(2, [4, 5])])))
  it("no look sees less than nothing", () => assert.isFalse(isPossible(0, [take(1, [0, 9], true), sees(-1, [0, 9])])))
})

describe("outcomes nobody knows", () => {
  it("a lost order may have taken the unit that is gone", () =>
    assert.isTrue(isPossible(1, [take(1, [0, anyTime], true), sees(0, [1, 2])])))
  it("a lost order may have taken nothing", () =>
    assert.isTrue(isPossible(1, [take(1, [0, anyTime], true), sees(1, [7, 8])])))
  it("a lost order may take its unit late", () =>
    assert.isTrue(isPossible(1, [take(1, [0, anyTime], true), sees(1, [1, 2]), sees(0, [3, 4])])))
  it("a lost order takes its units once", () =>
    assert.isFalse(isPossible(2, [take(1, [0, anyTime], true), sees(1, [1, 2]), sees(0, [3, 4])])))
  it("a lost order takes nothing before it was placed", () =>
    assert.isFalse(isPossible(1, [sees(0, [0, 1]), take(1, [2, anyTime], true)])))
  it("a lost order that is over by its end takes nothing later", () =>
    assert.isFalse(isPossible(1, [take(1, [0, 2], true), sees(1, [3, 4]), sees(0, [5, 6])])))
  it("a lost restock may have come before its end, though nobody saw it then", () =>
    assert.isTrue(isPossible(0, [give(1, [0, 2], true), take(1, [3, 4])])))
  it("an order may expire at any time after its end, or not be swept up yet", () => {
    assert.isTrue(isPossible(1, [take(1, [0, 1]), give(1, [5, anyTime], true), sees(0, [9, 10])]))
    assert.isTrue(isPossible(1, [take(1, [0, 1]), give(1, [5, anyTime], true), take(1, [6, 7])]))
  })
  it("an order does not expire before its end", () =>
    assert.isFalse(isPossible(1, [take(1, [0, 1]), give(1, [5, anyTime], true), take(1, [3, 4])])))
})

describe("units set aside", () => {
  it("a hold may be why a refusal saw less, and be gone for the next buyer", () =>
    assert.isTrue(isPossible(2, [sees(0, [1, 2]), take(2, [3, 4])], [{ quantity: 2, invokedAt: 0 }])))
  it("a hold may never come back", () =>
    assert.isTrue(isPossible(2, [sees(0, [1, 2]), sees(0, [8, 9])], [{ quantity: 2, invokedAt: 0 }])))
  it("a hold takes its units once", () =>
    assert.isFalse(isPossible(2, [sees(0, [1, 2]), sees(2, [3, 4]), sees(0, [5, 6])], [{ quantity: 2, invokedAt: 0 }])))
  it("a hold brings nothing that it did not take", () =>
    assert.isFalse(isPossible(2, [sees(4, [1, 2])], [{ quantity: 2, invokedAt: 0 }])))
  it("a hold takes nothing before it was asked for", () =>
    assert.isFalse(isPossible(2, [sees(0, [1, 2])], [{ quantity: 2, invokedAt: 3 }])))
  it("one of two holds may come back to make room for the other", () =>
    assert.isTrue(
      isPossible(
        2,
        [sees(0, [1, 2]), sees(2, [3, 4]), sees(0, [5, 6])],
        [
          { quantity: 2, invokedAt: 0 },
          { quantity: 2, invokedAt: 0 },
        ],
      ),
    ))
})

describe("the bound", () => {
  it("a search past its bound says that it does not know", () => {
    const looks = [sees(3, [0, 20]), sees(6, [0, 20]), sees(1, [0, 20])]
    const history = {
      firstStock: 9,
      operations: [...looks, ...[1, 2, 2, 4].map((quantity) => take(quantity, [0, 20]))],
    }
    const answer = checkStock(history, 1)
    assert.isNull(answer.isLinearizable)
    assert.isAbove(answer.visitedStates, 1)
  })
  it("an interval that ends before it begins is a mistake of the caller's", () => {
    assert.throws(() => checkStock({ firstStock: 1, operations: [take(1, [2, 1])] }), /before it was invoked/)
  })
})

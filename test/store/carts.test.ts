/**
 * Checkouts: an order sells the cart that it has read or nothing, and leaves it empty and one version further on.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { CallerId } from "../../src/domain/ids.ts"
import { heldPart, hold, movement, newCaller, newKey, order, orderOf, release, sell, stockOf } from "./selling.ts"
import { type ProductToSell, StoreUnderTest } from "./StoreUnderTest.ts"
import { onBothStores, refusal, rowsNow, writerOf } from "./suite.ts"

const cartOf = Effect.fnUntraced(function* (caller: CallerId) {
  const { carts } = yield* rowsNow
  return carts.find((row) => row.caller === caller) ?? assert.fail("no cart")
})

/** A caller of its own with a cart of these, and the version it is at. */
const shopper = Effect.fnUntraced(function* (...wanted: ReadonlyArray<readonly [ProductToSell, number]>) {
  const { fillCart } = yield* StoreUnderTest
  const caller = newCaller()
  const lines = wanted.map(([{ productId }, quantity]) => ({ productId, quantity }))
  return { caller, version: yield* fillCart(caller, lines) }
})

onBothStores("carts", (behaves) => {
  behaves(
    "a checkout places the order, empties the cart and raises its version",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const [buyer, other] = [yield* shopper([lamp, 2]), yield* shopper([lamp, 1])]
      const { caller, version } = buyer
      const applied = yield* writer.write({
        orders: [order([[lamp, 2]], { key: newKey(caller), cartVersion: version })],
      })
      assert.deepStrictEqual([applied.unplaced, applied.cartsChanged], [[], []])
      assert.deepStrictEqual(yield* cartOf(caller), { caller, version: version + 1, lines: [] })
      assert.deepInclude(yield* cartOf(other.caller), { version: other.version })
      assert.lengthOf((yield* cartOf(other.caller)).lines, 1)
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
    }),
  )

  behaves(
    "at another version than the cart's nothing is placed, taken or emptied, and the order is named twice",
    Effect.gen(function* () {
      const lamp = yield* sell({ limitPerCustomer: 3 })
      const writer = yield* writerOf(0)
      const { caller, version } = yield* shopper([lamp, 1])
      const before = yield* cartOf(caller)
      const nobody = order([[lamp, 1]], { key: newKey(newCaller()), cartVersion: 1 })
      for (const form of ["plain", "guarded"] as const) {
        for (const cartVersion of [version - 1, version + 1]) {
          const stale = order([[lamp, 1]], { key: newKey(caller), cartVersion })
          const applied = yield* writer.write({ form, orders: [stale, nobody] })
          const unplaced = [stale.command.orderId, nobody.command.orderId]
          assert.sameMembers([...applied.unplaced], unplaced)
          assert.sameMembers([...applied.cartsChanged], unplaced)
          assert.deepStrictEqual([applied.stock, applied.units], [[], []])
        }
      }
      assert.deepStrictEqual(yield* cartOf(caller), before)
      const { batches } = yield* rowsNow
      assert.deepStrictEqual(batches.find((row) => row.shard === 0 && row.batch === writer.batch)?.events, [])
    }),
  )

  behaves(
    "a cart is sold once: a second checkout of the version that was sold finds it changed",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const { caller, version } = yield* shopper([lamp, 1])
      const checkout = () => order([[lamp, 1]], { key: newKey(caller), cartVersion: version })
      yield* writer.write({ orders: [checkout()] })
      const again = checkout()
      assert.deepStrictEqual((yield* writer.write({ orders: [again] })).cartsChanged, [again.command.orderId])
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
    }),
  )

  behaves(
    "a checkout whose cart changed leaves the rest of its batch alone",
    Effect.gen(function* () {
      const lamp = yield* sell({ stocked: 9 })
      const writer = yield* writerOf(0)
      const [one, two] = [yield* shopper([lamp, 1]), yield* shopper([lamp, 2])]
      const stale = order([[lamp, 1]], { key: newKey(one.caller), cartVersion: one.version + 1 })
      const good = order([[lamp, 2]], { key: newKey(two.caller), cartVersion: two.version })
      const plain = order([[lamp, 3]])
      const applied = yield* writer.write({ orders: [stale, good, plain], movements: [movement(lamp, 1)] })
      assert.deepStrictEqual(applied.unplaced, [stale.command.orderId])
      assert.deepStrictEqual(applied.cartsChanged, [stale.command.orderId])
      assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 10, available: 5 }])
    }),
  )

  behaves(
    "a checkout whose key is known sells no cart: the cart stays as it is",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const { caller, version } = yield* shopper([lamp, 1])
      const key = newKey(caller)
      yield* writer.write({ orders: [order([[lamp, 1]], { key })] })
      const before = yield* cartOf(caller)
      const repeated = order([[lamp, 1]], { key, cartVersion: version })
      assert.strictEqual(yield* refusal(writer, { orders: [repeated] }), "23505")
      const applied = yield* writer.write({ form: "guarded", orders: [repeated] })
      assert.deepStrictEqual([applied.unplaced, applied.cartsChanged], [[repeated.command.orderId], []])
      assert.deepStrictEqual(yield* cartOf(caller), before)
    }),
  )

  behaves(
    "over several shards both have to be as they were read: the holds and the cart",
    Effect.gen(function* () {
      const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1 })]
      const [home, elsewhere] = [yield* writerOf(0), yield* writerOf(1)]
      const { caller, version } = yield* shopper([lamp, 1], [chair, 2])
      const held = hold([[chair, 2]], { key: newKey(caller) })
      yield* elsewhere.write({ holds: [held] })
      const parts = [heldPart(held, 1)]
      const stale = order([[lamp, 1]], { ...orderOf(held), held: parts, cartVersion: version + 1 })
      const first = yield* home.write({ orders: [stale] })
      assert.deepStrictEqual([first.unplaced, first.cartsChanged], [[stale.command.orderId], [stale.command.orderId]])
      const otherAttempt = parts.map((part) => ({
        ...part,
        lines: part.lines.map((line) => ({ ...line, quantity: 1 })),
      }))
      const unheld = order([[lamp, 1]], { ...orderOf(held), held: otherAttempt, cartVersion: version })
      const second = yield* home.write({ orders: [unheld] })
      assert.deepStrictEqual([second.unplaced, second.cartsChanged], [[unheld.command.orderId], []])
      assert.lengthOf((yield* cartOf(caller)).lines, 2)
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 3 })

      const good = order([[lamp, 1]], { ...orderOf(held), held: parts, cartVersion: version })
      assert.deepStrictEqual((yield* home.write({ orders: [good] })).unplaced, [])
      assert.deepStrictEqual(yield* cartOf(caller), { caller, version: version + 1, lines: [] })
      assert.deepStrictEqual((yield* elsewhere.write({ releases: [release(held)] })).stock, [])
    }),
  )
})

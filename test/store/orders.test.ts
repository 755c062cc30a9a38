/**
 * Orders of one shard: what a plain batch and a guarded one write, and what they leave out.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { ann, bob, newFingerprint, newKey, order, sell, stockOf } from "./selling.ts"
import { onBothStores, refusal, rowsNow, writerOf } from "./suite.ts"

onBothStores("orders", (behaves) => {
  behaves(
    "an order takes its units and has its lines",
    Effect.gen(function* () {
      const [lamp, chair] = [yield* sell(), yield* sell({ price: 250, stocked: 5 })]
      const writer = yield* writerOf(0)
      const placed = order([
        [lamp, 2],
        [chair, 5],
      ])
      const applied = yield* writer.write({ orders: [placed] })

      const { orderId } = placed.command
      assert.deepStrictEqual(applied.unplaced, [])
      assert.sameDeepMembers(
        [...applied.stock],
        [
          { productId: lamp.productId, stocked: 3, available: 1 },
          { productId: chair.productId, stocked: 5, available: 0 },
        ],
      )
      const { batches, orderLines, orders } = yield* rowsNow
      assert.deepInclude(orders, {
        orderId,
        caller: ann,
        customerRef: null,
        status: "reserved",
        total: 1_450,
        homeShard: 0,
      })
      assert.sameDeepMembers(
        orderLines.filter((line) => line.orderId === orderId),
        [
          { orderId, productId: lamp.productId, quantity: 2, unitPrice: 100 },
          { orderId, productId: chair.productId, quantity: 5, unitPrice: 250 },
        ],
      )
      const record = batches.find((row) => row.shard === 0 && row.batch === writer.batch)
      assert.deepStrictEqual(record?.events, [{ type: "order.reserved", orderId }])
      assert.strictEqual(record?.committedAtMillis, applied.atMillis)
    }),
  )

  behaves(
    "orders of one batch add up, product by product",
    Effect.gen(function* () {
      const lamp = yield* sell({ stocked: 10 })
      const writer = yield* writerOf(0)
      const applied = yield* writer.write({ orders: [order([[lamp, 3]]), order([[lamp, 4]])] })
      assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 10, available: 3 }])
    }),
  )

  behaves(
    "a plain batch with a known key is refused whole, and its number stays free",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const key = newKey()
      yield* writer.write({ orders: [order([[lamp, 1]], { key })] })
      assert.strictEqual(yield* refusal(writer, { orders: [order([[lamp, 1]]), order([[lamp, 1]], { key })] }), "23505")
      yield* writer.write({ orders: [order([[lamp, 1]])] })
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
    }),
  )

  behaves(
    "a guarded batch leaves out the orders whose key is known, whatever they ask for, and takes nothing for them",
    Effect.gen(function* () {
      const lamp = yield* sell({ stocked: 9, limitPerCustomer: 9 })
      const writer = yield* writerOf(0)
      const key = newKey()
      yield* writer.write({ orders: [order([[lamp, 1]], { key })] })
      const repeated = order([[lamp, 2]], { key: { ...key, fingerprint: newFingerprint() } })
      const fresh = order([[lamp, 3]], { key: newKey(bob) })
      const applied = yield* writer.write({ form: "guarded", orders: [repeated, fresh] })

      assert.deepStrictEqual(applied.unplaced, [repeated.command.orderId])
      assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 9, available: 5 }])
      assert.deepStrictEqual(applied.units, [{ productId: lamp.productId, customer: bob, units: 3 }])
      const { batches, orderLines } = yield* rowsNow
      assert.notDeepNestedInclude(orderLines, { orderId: repeated.command.orderId })
      const record = batches.find((row) => row.shard === 0 && row.batch === writer.batch)
      assert.deepStrictEqual(record?.events, [{ type: "order.reserved", orderId: fresh.command.orderId }])
    }),
  )

  behaves(
    "of two orders of one guarded batch with one key, one is placed",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const key = newKey()
      const twins = [order([[lamp, 1]], { key }), order([[lamp, 1]], { key })]
      const applied = yield* writer.write({ form: "guarded", orders: twins })
      assert.lengthOf(applied.unplaced, 1)
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
    }),
  )

  behaves(
    "two callers may use one key",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const [hers, his] = [newKey(ann), newKey(bob)]
      yield* writer.write({
        orders: [order([[lamp, 1]], { key: hers }), order([[lamp, 1]], { key: { ...his, key: hers.key } })],
      })
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
    }),
  )
})

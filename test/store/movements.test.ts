/**
 * Movements of stock, and what comes and goes in one batch.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { ann, bob, hold, movement, newKey, order, release, sell } from "./selling.ts"
import { onBothStores, refusal, writerOf } from "./suite.ts"

onBothStores("movements", (behaves) => {
  behaves(
    "a movement changes what is stocked and what is available, and is written once a key",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const [received, writtenOff] = [movement(lamp, 7), movement(lamp, -4)]
      yield* writer.write({ movements: [received] })
      const applied = yield* writer.write({ movements: [writtenOff] })
      assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 6, available: 6 }])
      assert.strictEqual(yield* refusal(writer, { movements: [movement(lamp, 1, received)] }), "23505")
      const repeated = movement(lamp, 1, received)
      const guarded = yield* writer.write({ form: "guarded", movements: [repeated] })
      assert.deepStrictEqual([guarded.unmoved, guarded.stock], [[repeated.movementId], []])
    }),
  )

  behaves(
    "what comes and what goes in one batch is one step: only its sum has to fit",
    Effect.gen(function* () {
      const lamp = yield* sell({ limitPerCustomer: 9 })
      const writer = yield* writerOf(0)
      const held = hold([[lamp, 2]])
      yield* writer.write({ holds: [held] })
      const applied = yield* writer.write({
        orders: [order([[lamp, 4]])],
        releases: [release(held)],
        movements: [movement(lamp, 3)],
        holds: [hold([[lamp, 1]], { key: newKey(bob) })],
      })
      assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 6, available: 1 }])
      assert.sameDeepMembers(
        [...applied.units],
        [
          { productId: lamp.productId, customer: ann, units: 4 },
          { productId: lamp.productId, customer: bob, units: 1 },
        ],
      )
    }),
  )
})

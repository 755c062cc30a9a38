/**
 * The fence: only the lease's epoch and its next number ever change a row.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { BatchWrite } from "../../src/domain/batch.ts"
import { heldPart, hold, leaseOf, movement, order, orderOf, sell, stockOf, takeOver } from "./selling.ts"
import { StoreUnderTest } from "./StoreUnderTest.ts"
import { onBothStores, isApplied, writerOf } from "./suite.ts"

onBothStores("the fence", (behaves) => {
  behaves(
    "a batch under an old epoch, a used number or a number ahead is not applied",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const { first, second } = yield* StoreUnderTest
      const old = yield* takeOver(first, 0)
      yield* old.write({ orders: [order([[lamp, 1]])] })
      const writer = yield* takeOver(second, 0)
      assert.strictEqual(writer.epoch, old.epoch + 1)
      assert.strictEqual(writer.batch, old.batch)

      const commit = (at: Partial<BatchWrite>) =>
        isApplied(writer.store.commit({ ...writer.next({ orders: [order([[lamp, 1]])] }), ...at }))
      assert.isFalse(yield* isApplied(old.store.commit(old.next({ orders: [order([[lamp, 1]])] }))))
      assert.isFalse(yield* commit({ epoch: writer.epoch + 1 }))
      assert.isFalse(yield* commit({ batch: writer.batch }))
      assert.isFalse(yield* commit({ batch: writer.batch + 2 }))
      assert.isFalse(yield* commit({ shard: 99 }))
      assert.isTrue(yield* commit({}))
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
    }),
  )

  behaves(
    "an attempt that arrives again changes nothing, whatever it carries",
    Effect.gen(function* () {
      const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1 })]
      const elsewhere = yield* writerOf(1)
      const placed = hold([[chair, 1]])
      yield* elsewhere.write({ holds: [placed] })
      const writer = yield* writerOf(0)
      const write = writer.next({
        orders: [order([[lamp, 1]], { ...orderOf(placed), held: [heldPart(placed, 1)] })],
        movements: [movement(lamp, 5)],
      })
      assert.isTrue(yield* isApplied(writer.store.commit(write)))
      assert.isFalse(yield* isApplied(writer.store.commit(write)))
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 8, available: 7 })
    }),
  )

  behaves(
    "a voided number is used up: an attempt under it that comes late is not applied",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const write = writer.next({ orders: [order([[lamp, 1]])] })
      const { batch, epoch } = write
      assert.strictEqual((yield* writer.store.voidBatch(0, { epoch, batch }))._tag, "Applied")
      assert.isFalse(yield* isApplied(writer.store.commit(write)))
      const { lease, record } = yield* writer.store.inspect(0, batch)
      assert.deepStrictEqual(lease, { epoch, batch })
      assert.deepInclude(record, { epoch, voided: true })
      writer.batch = batch
      yield* writer.write({ orders: [order([[lamp, 1]])] })
    }),
  )

  behaves(
    "a number that was applied, or belongs to another epoch, cannot be voided",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const { first, second } = yield* StoreUnderTest
      const writer = yield* takeOver(first, 0)
      yield* writer.write({ orders: [order([[lamp, 1]])] })
      const { batch, epoch } = writer
      assert.strictEqual((yield* first.voidBatch(0, { epoch, batch }))._tag, "NotApplied")
      assert.deepInclude((yield* first.inspect(0, batch)).record, { epoch, voided: false })
      yield* takeOver(second, 0)
      assert.strictEqual((yield* first.voidBatch(0, { epoch, batch: batch + 1 }))._tag, "NotApplied")
      assert.isNull((yield* first.inspect(0, batch + 1)).record)
    }),
  )

  behaves(
    "a batch that carries nothing uses its number",
    Effect.gen(function* () {
      const writer = yield* writerOf(0)
      const applied = yield* writer.write({})
      assert.deepStrictEqual([applied.stock, applied.units, applied.unplaced], [[], [], []])
      assert.deepInclude(yield* leaseOf(writer.store, 0), { epoch: writer.epoch, batch: writer.batch })
    }),
  )

  behaves(
    "several shards are taken over at once, each with an epoch of its own",
    Effect.gen(function* () {
      const { first } = yield* StoreUnderTest
      const before = [yield* leaseOf(first, 2), yield* leaseOf(first, 3)] as const
      const leases = yield* first.acquire([3, 2], "a test")
      assert.deepInclude(leases.get(2), { batch: before[0].batch, epoch: before[0].epoch + 1 })
      assert.deepInclude(leases.get(3), { batch: before[1].batch, epoch: before[1].epoch + 1 })
    }),
  )
})

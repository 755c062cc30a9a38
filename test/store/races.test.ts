/**
 * The commit protocol on real PostgreSQL with two writers and a third party that holds locks, cuts connections and loses
 * answers: at most one attempt is ever applied, and nobody is told "nothing happened" of what may still happen.
 */
import { assert, describe } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { ShardStore } from "../../src/inventory/store/ShardStore.ts"
import * as PostgresShardStore from "../../src/inventory/store/PostgresShardStore.ts"
import { DatabaseAddress } from "../../src/platform/Database.ts"
import { lockLease, lockStock, openTransaction, terminate, waitingWriters, writers } from "./contention.ts"
import * as LossyLink from "./lossyLink.ts"
import { hold, leaseOf, order, sell, stockOf, takeOver } from "./selling.ts"
import { StoreUnderTest } from "./StoreUnderTest.ts"
import { betweenTwoWriters, tagOf } from "./twoWriters.ts"

/** A third writer, whose connections go through a link that loses what it is told to lose. */
const writerBehindLink = Effect.gen(function* () {
  const link = yield* LossyLink.make(yield* DatabaseAddress)
  const behind = Layer.fresh(PostgresShardStore.layer).pipe(Layer.provide(Layer.succeed(DatabaseAddress, link.address)))
  return { link, store: Context.get(yield* Layer.build(behind), ShardStore) }
})

betweenTwoWriters("one shard", (behaves) => {
  describe("one batch number", () => {
    behaves(
      "of one statement sent twice, whose first attempt was under way, one is applied",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const lamp = yield* sell()
        const writer = yield* takeOver(first, 0)
        const write = writer.next({ orders: [order([[lamp, 1]])] })
        const lock = yield* lockLease(0)
        const early = yield* Effect.forkChild(tagOf(first.commit(write)))
        yield* waitingWriters(1)
        const again = yield* Effect.forkChild(tagOf(second.commit(write)))
        yield* waitingWriters(2)
        yield* lock.end
        assert.sameMembers([yield* Fiber.join(early), yield* Fiber.join(again)], ["Applied", "NotApplied"])
        assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
        assert.deepInclude((yield* first.inspect(0, write.batch)).record, { epoch: write.epoch, voided: false })
      }),
    )

    behaves(
      "a first attempt that arrives after its retry is not applied, even where it waited on the way",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const lamp = yield* sell()
        const writer = yield* takeOver(first, 0)
        const write = writer.next({ orders: [order([[lamp, 1]])] })
        const lock = yield* lockStock(lamp)
        const retry = yield* Effect.forkChild(tagOf(second.commit(write)))
        yield* waitingWriters(1)
        const late = yield* Effect.forkChild(tagOf(first.commit(write)))
        yield* waitingWriters(2)
        yield* lock.end
        assert.deepStrictEqual([yield* Fiber.join(retry), yield* Fiber.join(late)], ["Applied", "NotApplied"])
        assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
      }),
    )

    behaves(
      "a first attempt that waits behind a void is not applied, and its commands may take another number",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const lamp = yield* sell()
        const writer = yield* takeOver(first, 0)
        const write = writer.next({ orders: [order([[lamp, 1]])] })
        const lock = yield* lockLease(0)
        const voiding = yield* Effect.forkChild(tagOf(second.voidBatch(0, write)))
        yield* waitingWriters(1)
        const late = yield* Effect.forkChild(tagOf(first.commit(write)))
        yield* waitingWriters(2)
        yield* lock.end
        assert.deepStrictEqual([yield* Fiber.join(voiding), yield* Fiber.join(late)], ["Applied", "NotApplied"])
        assert.deepInclude((yield* first.inspect(0, write.batch)).record, { voided: true })
        writer.batch = write.batch
        yield* writer.write({ orders: write.orders })
        assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
      }),
    )

    behaves(
      "a void that comes in behind the attempt it was meant for finds it applied",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const lamp = yield* sell()
        const writer = yield* takeOver(first, 0)
        const write = writer.next({ orders: [order([[lamp, 1]])] })
        const lock = yield* lockStock(lamp)
        const early = yield* Effect.forkChild(tagOf(first.commit(write)))
        yield* waitingWriters(1)
        const voiding = yield* Effect.forkChild(tagOf(second.voidBatch(0, write)))
        yield* waitingWriters(2)
        yield* lock.end
        assert.deepStrictEqual([yield* Fiber.join(early), yield* Fiber.join(voiding)], ["Applied", "NotApplied"])
        assert.deepInclude((yield* second.inspect(0, write.batch)).record, { epoch: write.epoch, voided: false })
      }),
    )
  })

  describe("a takeover", () => {
    behaves(
      "waits for the statement that runs, and counts it",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const lamp = yield* sell()
        const writer = yield* takeOver(first, 0)
        const write = writer.next({ orders: [order([[lamp, 1]])] })
        const lock = yield* lockStock(lamp)
        const running = yield* Effect.forkChild(tagOf(first.commit(write)))
        yield* waitingWriters(1)
        const taking = yield* Effect.forkChild(takeOver(second, 0))
        yield* waitingWriters(2)
        yield* lock.end
        assert.strictEqual(yield* Fiber.join(running), "Applied")
        const taken = yield* Fiber.join(taking)
        assert.deepInclude(taken, { epoch: writer.epoch + 1, batch: write.batch })
        assert.strictEqual(yield* tagOf(first.commit({ ...write, batch: write.batch + 1 })), "NotApplied")
      }),
    )

    behaves(
      "that was there first keeps the old writer's attempt out for ever",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const lamp = yield* sell()
        const old = yield* takeOver(first, 0)
        const write = old.next({ orders: [order([[lamp, 1]])] })
        const lock = yield* lockLease(0)
        const taking = yield* Effect.forkChild(takeOver(second, 0))
        yield* waitingWriters(1)
        const late = yield* Effect.forkChild(tagOf(first.commit(write)))
        yield* waitingWriters(2)
        yield* lock.end
        const taken = yield* Fiber.join(taking)
        assert.strictEqual(taken.batch, old.batch)
        assert.strictEqual(yield* Fiber.join(late), "NotApplied")
        assert.strictEqual(yield* tagOf(first.voidBatch(0, write)), "NotApplied")
        yield* taken.write({ orders: [order([[lamp, 2]])] })
        assert.strictEqual(yield* tagOf(first.commit(write)), "NotApplied")
        assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
      }),
    )

    behaves(
      "does not wait for ever for a writer that stands still in its statement",
      Effect.gen(function* () {
        const { second } = yield* StoreUnderTest
        const before = yield* leaseOf(second, 0)
        yield* openTransaction("update shard_leases set batch = batch + 1 where shard = 0")
        const taken = yield* takeOver(second, 0)
        assert.deepInclude(taken, { epoch: before.epoch + 1, batch: before.batch })
      }),
    )
  })

  describe("a lost connection", () => {
    behaves(
      "before the commit leaves it to be sent again, and it is applied once",
      Effect.gen(function* () {
        const { first } = yield* StoreUnderTest
        const lamp = yield* sell()
        const writer = yield* takeOver(first, 0)
        const write = writer.next({ orders: [order([[lamp, 1]])] })
        yield* leaseOf(first, 0)
        yield* terminate(yield* writers)
        const once = yield* tagOf(first.commit(write))
        assert.include(["StoreUnknown", "Applied"], once)
        assert.strictEqual(yield* tagOf(first.commit(write)), once === "Applied" ? "NotApplied" : "Applied")
        assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
      }),
    )

    behaves(
      "during the commit is unknown, since FATAL is no answer to it; sent again it is applied once",
      Effect.gen(function* () {
        const { first } = yield* StoreUnderTest
        const lamp = yield* sell()
        const writer = yield* takeOver(first, 0)
        const write = writer.next({ orders: [order([[lamp, 1]])] })
        const lock = yield* lockStock(lamp)
        const running = yield* Effect.forkChild(tagOf(first.commit(write)))
        yield* terminate(yield* waitingWriters(1))
        assert.strictEqual(yield* Fiber.join(running), "StoreUnknown")
        assert.isNull((yield* first.inspect(0, write.batch)).record)
        yield* lock.end
        assert.strictEqual(yield* tagOf(first.commit(write)), "Applied")
        assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
      }),
    )

    behaves(
      "after the commit is unknown too; sent again it is not applied, and the log says that it was",
      Effect.gen(function* () {
        const { link, store } = yield* writerBehindLink
        const lamp = yield* sell()
        const writer = yield* takeOver(store, 0)
        yield* writer.write({ orders: [order([[lamp, 1]])] })
        const write = writer.next({ orders: [order([[lamp, 1]])] })
        link.mode = "answersLost"
        assert.strictEqual(yield* tagOf(store.commit(write)), "StoreUnknown")
        link.mode = "open"
        assert.strictEqual(yield* tagOf(store.commit(write)), "NotApplied")
        const { lease, record } = yield* store.inspect(0, write.batch)
        assert.deepInclude(lease, { epoch: write.epoch, batch: write.batch })
        assert.deepInclude(record, { epoch: write.epoch, voided: false })
        assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
      }),
    )
  })

  describe("an answer", () => {
    behaves(
      "that does not come in time is unknown, for a commit and for a void",
      Effect.gen(function* () {
        const { link, store } = yield* writerBehindLink
        const lamp = yield* sell()
        const writer = yield* takeOver(store, 0)
        yield* writer.write({ orders: [order([[lamp, 1]])] })
        const write = writer.next({ orders: [order([[lamp, 1]])] })
        link.mode = "silent"
        assert.strictEqual(yield* tagOf(store.commit(write)), "StoreUnknown")
        link.mode = "open"
        assert.strictEqual(yield* tagOf(store.voidBatch(0, write)), "NotApplied")
        assert.deepInclude((yield* store.inspect(0, write.batch)).record, { voided: false })
        link.mode = "answersLost"
        const next = { ...write, batch: write.batch + 1 }
        assert.strictEqual(yield* tagOf(store.voidBatch(0, next)), "StoreUnknown")
        link.mode = "open"
        assert.deepInclude((yield* store.inspect(0, next.batch)).record, { voided: true })
      }),
    )

    behaves(
      "that a lock was not to be had is definite: nothing happened, and the number stays free",
      Effect.gen(function* () {
        const { first } = yield* StoreUnderTest
        const lamp = yield* sell()
        const writer = yield* takeOver(first, 0)
        const write = writer.next({ orders: [order([[lamp, 1]])] })
        const lock = yield* lockStock(lamp)
        const error = yield* Effect.flip(first.commit(write))
        assert.deepInclude(error, { _tag: "StoreRejected", sqlState: "55P03" })
        yield* lock.end
        assert.strictEqual(yield* tagOf(first.commit(write)), "Applied")
      }),
    )
  })

  behaves(
    "a merchant's open edit of a product does not stall its sale",
    Effect.gen(function* () {
      const { first } = yield* StoreUnderTest
      const lamp = yield* sell({ limitPerCustomer: 3 })
      const writer = yield* takeOver(first, 0)
      const edit = yield* openTransaction(
        `update products set name = 'edited', price = 1 where id = '${lamp.productId}'`,
      )
      yield* writer.write({ orders: [order([[lamp, 1]])], holds: [hold([[lamp, 1]])] })
      yield* edit.end
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
    }),
  )
})

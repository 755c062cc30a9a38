/**
 * The commit protocol on real PostgreSQL with two writers and a third party that holds locks, cuts connections and loses
 * answers: at most one attempt is ever applied, and nobody is told "nothing happened" of what may still happen.
 */
import type { PgClient } from "@effect/sql-pg"
import { assert, describe, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, type Scope } from "effect"
import { ShardStore } from "../../src/inventory/ShardStore.ts"
import * as PostgresShardStore from "../../src/inventory/PostgresShardStore.ts"
import { DatabaseAddress } from "../../src/platform/Database.ts"
import { lockLease, lockStock, openTransaction, terminate, waitingWriters, writers } from "./contention.ts"
import * as LossyLink from "./lossyLink.ts"
import {
  attempt,
  booksBalance,
  extension,
  heldPart,
  hold,
  leaseOf,
  newCaller,
  newKey,
  order,
  orderOf,
  release,
  sell,
  cancel,
  returnsOf,
  stockOf,
  takeOver,
} from "./selling.ts"
import { type ProductToSell, StoreUnderTest } from "./StoreUnderTest.ts"

type Needs = StoreUnderTest | DatabaseAddress | PgClient.PgClient | Scope.Scope

/** How often a race is run whose outcome is not forced. */
const raceRounds = 60

const tagOf = <A extends { readonly _tag: string }, E extends { readonly _tag: string }>(commit: Effect.Effect<A, E>) =>
  Effect.match(commit, { onSuccess: ({ _tag }) => _tag, onFailure: ({ _tag }) => _tag })

/** A third writer, whose connections go through a link that loses what it is told to lose. */
const writerBehindLink = Effect.gen(function* () {
  const link = yield* LossyLink.make(yield* DatabaseAddress)
  const behind = Layer.fresh(PostgresShardStore.layer).pipe(Layer.provide(Layer.succeed(DatabaseAddress, link.address)))
  return { link, store: Context.get(yield* Layer.build(behind), ShardStore) }
})

layer(StoreUnderTest.postgres, { excludeTestServices: true })("two writers on PostgreSQL", (it) => {
  const behaves = (sentence: string, test: Effect.Effect<void, unknown, Needs>) =>
    it.effect(sentence, () => Effect.andThen(Effect.scoped(test), booksBalance))

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

  describe("two shards", () => {
    behaves(
      "two customers' keys that cross over two shards never deadlock, and each key is one order",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const [lamp, chair] = [yield* sell({ stocked: 10_000 }), yield* sell({ shard: 1, stocked: 10_000 })]
        const [home, away] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
        for (let round = 0; round < raceRounds; round++) {
          const keys = Array.from({ length: 20 }, () => newKey(newCaller()))
          const batches = [
            home.write({ form: "guarded", orders: keys.map((key) => order([[lamp, 1]], { key })) }),
            away.write({ form: "guarded", orders: keys.toReversed().map((key) => order([[chair, 1]], { key })) }),
          ]
          const [here, there] = yield* Effect.all(batches, { concurrency: "unbounded" })
          assert.strictEqual((here?.unplaced.length ?? 0) + (there?.unplaced.length ?? 0), keys.length)
        }
        const taken = 20_000 - (yield* stockOf(lamp)).available - (yield* stockOf(chair)).available
        assert.strictEqual(taken, raceRounds * 20)
      }),
    )

    behaves(
      "two batches stopped in the middle of the same keys, given in opposite order, do not lock each other out",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1 })]
        const [home, away] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
        const keys = Array.from({ length: 3 }, () => newKey(newCaller())).toSorted((left, right) =>
          left.caller < right.caller ? -1 : 1,
        )
        const middle = keys[1] ?? assert.fail("no key in the middle")
        const stop = yield* openTransaction(`insert into orders
          (id, caller, key, fingerprint, home_shard, total, currency, created_at, expires_at)
          values (gen_random_uuid(), '${middle.caller}', '${middle.key}', decode('${middle.fingerprint}', 'hex'), 0, 0, 'EUR',
            now(), now() + interval '1 minute')`)
        const ordersOf = (product: ProductToSell, given: typeof keys) =>
          given.map((key) => order([[product, 1]], { key }))
        const here = yield* Effect.forkChild(home.write({ form: "guarded", orders: ordersOf(lamp, keys) }))
        yield* waitingWriters(1)
        const there = yield* Effect.forkChild(
          away.write({ form: "guarded", orders: ordersOf(chair, keys.toReversed()) }),
        )
        yield* waitingWriters(2)
        yield* stop.end
        const unplaced = [yield* Fiber.join(here), yield* Fiber.join(there)].map((applied) => applied.unplaced.length)
        assert.deepStrictEqual(unplaced, [0, 3])
      }),
    )

    behaves(
      "a release and the order that consumes its hold, at the same time: one of them has the units",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const [lamp, chair] = [
          yield* sell({ stocked: 1_000 }),
          yield* sell({ shard: 1, stocked: 1_000, limitPerCustomer: 1_000 }),
        ]
        const [home, away] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
        for (let round = 0; round < raceRounds; round++) {
          const held = hold([[chair, 1]])
          yield* away.write({ holds: [held] })
          const before = (yield* stockOf(chair)).available
          const placing = home.write({ orders: [order([[lamp, 1]], { ...orderOf(held), held: [heldPart(held, 1)] })] })
          const releasing = away.write({ releases: [release(held)] })
          const [placed, released] = yield* Effect.all([placing, releasing], { concurrency: "unbounded" })
          const hasUnits = placed.unplaced.length === 0
          assert.strictEqual(released.stock.length, hasUnits ? 0 : 1)
          assert.strictEqual((yield* stockOf(chair)).available, hasUnits ? before : before + 1)
        }
      }),
    )

    behaves(
      "a release finds nothing of a hold that an order is about to consume",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1 })]
        const [home, away] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
        const held = hold([[chair, 2]])
        yield* away.write({ holds: [held] })
        const lock = yield* lockStock(lamp)
        const placed = order([[lamp, 1]], { ...orderOf(held), held: [heldPart(held, 1)] })
        const placing = yield* Effect.forkChild(home.write({ orders: [placed] }))
        yield* waitingWriters(1)
        const released = yield* away.write({ releases: [release(held)] })
        const extended = yield* away.write({ extensions: [extension(held, attempt(2))] })
        assert.deepStrictEqual([released.stock, extended.unextended.length], [[], 1])
        yield* lock.end
        assert.deepStrictEqual((yield* Fiber.join(placing)).unplaced, [])
        assert.deepStrictEqual(yield* stockOf(chair), { stocked: 3, available: 1 })
      }),
    )

    behaves(
      "an order finds nothing of a hold that is being released",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1 })]
        const [home, away] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
        const held = hold([[chair, 2]])
        yield* away.write({ holds: [held] })
        const lock = yield* lockStock(chair)
        const releasing = yield* Effect.forkChild(away.write({ releases: [release(held)] }))
        yield* waitingWriters(1)
        const placed = order([[lamp, 1]], { ...orderOf(held), held: [heldPart(held, 1)] })
        assert.deepStrictEqual((yield* home.write({ orders: [placed] })).unplaced, [placed.command.orderId])
        yield* lock.end
        const released = yield* Fiber.join(releasing)
        assert.deepStrictEqual(released.stock, [{ productId: chair.productId, stocked: 3, available: 3 }])
        assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 3 })
      }),
    )

    behaves(
      "a later attempt and the order of an earlier one, at the same time: one of them has the hold, the other is told",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const [lamp, chair] = [yield* sell({ stocked: 1_000 }), yield* sell({ shard: 1, stocked: 1_000 })]
        const [home, away] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
        for (let round = 0; round < raceRounds; round++) {
          const held = hold([[chair, 1]])
          yield* away.write({ holds: [held] })
          const placing = home.write({ orders: [order([[lamp, 1]], { ...orderOf(held), held: [heldPart(held, 1)] })] })
          const takingOver = away.write({ extensions: [extension(held, attempt(2))] })
          const [placed, extended] = yield* Effect.all([placing, takingOver], { concurrency: "unbounded" })
          assert.strictEqual(placed.unplaced.length + extended.unextended.length, 1)
        }
      }),
    )

    behaves(
      "units are sent back to a shard without waiting for its writer",
      Effect.gen(function* () {
        const { first, second } = yield* StoreUnderTest
        const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1 })]
        const [home, away] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
        const held = hold([[chair, 2]])
        yield* away.write({ holds: [held] })
        const placed = order([], { ...orderOf(held), held: [heldPart(held, 1)] })
        yield* home.write({ orders: [placed] })
        const other = yield* sell({ shard: 1 })
        const lock = yield* lockStock(other)
        const selling = yield* Effect.forkChild(away.write({ orders: [order([[other, 1]])] }))
        yield* waitingWriters(1)
        const ending = cancel(placed, chair)
        yield* home.write({ orders: [order([[lamp, 1]])], endings: [ending] })
        yield* lock.end
        yield* Fiber.join(selling)
        yield* away.write({ returns: returnsOf(ending, 1) })
        assert.deepStrictEqual(yield* stockOf(chair), { stocked: 3, available: 3 })
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

/**
 * The in-memory store in bad weather: what its faults mean for a writer, so that the simulation may rely on them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as MemoryShardStore from "../../src/inventory/memory/MemoryShardStore.ts"
import { booksBalance, hold, leaseOf, order, release, sell, stockOf, takeOver } from "./selling.ts"
import { StoreUnderTest } from "./StoreUnderTest.ts"

/** A test with a database of its own, whose books must balance at its end. */
const behaves = (
  sentence: string,
  test: (database: MemoryShardStore.MemoryDatabase) => Effect.Effect<void, unknown, StoreUnderTest>,
) =>
  it.effect(sentence, () => {
    const database = new MemoryShardStore.MemoryDatabase(2)
    return Effect.andThen(test(database), booksBalance).pipe(
      Effect.provideServiceEffect(StoreUnderTest, StoreUnderTest.inMemory(database)),
    )
  })

const fated = (fate: MemoryShardStore.Fate): MemoryShardStore.Weather => ({
  ...MemoryShardStore.calm,
  attempt: () => Effect.succeed(fate),
})

const tagOf = <A extends { readonly _tag: string }, E extends { readonly _tag: string }>(commit: Effect.Effect<A, E>) =>
  Effect.match(commit, { onSuccess: ({ _tag }) => _tag, onFailure: ({ _tag }) => _tag })

/** A writer with one order to send under its next number. */
const aboutToSell = Effect.gen(function* () {
  const { first: store } = yield* StoreUnderTest
  const lamp = yield* sell()
  const writer = yield* takeOver(store, 0)
  return { store, lamp, writer, write: writer.next({ orders: [order([[lamp, 1]])] }) }
})

describe("the in-memory store", () => {
  behaves("an attempt lost on its way is unknown and never happens", (database) =>
    Effect.gen(function* () {
      const { lamp, store, write } = yield* aboutToSell
      database.weather = fated({ _tag: "NeverApplied" })
      assert.strictEqual(yield* tagOf(store.commit(write)), "StoreUnknown")
      database.weather = MemoryShardStore.calm
      assert.isFalse(yield* database.deliverLate)
      assert.strictEqual(yield* tagOf(store.commit(write)), "Applied")
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
    }),
  )

  behaves("an attempt whose answer is lost is unknown and has happened, a void as well as a commit", (database) =>
    Effect.gen(function* () {
      const { lamp, store, write } = yield* aboutToSell
      database.weather = fated({ _tag: "AnswerLost" })
      assert.strictEqual(yield* tagOf(store.commit(write)), "StoreUnknown")
      const next = { ...write, batch: write.batch + 1 }
      assert.strictEqual(yield* tagOf(store.voidBatch(0, next)), "StoreUnknown")
      database.weather = MemoryShardStore.calm
      assert.strictEqual(yield* tagOf(store.commit(write)), "NotApplied")
      assert.deepInclude((yield* store.inspect(0, write.batch)).record, { voided: false })
      assert.deepInclude((yield* store.inspect(0, next.batch)).record, { voided: true })
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
    }),
  )

  behaves(
    "a late attempt is applied where nothing took its number, and void behind a retry, a void or a takeover",
    (database) =>
      Effect.gen(function* () {
        const { lamp, store, write, writer } = yield* aboutToSell
        const sendLate = Effect.fnUntraced(function* () {
          database.weather = fated({ _tag: "AppliedLate" })
          const late = writer.next({ orders: [order([[lamp, 1]])] })
          assert.strictEqual(yield* tagOf(store.commit(late)), "StoreUnknown")
          database.weather = MemoryShardStore.calm
          return late
        })
        const alone = yield* sendLate()
        assert.isNull((yield* store.inspect(0, alone.batch)).record)
        assert.isTrue(yield* database.deliverLate)
        assert.deepInclude((yield* store.inspect(0, alone.batch)).record, { voided: false })
        assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
        writer.batch = alone.batch

        const retried = yield* sendLate()
        assert.strictEqual(yield* tagOf(store.commit(retried)), "Applied")
        assert.isTrue(yield* database.deliverLate)
        writer.batch = retried.batch
        const voided = yield* sendLate()
        assert.strictEqual(yield* tagOf(store.voidBatch(0, voided)), "Applied")
        assert.isTrue(yield* database.deliverLate)
        writer.batch = voided.batch
        yield* sendLate()
        yield* takeOver(store, write.shard)
        assert.isTrue(yield* database.deliverLate)
        assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
      }),
  )

  behaves("a late attempt that the schema refuses changes nothing", (database) =>
    Effect.gen(function* () {
      const { lamp, store, writer } = yield* aboutToSell
      database.weather = fated({ _tag: "AppliedLate" })
      assert.strictEqual(yield* tagOf(store.commit(writer.next({ orders: [order([[lamp, 4]])] }))), "StoreUnknown")
      database.weather = MemoryShardStore.calm
      assert.isTrue(yield* database.deliverLate)
      yield* writer.write({ orders: [order([[lamp, 3]])] })
    }),
  )

  behaves("a rejection from the weather is definite", (database) =>
    Effect.gen(function* () {
      const { store, write } = yield* aboutToSell
      database.weather = fated({ _tag: "Rejected", sqlState: "40001" })
      assert.deepInclude(yield* Effect.flip(store.commit(write)), { _tag: "StoreRejected", sqlState: "40001" })
      database.weather = MemoryShardStore.calm
      assert.strictEqual(yield* tagOf(store.commit(write)), "Applied")
    }),
  )

  behaves("a commit may wait before it happens and after, and has happened in between", (database) =>
    Effect.gen(function* () {
      const { lamp, store, write } = yield* aboutToSell
      const [arrives, isAnswered] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      database.weather = {
        ...MemoryShardStore.calm,
        attempt: () => Effect.as(Deferred.await(arrives), { _tag: "Answered" } as const),
        answer: () => Deferred.await(isAnswered),
      }
      const running = yield* Effect.forkChild(tagOf(store.commit(write)), { startImmediately: true })
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 3 })
      yield* Deferred.succeed(arrives, undefined)
      yield* Effect.yieldNow
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
      assert.isUndefined(running.pollUnsafe())
      yield* Deferred.succeed(isAnswered, undefined)
      assert.strictEqual(yield* Fiber.join(running), "Applied")
    }),
  )

  behaves("reads that do not get through are unreachable, and change nothing", (database) =>
    Effect.gen(function* () {
      const { store } = yield* aboutToSell
      const before = yield* leaseOf(store, 0)
      database.weather = { ...MemoryShardStore.calm, read: Effect.succeed(false) }
      assert.strictEqual(
        yield* tagOf(Effect.as(store.acquire([0], "a test"), { _tag: "Acquired" })),
        "StoreUnreachable",
      )
      assert.strictEqual(yield* tagOf(Effect.as(store.products(0, []), { _tag: "Read" })), "StoreUnreachable")
      database.weather = MemoryShardStore.calm
      assert.deepStrictEqual(yield* leaseOf(store, 0), before)
    }),
  )

  behaves("time is the clock's: a hold is live until the millisecond in which it ends", () =>
    Effect.gen(function* () {
      const { lamp, store, writer } = yield* aboutToSell
      const held = hold([[lamp, 2]], { ttlMillis: 1_000 })
      yield* writer.write({ holds: [held] })
      yield* TestClock.adjust(999)
      assert.deepStrictEqual(yield* store.expiredHolds(0, 10), [])
      yield* writer.write({ releases: [release(held, { onlyExpired: true })] })
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* store.expiredHolds(0, 10), [release(held, { onlyExpired: true })])
      yield* writer.write({ releases: [release(held, { onlyExpired: true })] })
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 3 })
    }),
  )
})

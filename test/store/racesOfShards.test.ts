/**
 * Two shards on real PostgreSQL, each with its writer: they meet in keys, holds and returns, and neither deadlocks, waits
 * for the other without need, nor has what the other took.
 */
import { assert } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { lockStock, openTransaction, waitingWriters } from "./contention.ts"
import {
  attempt,
  cancel,
  extension,
  heldPart,
  hold,
  newCaller,
  newKey,
  order,
  orderOf,
  release,
  returnsOf,
  sell,
  stockOf,
  takeOver,
} from "./selling.ts"
import { type ProductToSell, StoreUnderTest } from "./StoreUnderTest.ts"
import { betweenTwoWriters, raceRounds } from "./twoWriters.ts"

betweenTwoWriters("two shards", (behaves) => {
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
      const there = yield* Effect.forkChild(away.write({ form: "guarded", orders: ordersOf(chair, keys.toReversed()) }))
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

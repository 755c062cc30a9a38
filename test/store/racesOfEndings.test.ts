/**
 * Orders that end while attempts come late, writers change and shards send units to each other: each ends once, by the
 * clock of the moment in which it ends, and its units come back once.
 */
import { assert } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { lockLease, lockStock, untilOver, waitingWriters } from "./contention.ts"
import {
  amend,
  cancel,
  expire,
  heldPart,
  hold,
  order,
  orderOf,
  returnsOf,
  sell,
  stockOf,
  takeOver,
  unitsOf,
} from "./selling.ts"
import { StoreUnderTest } from "./StoreUnderTest.ts"
import { rowsNow } from "./suite.ts"
import { betweenTwoWriters, raceRounds, tagOf } from "./twoWriters.ts"

const statusOf = Effect.fnUntraced(function* ({ command }: ReturnType<typeof order>) {
  const { orders } = yield* rowsNow
  return orders.find((row) => row.orderId === command.orderId)?.status
})

betweenTwoWriters("endings", (behaves) => {
  behaves(
    "of a cancellation sent twice, whose first attempt was under way, one ends the order",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      const lamp = yield* sell({ limitPerCustomer: 3 })
      const writer = yield* takeOver(first, 0)
      const placed = order([[lamp, 2]])
      yield* writer.write({ orders: [placed] })
      const write = writer.next({ endings: [cancel(placed, lamp)] })
      const lock = yield* lockStock(lamp)
      const early = yield* Effect.forkChild(tagOf(first.commit(write)))
      yield* waitingWriters(1)
      const again = yield* Effect.forkChild(tagOf(second.commit(write)))
      yield* waitingWriters(2)
      yield* lock.end
      assert.deepStrictEqual([yield* Fiber.join(early), yield* Fiber.join(again)], ["Applied", "NotApplied"])
      assert.deepStrictEqual([yield* stockOf(lamp), yield* unitsOf(lamp)], [{ stocked: 3, available: 3 }, 0])
    }),
  )

  behaves(
    "a cancellation whose first attempt arrives after its void ends nothing; the order expires under another number",
    Effect.gen(function* () {
      const { ageOrder, first, second } = yield* StoreUnderTest
      const lamp = yield* sell({ limitPerCustomer: 3 })
      const writer = yield* takeOver(first, 0)
      const placed = order([[lamp, 2]])
      yield* writer.write({ orders: [placed] })
      const write = writer.next({ endings: [cancel(placed, lamp)] })
      const lock = yield* lockLease(0)
      const voiding = yield* Effect.forkChild(tagOf(second.voidBatch(0, write)))
      yield* waitingWriters(1)
      const late = yield* Effect.forkChild(tagOf(first.commit(write)))
      yield* waitingWriters(2)
      yield* lock.end
      assert.deepStrictEqual([yield* Fiber.join(voiding), yield* Fiber.join(late)], ["Applied", "NotApplied"])
      assert.deepStrictEqual(
        [yield* statusOf(placed), yield* stockOf(lamp)],
        ["reserved", { stocked: 3, available: 1 }],
      )

      writer.batch = write.batch
      yield* ageOrder(placed.command.orderId)
      yield* writer.write({ endings: [expire(placed, lamp)] })
      assert.strictEqual(yield* tagOf(first.commit(write)), "NotApplied")
      assert.deepStrictEqual([yield* statusOf(placed), yield* stockOf(lamp)], ["expired", { stocked: 3, available: 3 }])
    }),
  )

  behaves(
    "an old writer's expiry that waits behind a takeover ends nothing; the new one's cancellation does",
    Effect.gen(function* () {
      const { ageOrder, first, second } = yield* StoreUnderTest
      const lamp = yield* sell()
      const old = yield* takeOver(first, 0)
      const [over, live] = [order([[lamp, 1]]), order([[lamp, 2]])]
      yield* old.write({ orders: [over, live] })
      yield* ageOrder(over.command.orderId)
      const write = old.next({ endings: [expire(over, lamp), cancel(live, lamp)] })
      const lock = yield* lockLease(0)
      const taking = yield* Effect.forkChild(takeOver(second, 0))
      yield* waitingWriters(1)
      const late = yield* Effect.forkChild(tagOf(first.commit(write)))
      yield* waitingWriters(2)
      yield* lock.end
      const taken = yield* Fiber.join(taking)
      assert.strictEqual(yield* Fiber.join(late), "NotApplied")
      assert.deepStrictEqual([yield* statusOf(over), yield* statusOf(live)], ["reserved", "reserved"])
      yield* taken.write({ endings: [cancel(live, lamp)] })
      assert.strictEqual(yield* tagOf(first.commit(write)), "NotApplied")
      assert.deepStrictEqual([yield* statusOf(over), yield* statusOf(live)], ["reserved", "cancelled"])
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
    }),
  )

  behaves(
    "a cancellation that waited until the order's time was over does not cancel it: it may only expire",
    Effect.gen(function* () {
      const { first } = yield* StoreUnderTest
      const lamp = yield* sell()
      const writer = yield* takeOver(first, 0)
      const placed = order([[lamp, 2]], { ttlMillis: 250 })
      const { orderId } = placed.command
      yield* writer.write({ orders: [placed] })
      const lock = yield* lockLease(0)
      const late = yield* Effect.forkChild(writer.write({ endings: [cancel(placed, lamp)] }))
      yield* waitingWriters(1)
      yield* untilOver(orderId)
      yield* lock.end
      assert.deepStrictEqual((yield* Fiber.join(late)).unended, [orderId])
      assert.deepStrictEqual((yield* writer.write({ endings: [expire(placed, lamp)] })).unended, [])
      assert.deepStrictEqual([yield* statusOf(placed), yield* stockOf(lamp)], ["expired", { stocked: 3, available: 3 }])
    }),
  )

  behaves(
    "a shard takes back what another is just sending: now or next time, and once",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      const chair = yield* sell({ shard: 1, stocked: 1_000, limitPerCustomer: 1_000 })
      const [home, away] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
      for (let round = 0; round < raceRounds; round++) {
        const held = hold([[chair, 2]])
        yield* away.write({ holds: [held] })
        const placed = order([], { ...orderOf(held), held: [heldPart(held, 1)] })
        yield* home.write({ orders: [placed] })
        const ending = cancel(placed, chair)
        const returns = returnsOf(ending, 1)
        const [ended, taken] = yield* Effect.all([home.write({ endings: [ending] }), away.write({ returns })], {
          concurrency: "unbounded",
        })
        assert.deepStrictEqual(ended.unended, [])
        const next = yield* away.write({ returns })
        assert.strictEqual(taken.stock.length + next.stock.length, 1)
        assert.deepStrictEqual(
          [yield* stockOf(chair), yield* unitsOf(chair)],
          [{ stocked: 1_000, available: 1_000 }, 0],
        )
      }
    }),
  )

  behaves(
    "an edit sent twice, whose first attempt was under way, raises the version once",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      const lamp = yield* sell()
      const writer = yield* takeOver(first, 0)
      const write = writer.next({ amendments: [amend(lamp, { paused: true })], orders: [order([[lamp, 1]])] })
      const lock = yield* lockStock(lamp)
      const early = yield* Effect.forkChild(tagOf(first.commit(write)))
      yield* waitingWriters(1)
      const again = yield* Effect.forkChild(tagOf(second.commit(write)))
      yield* waitingWriters(2)
      yield* lock.end
      assert.deepStrictEqual([yield* Fiber.join(early), yield* Fiber.join(again)], ["Applied", "NotApplied"])
      const [state] = yield* first.products(0, [lamp.productId])
      assert.deepInclude(state, { version: 2, paused: true, available: 2 })
    }),
  )
})

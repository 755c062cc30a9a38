/**
 * Payments, endings and offers while attempts come late, writers change and two homes meet at one key: an order is paid
 * or over, an offer sold or back, each once and by the clock of the moment in which it happens.
 */
import { assert } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import {
  lockHolds,
  lockLease,
  lockOrder,
  lockStock,
  untilHoldsAreOver,
  untilOver,
  waitingWriters,
} from "./contention.ts"
import {
  accept,
  accountOf,
  decline,
  declined,
  extend,
  join,
  offer,
  openAccounts,
  pay,
  paymentsOf,
  ship,
  statusOf,
  waitersOf,
} from "./lives.ts"
import {
  ann,
  bob,
  cancel,
  expire,
  newCaller,
  newKey,
  order,
  refund,
  sell,
  stockOf,
  takeOver,
  unitsOf,
} from "./selling.ts"
import { StoreUnderTest } from "./StoreUnderTest.ts"
import { rowsNow } from "./suite.ts"
import { betweenTwoWriters, raceRounds, tagOf } from "./twoWriters.ts"

betweenTwoWriters("lives", (behaves) => {
  behaves(
    "of a payment sent twice, whose first attempt was under way, one pays",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      const lamp = yield* sell()
      const writer = yield* takeOver(first, 0)
      const placed = order([[lamp, 2]])
      yield* writer.write({ orders: [placed] })
      const payment = extend(placed, { isExternal: true })
      const write = writer.next({ payments: [payment], orders: [order([[lamp, 1]])] })
      const lock = yield* lockStock(lamp)
      const early = yield* Effect.forkChild(tagOf(first.commit(write)))
      yield* waitingWriters(1)
      const again = yield* Effect.forkChild(tagOf(second.commit(write)))
      yield* waitingWriters(2)
      yield* lock.end
      assert.deepStrictEqual([yield* Fiber.join(early), yield* Fiber.join(again)], ["Applied", "NotApplied"])
      assert.deepStrictEqual(
        [yield* statusOf(placed), yield* paymentsOf(placed)],
        ["paid", { [payment.paymentId]: "succeeded" }],
      )
    }),
  )

  behaves(
    "a charge whose settlement waited until the order's time was over does not pay it: its money goes back",
    Effect.gen(function* () {
      const { first } = yield* StoreUnderTest
      const lamp = yield* sell()
      const writer = yield* takeOver(first, 0)
      const placed = order([[lamp, 1]], { ttlMillis: 250 })
      yield* writer.write({ orders: [placed] })
      const payment = extend(placed, { extensionMillis: 1 })
      yield* writer.write({ payments: [payment] })
      const lock = yield* lockLease(0)
      const late = yield* Effect.forkChild(writer.write({ settlements: [pay(payment)] }))
      yield* waitingWriters(1)
      yield* untilOver(placed.command.orderId)
      yield* lock.end
      yield* Fiber.join(late)
      assert.deepStrictEqual(
        [yield* statusOf(placed), yield* paymentsOf(placed)],
        ["reserved", { [payment.paymentId]: "refunding" }],
      )
      assert.deepStrictEqual((yield* writer.write({ endings: [expire(placed, lamp)] })).unended, [])
    }),
  )

  behaves(
    "a payment that waited until the order's time was over does not begin",
    Effect.gen(function* () {
      const { first } = yield* StoreUnderTest
      const lamp = yield* sell()
      const writer = yield* takeOver(first, 0)
      const placed = order([[lamp, 1]], { ttlMillis: 250 })
      yield* writer.write({ orders: [placed] })
      const lock = yield* lockLease(0)
      const late = yield* Effect.forkChild(writer.write({ payments: [extend(placed)] }))
      yield* waitingWriters(1)
      yield* untilOver(placed.command.orderId)
      yield* lock.end
      assert.deepStrictEqual((yield* Fiber.join(late)).payments, [])
      assert.deepStrictEqual(yield* paymentsOf(placed), {})
    }),
  )

  behaves(
    "an expiry that was under way while the payment began elsewhere is void, and the order is paid",
    Effect.gen(function* () {
      const { ageOrder, first, second } = yield* StoreUnderTest
      const lamp = yield* sell()
      const old = yield* takeOver(first, 0)
      const placed = order([[lamp, 2]])
      yield* old.write({ orders: [placed] })
      const payment = extend(placed)
      yield* old.write({ payments: [payment] })
      const late = old.next({ endings: [expire(placed, lamp)] })
      const taken = yield* takeOver(second, 0)
      yield* taken.write({ settlements: [pay(payment)] })
      yield* ageOrder(placed.command.orderId)
      assert.strictEqual(yield* tagOf(first.commit(late)), "NotApplied")
      assert.deepStrictEqual((yield* taken.write({ endings: [expire(placed, lamp)] })).unended, [
        placed.command.orderId,
      ])
      assert.deepStrictEqual([yield* statusOf(placed), yield* stockOf(lamp)], ["paid", { stocked: 3, available: 1 }])
    }),
  )

  behaves(
    "a cancellation and a settlement of one order by two writers end it one way, and the money follows",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      const lamp = yield* sell({ stocked: 1_000 })
      let writers = [yield* takeOver(first, 0), yield* takeOver(second, 0)] as const
      for (let round = 0; round < raceRounds; round++) {
        const [, current] = writers
        const placed = order([[lamp, 2]])
        yield* current.write({ orders: [placed] })
        const payment = extend(placed)
        yield* current.write({ payments: [payment] })
        const settling = current.next({ settlements: [pay(payment)] })
        const taking = Effect.flatMap(takeOver(round % 2 === 0 ? first : second, 0), (next) =>
          Effect.as(next.write({ endings: [cancel(placed, lamp)] }), next),
        )
        const [settled, next] = yield* Effect.all([tagOf(current.store.commit(settling)), taking], {
          concurrency: "unbounded",
        })
        const [status] = Object.values(yield* paymentsOf(placed))
        if (settled === "Applied") {
          assert.deepStrictEqual([yield* statusOf(placed), status], ["refunded", "refunding"])
        } else {
          assert.deepStrictEqual([settled, yield* statusOf(placed), status], ["NotApplied", "cancelled", "processing"])
          const back = yield* next.write({ settlements: [pay(payment)] })
          assert.deepStrictEqual(
            back.payments.map((row) => row.status),
            ["refunding"],
          )
        }
        assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 1_000, available: 1_000 })
        writers = [current, next]
      }
    }),
  )

  behaves(
    "two settlements of one payment, the first of unknown outcome, come to the first",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      const lamp = yield* sell()
      const writer = yield* takeOver(first, 0)
      const placed = order([[lamp, 1]])
      yield* writer.write({ orders: [placed] })
      const payment = extend(placed)
      yield* writer.write({ payments: [payment] })
      const write = writer.next({ settlements: [pay(payment)] })
      const contrary = { ...write, batch: write.batch + 1, settlements: [pay(payment, declined)] }
      const lock = yield* lockOrder(placed.command.orderId)
      const early = yield* Effect.forkChild(tagOf(first.commit(write)))
      yield* waitingWriters(1)
      assert.strictEqual(yield* tagOf(second.commit(contrary)), "NotApplied")
      const again = yield* Effect.forkChild(tagOf(second.commit(write)))
      yield* waitingWriters(2)
      yield* lock.end
      assert.deepStrictEqual([yield* Fiber.join(early), yield* Fiber.join(again)], ["Applied", "NotApplied"])
      const answer = yield* second.commit(contrary)
      assert.deepStrictEqual(answer._tag === "Applied" ? answer.payments : answer._tag, [])
      assert.deepStrictEqual(
        [yield* statusOf(placed), yield* paymentsOf(placed)],
        ["paid", { [payment.paymentId]: "succeeded" }],
      )
    }),
  )

  behaves(
    "one key that pays at two homes at once pays at one of them",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      const [lamp, chair] = [yield* sell({ stocked: 1_000 }), yield* sell({ shard: 1, stocked: 1_000 })]
      const [one, other] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
      for (let round = 0; round < raceRounds; round++) {
        const [here, there] = [order([[lamp, 1]]), order([[chair, 1]])]
        yield* Effect.all([one.write({ orders: [here] }), other.write({ orders: [there] })])
        const key = newKey()
        const at = (placed: typeof here) => [extend(placed, { key, isExternal: true })]
        const [begun, beside] = yield* Effect.all(
          [one.write({ payments: at(here) }), other.write({ payments: at(there) })],
          {
            concurrency: "unbounded",
          },
        )
        assert.lengthOf([...begun.payments, ...beside.payments], 1)
        assert.sameMembers([yield* statusOf(here), yield* statusOf(there)], ["paid", "reserved"])
      }
    }),
  )

  behaves(
    "a home that meets a key which another is just using waits for it, and begins nothing where that one commits",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1 })]
      const [one, other] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
      const [here, there] = [order([[lamp, 1]]), order([[chair, 1]])]
      yield* one.write({ orders: [here] })
      yield* other.write({ orders: [there] })
      const key = newKey()
      const lock = yield* lockOrder(here.command.orderId)
      const early = yield* Effect.forkChild(one.write({ payments: [extend(here, { key })] }))
      yield* waitingWriters(1)
      const late = yield* Effect.forkChild(other.write({ payments: [extend(there, { key })] }))
      yield* waitingWriters(2)
      yield* lock.end
      assert.lengthOf((yield* Fiber.join(early)).payments, 1)
      assert.deepStrictEqual((yield* Fiber.join(late)).payments, [])
    }),
  )

  behaves(
    "a shipment and a refund of one order by two writers: it is shipped or refunded, never both",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      const lamp = yield* sell({ stocked: 1_000 })
      let current = yield* takeOver(first, 0)
      for (let round = 0; round < raceRounds; round++) {
        const placed = order([[lamp, 1]])
        yield* current.write({ orders: [placed] })
        yield* current.write({ payments: [extend(placed, { isExternal: true })] })
        const shipping = current.next({ shipments: [ship(placed)] })
        const refunding = Effect.flatMap(takeOver(round % 2 === 0 ? second : first, 0), (next) =>
          Effect.map(next.write({ endings: [refund(placed, lamp)] }), ({ unended }) => ({ next, unended })),
        )
        const [shipped, { next, unended }] = yield* Effect.all([tagOf(current.store.commit(shipping)), refunding], {
          concurrency: "unbounded",
        })
        const isShipped = shipped === "Applied"
        assert.strictEqual(yield* statusOf(placed), isShipped ? "shipped" : "refunded")
        assert.lengthOf(unended, isShipped ? 1 : 0)
        current = next
      }
    }),
  )

  behaves(
    "an offer that is accepted while it is swept is sold or back, and never both",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      yield* openAccounts(ann, bob)
      const lamp = yield* sell({ limitPerCustomer: 5 })
      const writer = yield* takeOver(first, 0)
      const place = join(lamp, 2)
      yield* writer.write({ joins: [place] })
      const made = offer(place, lamp)
      yield* writer.write({ offers: [made] })
      const accepting = accept(made)
      const sell2 = writer.next({ orders: [accepting] })
      const lock = yield* lockHolds(lamp)
      // Whoever meets a locked hold passes it by: the order is not placed, and the release gives nothing back.
      const accepted = yield* first.commit(sell2)
      assert.deepStrictEqual(accepted._tag === "Applied" ? accepted.unplaced : [], [accepting.command.orderId])
      writer.batch += 1
      const swept = yield* writer.write({ releases: [decline(made)] })
      assert.deepStrictEqual(swept.stock, [])
      yield* lock.end
      const taken = yield* takeOver(second, 0)
      assert.deepStrictEqual((yield* taken.write({ orders: [accept(made)] })).unplaced, [])
      assert.deepStrictEqual((yield* taken.write({ releases: [decline(made)] })).stock, [])
      assert.deepStrictEqual([yield* stockOf(lamp), yield* unitsOf(lamp)], [{ stocked: 3, available: 1 }, 2])
    }),
  )

  behaves(
    "an acceptance that waited until the offer's time was over is not placed, and the sweeper gets the units",
    Effect.gen(function* () {
      const { first } = yield* StoreUnderTest
      yield* openAccounts(ann)
      const lamp = yield* sell({ limitPerCustomer: 5 })
      const writer = yield* takeOver(first, 0)
      const place = join(lamp, 2)
      yield* writer.write({ joins: [place] })
      const made = offer(place, lamp)
      yield* writer.write({ offers: [made], offerTtlMillis: 250 })
      const placed = accept(made)
      const lock = yield* lockLease(0)
      const late = yield* Effect.forkChild(writer.write({ orders: [placed] }))
      yield* waitingWriters(1)
      yield* untilHoldsAreOver(lamp)
      yield* lock.end
      assert.deepStrictEqual((yield* Fiber.join(late)).unplaced, [placed.command.orderId])
      const swept = yield* writer.write({ releases: [decline(made, true)] })
      assert.deepStrictEqual(swept.stock, [{ productId: lamp.productId, stocked: 3, available: 3 }])
      assert.strictEqual(yield* unitsOf(lamp), 0)
    }),
  )

  behaves(
    "of offers sent twice, whose first attempt was under way, each is made once",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      const eve = newCaller()
      yield* openAccounts(ann, eve)
      const lamp = yield* sell({ limitPerCustomer: 5, stocked: 4 })
      const writer = yield* takeOver(first, 0)
      const places = [join(lamp, 2), join(lamp, 1, eve)]
      yield* writer.write({ joins: places })
      const write = writer.next({ offers: places.map((place) => offer(place, lamp)) })
      const lock = yield* lockStock(lamp)
      const early = yield* Effect.forkChild(tagOf(first.commit(write)))
      yield* waitingWriters(1)
      const again = yield* Effect.forkChild(tagOf(second.commit(write)))
      yield* waitingWriters(2)
      yield* lock.end
      assert.deepStrictEqual([yield* Fiber.join(early), yield* Fiber.join(again)], ["Applied", "NotApplied"])
      assert.deepStrictEqual([yield* stockOf(lamp), yield* waitersOf(lamp)], [{ stocked: 4, available: 1 }, []])
      assert.deepStrictEqual([yield* unitsOf(lamp), yield* unitsOf(lamp, eve)], [2, 1])
      const { holds } = yield* rowsNow
      const offered = holds.flatMap((row) => (row.productId === lamp.productId ? [row.customer] : []))
      assert.sameMembers(offered, [accountOf(ann), accountOf(eve)])
    }),
  )

  behaves(
    "an old writer's offers that come after a takeover are not made: the places are the new one's to offer",
    Effect.gen(function* () {
      const { first, second } = yield* StoreUnderTest
      yield* openAccounts(ann)
      const lamp = yield* sell()
      const old = yield* takeOver(first, 0)
      const place = join(lamp, 2)
      yield* old.write({ joins: [place] })
      const late = old.next({ offers: [offer(place, lamp)] })
      const taken = yield* takeOver(second, 0)
      assert.strictEqual(yield* tagOf(first.commit(late)), "NotApplied")
      const { shard } = taken
      const waiters = yield* second.waiters(shard, [lamp.productId], 10)
      assert.deepStrictEqual(
        waiters.map((row) => row.offerId),
        [place.offerId],
      )
      assert.deepStrictEqual((yield* taken.write({ offers: [offer(place, lamp)] })).unoffered, [])
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
    }),
  )
})

/**
 * Offers: places on a waiting list that become holds, and what becomes of those.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { nothingAsked } from "../../src/inventory/store/ShardStore.ts"
import { accept, accountOf, decline, join, leave, offer, openAccounts, statusOf, toldLast, waitersOf } from "./lives.ts"
import { ann, bob, cancel, newCaller, order, orderOf, hold, sell, stockOf, unitsOf } from "./selling.ts"
import { onBothStores, rowsNow, writerOf } from "./suite.ts"

const eve = newCaller()

/** A limited product for which two wait, the first of whom is offered what there is. */
const offered = Effect.fnUntraced(function* (offerTtlMillis = 60_000) {
  yield* openAccounts(ann, bob, eve)
  const lamp = yield* sell({ limitPerCustomer: 5 })
  const writer = yield* writerOf(0)
  const [first, second] = [join(lamp, 2), join(lamp, 2, bob)]
  yield* writer.write({ joins: [first, second] })
  const made = offer(first, lamp)
  const applied = yield* writer.write({ offers: [made], offerTtlMillis })
  assert.deepStrictEqual(applied.unoffered, [])
  return { lamp, writer, first, second, made, applied }
})

onBothStores("offers", (behaves) => {
  behaves(
    "an offer takes the place off the list and its units off the shelf, and counts them for its account",
    Effect.gen(function* () {
      const { applied, lamp, made } = yield* offered()
      const { productId } = lamp
      assert.deepStrictEqual(applied.stock, [{ productId, stocked: 3, available: 1 }])
      assert.deepStrictEqual(applied.units, [{ productId, customer: ann, units: 2 }])
      assert.deepStrictEqual([yield* toldLast(0), yield* waitersOf(lamp)], [["offer.made"], [[bob, 2]]])
      const { holds } = yield* rowsNow
      assert.deepStrictEqual(
        holds.filter((row) => row.productId === productId),
        [
          {
            shard: 0,
            key: `offer/${made.offerId}`,
            productId,
            attempt: holds.find((row) => row.productId === productId)?.attempt ?? assert.fail("no hold"),
            kind: "offer",
            customer: ann,
            quantity: 2,
            unitPrice: 100,
          },
        ],
      )
    }),
  )

  behaves(
    "a count that is there moves, and one that begins starts from what its account had",
    Effect.gen(function* () {
      yield* openAccounts(ann, bob)
      const lamp = yield* sell({ limitPerCustomer: 9, stocked: 9 })
      const writer = yield* writerOf(0)
      const [hers, his] = [join(lamp, 2), join(lamp, 1, bob)]
      yield* writer.write({ orders: [order([[lamp, 1]])], joins: [hers, his] })
      yield* writer.write({
        orders: [order([[lamp, 1]])],
        offers: [offer(hers, lamp, 1), offer(his, lamp, 0)],
      })
      assert.deepStrictEqual([yield* unitsOf(lamp), yield* unitsOf(lamp, bob)], [4, 1])
    }),
  )

  behaves(
    "no offer is made for a place that is gone, is for another quantity, or is of another shard",
    Effect.gen(function* () {
      const { lamp, made, second, writer } = yield* offered()
      const other = yield* writerOf(1)
      yield* writer.write({ joins: [join(lamp, 1, eve)] })
      const tried = [made, offer({ ...second, quantity: 1 }, lamp), offer(join(lamp, 1), lamp)]
      const applied = yield* writer.write({ offers: tried })
      assert.deepStrictEqual([applied.unoffered, applied.stock, applied.units], [tried, [], []])
      const astray = offer(second, lamp)
      assert.deepStrictEqual((yield* other.write({ offers: [astray] })).unoffered, [astray])
      assert.deepStrictEqual(yield* waitersOf(lamp), [
        [bob, 2],
        [eve, 1],
      ])
    }),
  )

  behaves(
    "whoever accepts gets the order at the price of the offer, and stock and counts stay as they are",
    Effect.gen(function* () {
      const { lamp, made, writer } = yield* offered()
      const dearer = { ...lamp, price: 500 }
      const placed = accept(made)
      const applied = yield* writer.write({ orders: [placed] })
      assert.deepStrictEqual([applied.unplaced, applied.stock, applied.units], [[], [], []])
      assert.deepStrictEqual(yield* toldLast(0), ["offer.accepted", "order.reserved"])
      const { holds, orderLines } = yield* rowsNow
      const { orderId } = placed.command
      assert.deepInclude(orderLines, { orderId, productId: lamp.productId, quantity: 2, unitPrice: 100 })
      assert.isFalse(holds.some((row) => row.productId === lamp.productId))
      assert.deepStrictEqual([yield* stockOf(lamp), yield* unitsOf(lamp)], [{ stocked: 3, available: 1 }, 2])

      const again = accept(made)
      assert.deepStrictEqual((yield* writer.write({ orders: [again] })).unplaced, [again.command.orderId])
      yield* writer.write({ endings: [cancel(placed, dearer)] })
      assert.deepStrictEqual([yield* stockOf(lamp), yield* unitsOf(lamp)], [{ stocked: 3, available: 3 }, 0])
    }),
  )

  behaves(
    "an offer is not accepted at another price or quantity, by somebody else, or after its time",
    Effect.gen(function* () {
      const { made } = yield* offered()
      const { made: over, writer } = yield* offered(0)
      const stranger = { ...made, accountId: accountOf(eve) }
      const tried = [{ ...made, quantity: 1 }, { ...made, unitPrice: 99 }, stranger, over].map((row) => accept(row))
      for (const placed of tried) {
        const { orderId } = placed.command
        assert.deepStrictEqual((yield* writer.write({ orders: [placed] })).unplaced, [orderId])
      }
      assert.isTrue((yield* rowsNow).holds.some((row) => row.attempt === decline(made).attempt))
    }),
  )

  behaves(
    "a declined offer gives its units back at once, and says that it was declined",
    Effect.gen(function* () {
      const { lamp, made, writer } = yield* offered()
      const applied = yield* writer.write({ releases: [decline(made)] })
      assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 3, available: 3 }])
      assert.deepStrictEqual([yield* toldLast(0), yield* unitsOf(lamp)], [["offer.declined"], 0])
      const placed = accept(made)
      assert.deepStrictEqual((yield* writer.write({ orders: [placed] })).unplaced, [placed.command.orderId])
    }),
  )

  behaves(
    "the sweeper finds an offer once its time is over, and its release says that it expired",
    Effect.gen(function* () {
      const { lamp, made: live } = yield* offered()
      const { lamp: chair, made: over, writer } = yield* offered(0)
      yield* writer.write({ releases: [decline(live, true)] })
      assert.deepStrictEqual(yield* toldLast(0), [])
      const found = yield* writer.store.expiredHolds(0, 100)
      const swept = found.find((row) => row.attempt === decline(over).attempt)
      assert.deepStrictEqual(swept, decline(over, true))
      assert.isFalse(found.some((row) => row.attempt === decline(live).attempt))
      yield* writer.write({ releases: [decline(over, true)] })
      assert.deepStrictEqual(yield* toldLast(0), ["offer.expired"])
      assert.deepStrictEqual(
        [yield* stockOf(lamp), yield* stockOf(chair)],
        [
          { stocked: 3, available: 1 },
          { stocked: 3, available: 3 },
        ],
      )
    }),
  )

  behaves(
    "who was offered something may wait again, and offers count among what is held",
    Effect.gen(function* () {
      const { lamp, writer } = yield* offered()
      const again = join(lamp, 1)
      yield* writer.write({ joins: [again], leaves: [leave(lamp, bob)] })
      yield* writer.write({ offers: [offer(again, lamp, 2)] })
      assert.deepStrictEqual([yield* stockOf(lamp), yield* unitsOf(lamp)], [{ stocked: 3, available: 0 }, 3])
      const { productId } = lamp
      const { heldUnits } = yield* writer.store.facts(0, { ...nothingAsked, heldProducts: [productId] })
      assert.deepStrictEqual(heldUnits, [{ productId, units: 3 }])
    }),
  )

  behaves(
    "an order that sells an offer of one product may hold another elsewhere, or is not placed at all",
    Effect.gen(function* () {
      const { made, writer } = yield* offered()
      const chair = yield* sell({ shard: 1 })
      const away = yield* writerOf(1)
      const held = hold([[chair, 1]])
      const { key } = orderOf(held)
      const placed = accept(made, key)
      const missing = { ...held.command, shard: 1, currency: "EUR", reservationTtlSeconds: null, lines: held.lines }
      const both = { ...placed, command: { ...placed.command, held: [...placed.command.held, missing] } }
      assert.deepStrictEqual((yield* writer.write({ orders: [both] })).unplaced, [placed.command.orderId])
      yield* away.write({ holds: [held] })
      const whole = { ...both, total: 300 }
      assert.deepStrictEqual((yield* writer.write({ orders: [whole] })).unplaced, [])
      assert.strictEqual(yield* statusOf(placed), "reserved")
    }),
  )
})

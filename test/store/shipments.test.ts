/**
 * Shipments: one a merchant of an order, and what they make of the order.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { MerchantId } from "../../src/domain/ids.ts"
import { nothingAsked } from "../../src/inventory/store/ShardStore.ts"
import { deliver, extend, ship, statusOf, toldLast } from "./lives.ts"
import { cancel, heldPart, hold, newCaller, order, orderOf, refund, sell, stockOf } from "./selling.ts"
import { merchantId } from "./StoreUnderTest.ts"
import { onBothStores, rowsNow, writerOf } from "./suite.ts"

const otherMerchant = MerchantId.make("00000000-0000-7000-8000-00000000ab1f")

/** An order of two merchants, each with a product in a shard of its own, paid. */
const paidOfTwo = Effect.gen(function* () {
  const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1, merchantId: otherMerchant })]
  const [home, elsewhere] = [yield* writerOf(0), yield* writerOf(1)]
  const held = hold([[chair, 1]])
  yield* elsewhere.write({ holds: [held] })
  const placed = order([[lamp, 1]], { ...orderOf(held), held: [heldPart(held, 1)] })
  yield* home.write({ orders: [placed] })
  yield* home.write({ payments: [extend(placed, { isExternal: true })] })
  return { lamp, chair, home, elsewhere, placed }
})

onBothStores("shipments", (behaves) => {
  behaves(
    "an order of one merchant is shipped with its shipment, and delivered when that arrives",
    Effect.gen(function* () {
      const [lamp, chair] = [yield* sell(), yield* sell()]
      const writer = yield* writerOf(0)
      const placed = order([
        [lamp, 1],
        [chair, 2],
      ])
      yield* writer.write({ orders: [placed] })
      yield* writer.write({ payments: [extend(placed, { isExternal: true })] })
      const parcel = ship(placed)
      assert.deepStrictEqual((yield* writer.write({ shipments: [parcel] })).unshipped, [])
      assert.deepStrictEqual(
        [yield* statusOf(placed), yield* toldLast(0)],
        ["shipped", ["order.shipped", "shipment.sent"]],
      )
      const { _tag, ...sent } = parcel
      assert.deepInclude((yield* rowsNow).shipments, { ...sent, isDelivered: false })
      assert.deepStrictEqual((yield* writer.write({ deliveries: [deliver(parcel)] })).undelivered, [])
      assert.deepStrictEqual(
        [yield* statusOf(placed), yield* toldLast(0)],
        ["delivered", ["order.delivered", "shipment.delivered"]],
      )
      const again = yield* writer.write({ deliveries: [deliver(parcel)] })
      assert.deepStrictEqual([again.undelivered, yield* toldLast(0)], [[parcel.shipmentId], []])
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 2 })
    }),
  )

  behaves(
    "an order of two merchants is shipped in part with the first shipment, and delivered with the last that arrives",
    Effect.gen(function* () {
      const { home, placed } = yield* paidOfTwo
      const [first, second] = [ship(placed), ship(placed, otherMerchant)]
      yield* home.write({ shipments: [first] })
      assert.deepStrictEqual(
        [yield* statusOf(placed), yield* toldLast(0)],
        ["partiallyShipped", ["order.partiallyShipped", "shipment.sent"]],
      )
      yield* home.write({ deliveries: [deliver(first)] })
      assert.deepStrictEqual(
        [yield* statusOf(placed), yield* toldLast(0)],
        ["partiallyShipped", ["shipment.delivered"]],
      )
      yield* home.write({ shipments: [second] })
      assert.strictEqual(yield* statusOf(placed), "shipped")
      yield* home.write({ deliveries: [deliver(second)] })
      assert.strictEqual(yield* statusOf(placed), "delivered")
    }),
  )

  behaves(
    "a shipped order waits for all of its shipments to arrive",
    Effect.gen(function* () {
      const { home, placed } = yield* paidOfTwo
      const parcels = [ship(placed), ship(placed, otherMerchant)] as const
      for (const parcel of parcels) yield* home.write({ shipments: [parcel] })
      yield* home.write({ deliveries: [deliver(parcels[1])] })
      assert.strictEqual(yield* statusOf(placed), "shipped")
      yield* home.write({ deliveries: [deliver(parcels[0])] })
      assert.strictEqual(yield* statusOf(placed), "delivered")
    }),
  )

  behaves(
    "only a paid order of its home is shipped, by a merchant of it, each once",
    Effect.gen(function* () {
      const { elsewhere, home, placed } = yield* paidOfTwo
      const lamp = yield* sell()
      const unpaid = order([[lamp, 1]])
      yield* home.write({ orders: [unpaid] })
      const first = ship(placed)
      yield* home.write({ shipments: [first] })
      const [stranger, twice, early] = [
        ship(placed, MerchantId.make(newCaller())),
        ship(placed, merchantId, "2"),
        ship(unpaid),
      ]
      for (const tried of [stranger, twice, early]) {
        assert.deepStrictEqual((yield* home.write({ shipments: [tried] })).unshipped, [tried.shipmentId])
      }
      const astray = ship(placed, otherMerchant)
      assert.deepStrictEqual((yield* elsewhere.write({ shipments: [astray] })).unshipped, [astray.shipmentId])
      assert.deepStrictEqual([yield* statusOf(placed), yield* statusOf(unpaid)], ["partiallyShipped", "reserved"])
      const { shipments } = yield* home.store.facts(0, { ...nothingAsked, shipmentsOf: [placed.command.orderId] })
      assert.deepStrictEqual(
        shipments.map((row) => row.shipmentId),
        [first.shipmentId],
      )
    }),
  )

  behaves(
    "a shipment arrives for its own order and home alone",
    Effect.gen(function* () {
      const { elsewhere, home, placed } = yield* paidOfTwo
      const { home: same, placed: other } = yield* paidOfTwo
      const parcel = ship(placed)
      yield* same.write({ shipments: [parcel] })
      const astray = deliver({ ...parcel, orderId: other.command.orderId })
      assert.deepStrictEqual((yield* same.write({ deliveries: [astray] })).undelivered, [parcel.shipmentId])
      const away = yield* writerOf(1)
      assert.deepStrictEqual((yield* away.write({ deliveries: [deliver(parcel)] })).undelivered, [parcel.shipmentId])
      assert.isFalse(
        (yield* rowsNow).shipments.some((row) => row.orderId === placed.command.orderId && row.isDelivered),
      )
      assert.deepStrictEqual([home.shard, elsewhere.shard], [0, 1])
    }),
  )

  behaves(
    "what was shipped, if only in part, is neither cancelled nor refunded",
    Effect.gen(function* () {
      const { chair, home, lamp, placed } = yield* paidOfTwo
      const parcel = ship(placed)
      yield* home.write({ shipments: [parcel] })
      const { orderId } = placed.command
      const tried = [cancel(placed, lamp, chair), refund(placed, lamp, chair)]
      for (const ending of tried) {
        assert.deepStrictEqual((yield* home.write({ endings: [ending] })).unended, [orderId])
      }
      yield* home.write({ shipments: [ship(placed, otherMerchant)] })
      for (const ending of tried) {
        assert.deepStrictEqual((yield* home.write({ endings: [ending] })).unended, [orderId])
      }
    }),
  )
})

/**
 * Payments and shipments through the writer of an order's home, where answers get lost: everybody is told what became of
 * it, and nothing is done twice.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger } from "effect"
import { SecureRandom } from "effect/crypto"
import { TestClock } from "effect/testing"
import type { Cancel, Command, Expire, Extend, Reserve } from "../../src/domain/commands.ts"
import { PaymentId, ShipmentId } from "../../src/domain/ids.ts"
import { fingerprintOf } from "../inventory/fixtures.ts"
import { gateBefore, startOneShard } from "./oneShard.ts"

const quiet = Effect.provide(Logger.layer([]))
const id = (): string => SecureRandom.uuidV7Unsafe()

const extend = ({ caller, orderId }: Reserve, change: Partial<Extend> = {}): Extend => ({
  _tag: "Extend",
  caller,
  key: id(),
  fingerprint: fingerprintOf(orderId),
  paymentId: PaymentId.make(id()),
  orderId,
  payment: { _tag: "Charge", method: "card" },
  extensionMillis: 120_000,
  ...change,
})
const settled = ({ orderId, paymentId }: Extend) =>
  ({ _tag: "Pay", orderId, paymentId, result: { _tag: "Succeeded" } }) as const

/** A shop with one order, where the answer of every commit can be lost. */
const start = Effect.fnUntraced(function* () {
  const shop = yield* startOneShard()
  const gate = gateBefore(shop.database)
  const ordered = shop.order(2)
  yield* shop.send(ordered)
  /** Sends a command; PostgreSQL does what it says, and the first answer does not arrive. */
  const unheard = Effect.fnUntraced(function* <C extends Command>(command: C) {
    gate.fate = { _tag: "AnswerLost" }
    const fiber = yield* Effect.forkChild(shop.send(command), { startImmediately: true })
    yield* TestClock.adjust(0)
    gate.fate = { _tag: "Answered" }
    yield* TestClock.adjust(1_000)
    return yield* Fiber.join(fiber)
  })
  const status = () => shop.database.tables.orders.get(ordered.orderId)?.status
  const ending = { orderId: ordered.orderId, lines: [{ productId: shop.product, shard: 0, returnId: id() }] }
  return { ...shop, unheard, ordered, status, ending }
})

describe("an order whose commits are not heard of", () => {
  it.effect("is paid, shipped and delivered once, and each says so", () =>
    Effect.gen(function* () {
      const { database, ordered, send, status, unheard } = yield* start()
      const payment = extend(ordered)
      const { paymentId } = payment
      assert.deepInclude(yield* unheard(payment), { _tag: "Begun", paymentId })
      const retried = extend(ordered, { key: payment.key })
      assert.deepStrictEqual(yield* unheard(retried), { _tag: "Repeated", paymentId })
      assert.deepStrictEqual(yield* unheard(settled(payment)), { _tag: "Settled", status: "succeeded" })
      assert.deepStrictEqual(yield* unheard(settled(payment)), { _tag: "Settled", status: "succeeded" })
      assert.strictEqual(status(), "paid")

      const { merchantId } = database.tables.products.all()[0] ?? assert.fail("no product")
      const parcel = { carrier: "post", trackingNumber: "1", merchantId, orderId: ordered.orderId }
      const shipmentId = ShipmentId.make(id())
      assert.deepInclude(yield* unheard({ _tag: "Ship", shipmentId, ...parcel }), { _tag: "Shipped", shipmentId })
      const again = { _tag: "Ship", shipmentId: ShipmentId.make(id()), ...parcel } as const
      assert.deepInclude(yield* unheard(again), { _tag: "Shipped", shipmentId })
      assert.deepStrictEqual(yield* unheard({ ...again, trackingNumber: "2" }), {
        _tag: "Refused",
        refusal: { code: "already_shipped", shipmentId },
      })
      const delivery = { _tag: "Deliver", shipmentId, orderId: ordered.orderId } as const
      assert.deepStrictEqual(yield* unheard(delivery), { _tag: "Delivered" })
      assert.deepStrictEqual(yield* send(delivery), { _tag: "Delivered" })
      assert.strictEqual(status(), "delivered")
      assert.lengthOf(database.tables.payments.all(), 1)
      assert.lengthOf(database.tables.shipments.all(), 1)
    }).pipe(quiet),
  )

  it.effect("is refunded once, and what it had is back once", () =>
    Effect.gen(function* () {
      const { available, database, ending, ordered, status, unheard } = yield* start()
      const payment = extend(ordered, { payment: { _tag: "External", reference: "till 7" } })
      assert.deepInclude(yield* unheard(payment), { _tag: "Begun" })
      assert.strictEqual(status(), "paid")
      const refund = { _tag: "Refund", ...ending } as const
      assert.deepStrictEqual(yield* unheard(refund), { _tag: "Refunded" })
      assert.deepStrictEqual([status(), available()], ["refunded", 10])
      assert.deepStrictEqual(
        database.tables.payments.all().map((row) => row.status),
        ["refunded"],
      )
    }).pipe(quiet),
  )
})

describe("of what meets at the end of an order's time", () => {
  it.effect("a payment that began before it is over keeps the order from expiring, for so long and once", () =>
    Effect.gen(function* () {
      const { ending, ordered, send, status } = yield* start()
      yield* TestClock.adjust(899_000)
      const payment = extend(ordered)
      yield* send(payment)
      yield* TestClock.adjust(119_000)
      const expire: Expire = { _tag: "Expire", ...ending }
      yield* send(expire)
      assert.strictEqual(status(), "reserved")
      yield* send({ _tag: "Pay", orderId: ordered.orderId, paymentId: payment.paymentId, result: declined })
      yield* send(extend(ordered))
      yield* TestClock.adjust(1_000)
      yield* send(expire)
      assert.strictEqual(status(), "expired")
    }),
  )

  it.effect("a charge that succeeds for an order that is over or cancelled goes back", () =>
    Effect.gen(function* () {
      const { ending, ordered, send, status } = yield* start()
      const payment = extend(ordered)
      yield* send(payment)
      const cancel: Cancel = { _tag: "Cancel", ...ending }
      assert.deepStrictEqual(yield* send(cancel), { _tag: "Cancelled" })
      assert.deepStrictEqual(yield* send(settled(payment)), { _tag: "Settled", status: "refunding" })
      const back = { ...settled(payment), result: { _tag: "Refunded" } } as const
      assert.deepStrictEqual(yield* send(back), { _tag: "Settled", status: "refunded" })
      assert.strictEqual(status(), "cancelled")
    }),
  )

  it.effect("whoever pays too late is told that it is over, before the sweeper has been there", () =>
    Effect.gen(function* () {
      const { ordered, send } = yield* start()
      const early = extend(ordered)
      yield* send(early)
      yield* TestClock.adjust(900_000)
      assert.deepStrictEqual(yield* send(extend(ordered)), { _tag: "Refused", refusal: { code: "expired" } })
      assert.deepStrictEqual(yield* send(settled(early)), { _tag: "Settled", status: "refunding" })
    }),
  )
})

const declined = { _tag: "Declined", declineCode: "no_money" } as const

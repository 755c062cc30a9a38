import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ShipmentView } from "../../src/http/contract/orders.ts"
import { assertBooksClosed, assertRefused, available, cancel, payElsewhere, placedOrder, refund } from "./shopping.ts"
import { adminToken, type Answer, call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

const decodeShipment = Schema.decodeUnknownSync(ShipmentView)
const parcel = { carrier: "Owl post", trackingNumber: "OWL-1" }
const ship = (token: string, orderId: string, json: unknown = parcel) =>
  call(`/v1/orders/${orderId}/shipments`, { token, json })
const deliver = (token: string, shipmentId: string) =>
  call(`/v1/shipments/${shipmentId}/deliver`, { token, method: "POST" })
const look = (token: string, orderId: string) => call(`/v1/orders/${orderId}`, { token })
const sent = (answer: Answer) => {
  assert.strictEqual(answer.status, 201, answer.text)
  return decodeShipment(answer.body)
}

/** An order of two lamps of one merchant and a chair of another, paid. */
const paidOrder = Effect.gen(function* () {
  const [lamps, chairs] = [yield* newMerchant(), yield* newMerchant()]
  const lamp = yield* newProduct(lamps, { stock: 5 })
  const chair = yield* newProduct(chairs, { stock: 5, price: { amount: 300, currency: "EUR" } })
  const buyer = yield* newCustomer()
  const { id } = placedOrder(
    yield* order(buyer.token, "k", [
      [lamp, 2],
      [chair, 1],
    ]),
  )
  assert.strictEqual((yield* payElsewhere(id))._tag, "Begun")
  return { buyer, chair, chairs, id, lamp, lamps }
})

layer(testServer, { excludeTestServices: true })("shipping what was paid", (it) => {
  it.effect(
    "each merchant sends its own lines; with the last the order is shipped, and delivered with the last of them",
    () =>
      Effect.gen(function* () {
        const { buyer, chairs, id, lamps } = yield* paidOrder
        const first = sent(yield* ship(lamps.token, id))
        assert.deepInclude(first, { ...parcel, merchantId: lamps.merchantId })
        assert.strictEqual((yield* look(buyer.token, id)).body["status"], "partiallyShipped")
        assert.strictEqual((yield* deliver(lamps.token, first.id)).status, 200)
        assert.strictEqual((yield* look(buyer.token, id)).body["status"], "partiallyShipped")
        const second = sent(yield* ship(chairs.token, id, { ...parcel, trackingNumber: "OWL-2" }))
        assert.strictEqual((yield* look(buyer.token, id)).body["status"], "shipped")
        const arrived = decodeShipment((yield* deliver(chairs.token, second.id)).body)
        assert.exists(arrived.deliveredAt)
        const seen = yield* look(buyer.token, id)
        assert.strictEqual(seen.body["status"], "delivered")
        assert.lengthOf(seen.body["shipments"] as ReadonlyArray<unknown>, 2)
        assert.deepStrictEqual(decodeShipment((yield* deliver(chairs.token, second.id)).body), arrived, "said again")
        yield* assertBooksClosed
      }),
  )

  it.effect("the same shipment said again is one; another is refused with the one that is there", () =>
    Effect.gen(function* () {
      const { id, lamps } = yield* paidOrder
      const shipments = (yield* Effect.all([ship(lamps.token, id), ship(lamps.token, id)], {
        concurrency: "unbounded",
      })).map(sent)
      assert.strictEqual(shipments[0]?.id, shipments[1]?.id)
      const other = yield* ship(lamps.token, id, { ...parcel, trackingNumber: "OWL-9" })
      assertRefused(other, 409, "already_shipped")
      assert.strictEqual(other.body["shipmentId"], shipments[0]?.id)
    }),
  )

  it.effect("a merchant sees its own lines and shipments, and what these cost; a stranger sees and ships nothing", () =>
    Effect.gen(function* () {
      const { buyer, chairs, id, lamps } = yield* paidOrder
      const shipment = sent(yield* ship(lamps.token, id))
      const theirs = (yield* look(chairs.token, id)).body
      assert.deepStrictEqual(theirs["total"], { amount: 300, currency: "EUR" })
      assert.deepStrictEqual([theirs["payments"], theirs["shipments"]], [[], []])
      const stranger = yield* newMerchant()
      for (const { token } of [stranger, buyer]) {
        assertRefused(yield* ship(token, id), 404, "not_found")
        assertRefused(yield* deliver(token, shipment.id), 404, "not_found")
      }
      assertRefused(yield* deliver(chairs.token, shipment.id), 404, "not_found")
      assert.strictEqual((yield* deliver(yield* adminToken(), shipment.id)).status, 200)
    }),
  )

  it.effect("what is not paid, or was given back, is not shipped", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 5 })
      const { token } = yield* newCustomer()
      const { id } = placedOrder(yield* order(token, "k", [[lamp, 1]]))
      const early = yield* ship(merchant.token, id)
      assertRefused(early, 409, "not_shippable")
      assert.strictEqual(early.body["orderStatus"], "reserved")
      assertRefused(yield* ship(merchant.token, id, { carrier: "", trackingNumber: "1" }), 422, "invalid")
      yield* cancel(token, id)
      assert.strictEqual((yield* ship(merchant.token, id)).body["orderStatus"], "cancelled")
    }),
  )
})

layer(testServer, { excludeTestServices: true })("refunding what was paid", (it) => {
  it.effect("the buyer gets the money and the shop the units back, once, however often it is asked for", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 5, limitPerCustomer: 3 })
      const { token } = yield* newCustomer()
      const { id } = placedOrder(yield* order(token, "k", [[lamp, 3]]))
      const early = yield* refund(merchant.token, id)
      assertRefused(early, 409, "not_refundable")
      assert.strictEqual(early.body["orderStatus"], "reserved")
      yield* payElsewhere(id)
      const answers = yield* Effect.all(
        [refund(merchant.token, id), refund(merchant.token, id), cancel(token, id), refund(yield* adminToken(), id)],
        { concurrency: "unbounded" },
      )
      for (const answer of answers) {
        assert.strictEqual(answer.status, 200, answer.text)
        assert.strictEqual(answer.body["status"], "refunded")
      }
      assert.strictEqual(yield* available(lamp), 5)
      const payments = (yield* look(token, id)).body["payments"] as ReadonlyArray<{ readonly status: string }>
      assert.deepStrictEqual(
        payments.map((payment) => payment.status),
        ["refunded"],
      )
      placedOrder(yield* order(token, "again", [[lamp, 3]]))
      yield* assertBooksClosed
    }),
  )

  it.effect("is for whoever sells all of it, and ends with the first shipment", () =>
    Effect.gen(function* () {
      const { buyer, chair, chairs, id, lamp, lamps } = yield* paidOrder
      assertRefused(yield* refund(lamps.token, id), 403, "forbidden")
      assertRefused(yield* refund(buyer.token, id), 403, "forbidden")
      assertRefused(yield* refund((yield* newMerchant()).token, id), 404, "not_found")
      sent(yield* ship(chairs.token, id))
      assertRefused(yield* refund(yield* adminToken(), id), 409, "not_refundable")
      assertRefused(yield* cancel(buyer.token, id), 409, "not_cancellable")
      assert.deepStrictEqual([yield* available(lamp), yield* available(chair)], [3, 4])
    }),
  )
})

layer(testServer, { excludeTestServices: true })("a product's own time to pay", (it) => {
  it.effect("is that of its orders; of several products the shortest, and the service's where none sets any", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const [quick, slow, plain] = [
        yield* newProduct(merchant, { reservationTtlSeconds: 60 }),
        yield* newProduct(merchant, { reservationTtlSeconds: 3_600 }),
        yield* newProduct(merchant, {}),
      ]
      const { token } = yield* newCustomer()
      const secondsOf = (key: string, ...products: ReadonlyArray<string>) =>
        Effect.map(
          order(
            token,
            key,
            products.map((product) => [product, 1]),
          ),
          (answer) => {
            const { createdAt, expiresAt } = placedOrder(answer)
            return (Date.parse(expiresAt) - Date.parse(createdAt)) / 1000
          },
        )
      assert.strictEqual(yield* secondsOf("a", quick), 60)
      assert.strictEqual(yield* secondsOf("b", slow, quick, plain), 60)
      assert.strictEqual(yield* secondsOf("c", slow, plain), 3_600)
      assert.strictEqual(yield* secondsOf("d", plain), 15 * 60)
      const edited = yield* call(`/v1/products/${slow}`, {
        method: "PATCH",
        token: merchant.token,
        json: { reservationTtlSeconds: null },
        headers: { "if-match": "*" },
      })
      assert.strictEqual(edited.body["reservationTtlSeconds"], null, edited.text)
      assert.strictEqual(yield* secondsOf("e", slow), 15 * 60)
    }),
  )
})

/** What a merchant, another one and an admin see of each kind of event, and what it is of. */
import { assert, describe, it } from "@effect/vitest"
import {
  type EventOrder,
  type EventProduct,
  type EventViewer,
  eventFor,
  eventTypes,
  isOfOrder,
  type ResolvedEvent,
} from "../../src/events/event.ts"
import { MerchantId, OrderId, ProductId } from "../../src/domain/ids.ts"
import { orderTransitions, paymentTransitions } from "../../src/domain/order.ts"

const idOf = (number: number) => `00000000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`
const [own, other] = [MerchantId.make(idOf(1)), MerchantId.make(idOf(2))]
const product: EventProduct = { id: ProductId.make(idOf(3)), merchantId: own }
const order: EventOrder = {
  id: OrderId.make(idOf(4)),
  caller: idOf(5),
  customerRef: null,
  currency: "EUR",
  lines: [
    { productId: product.id, merchantId: own, quantity: 2, unitPrice: 300 },
    { productId: ProductId.make(idOf(6)), merchantId: other, quantity: 1, unitPrice: 50 },
  ],
}
const [paymentId, shipmentId, offerId, accountId] = [7, 8, 9, 10].map(idOf)

const admin: EventViewer = { _tag: "Admin" }
const viewer = (merchantId: MerchantId): EventViewer => ({ _tag: "Merchant", merchantId })

const happened = (type: string, fields: Readonly<Record<string, unknown>>): ResolvedEvent => ({
  shard: 1,
  batch: 2,
  position: 3,
  createdAtMillis: 4,
  type,
  fields,
  order: isOfOrder({ type }) ? order : undefined,
  product: isOfOrder({ type }) ? undefined : product,
  movement: undefined,
})

describe("an event", () => {
  it("has a type for everything that an order and a payment become", () => {
    const become = [
      ...Object.keys(orderTransitions).map((status) => `order.${status}`),
      ...Object.keys(paymentTransitions).map((status) => `payment.${status}`),
    ]
    assert.includeMembers([...eventTypes], become)
  })

  it("of a payment or a shipment is for whoever has lines of the order, and is the order's", () => {
    for (const [type, fields] of [
      ["payment.succeeded", { orderId: order.id, paymentId }],
      ["shipment.delivered", { orderId: order.id, shipmentId }],
    ] as const) {
      const event = happened(type, fields)
      for (const who of [viewer(own), viewer(other), admin]) {
        const seen = eventFor(event, who)
        assert.deepStrictEqual(seen?.data, { ...fields, status: type.split(".")[1] })
        assert.strictEqual(seen?.subject, order.id)
      }
      assert.isNull(eventFor(event, viewer(MerchantId.make(idOf(11)))))
    }
  })

  it("of a waiting list tells the merchant of the place, and the admin of the account, too", () => {
    const fields = { productId: product.id, offerId, accountId }
    const event = happened("waitlist.joined", fields)
    assert.deepStrictEqual(eventFor(event, viewer(own))?.data, { productId: product.id, offerId })
    assert.deepStrictEqual(eventFor(event, admin)?.data, fields)
    assert.isNull(eventFor(event, viewer(other)))
  })

  it("of an offer is the product's, also where it became an order", () => {
    const fields = { productId: product.id, offerId, orderId: order.id }
    const seen = eventFor(happened("offer.accepted", fields), viewer(own))
    assert.deepStrictEqual(seen?.data, fields)
    assert.strictEqual(seen?.subject, product.id)
  })

  it("of a kind that nobody knows yet is for those whose product or order it is of", () => {
    const event = happened("product.painted", { productId: product.id, colour: "red" })
    assert.deepStrictEqual(eventFor(event, viewer(own))?.data, { productId: product.id, colour: "red" })
    assert.isNull(eventFor(event, viewer(other)))
    const lost = { ...happened("news.made", {}), product: undefined }
    assert.isNull(eventFor(lost, viewer(own)))
    assert.deepStrictEqual(eventFor(lost, admin)?.data, {})
  })

  it("has the same id for everybody, and a type with two parts", () => {
    const event = happened("order.paid", { orderId: order.id })
    const ids = [viewer(own), viewer(other), admin].map((who) => eventFor(event, who)?.id)
    assert.strictEqual(new Set(ids).size, 1)
    for (const type of eventTypes) assert.match(type, /^[a-z]+\.[a-zA-Z]+$/)
  })
})

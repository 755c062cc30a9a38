import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { encodeCursor } from "../../src/events/cursor.ts"
import { eventTypes } from "../../src/events/event.ts"
import { Merchants } from "../../src/merchants/Merchants.ts"
import { pruneEvents } from "../../src/webhooks/webhookPruning.ts"
import { isViolated, verify } from "../../src/verification/verify.ts"
import { allEvents, endOf, eventsPage, typesOf } from "../events/reading.ts"
import { assertRefused, cancel, edit, payElsewhere, placedOrder } from "./shopping.ts"
import { adminToken, call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

layer(testServer, { excludeTestServices: true })("the event log", (it) => {
  it.effect("tells a merchant of its own lines of an order, and an admin of all of them", () =>
    Effect.gen(function* () {
      const admin = yield* adminToken()
      const [one, other, stranger] = [yield* newMerchant(), yield* newMerchant(), yield* newMerchant()]
      const lamp = yield* newProduct(one, { price: { amount: 150, currency: "EUR" } })
      const chair = yield* newProduct(other, { price: { amount: 4000, currency: "EUR" } })
      const customer = yield* newCustomer()
      const [ofAdmin, ofOne, ofStranger] = [yield* endOf(admin), yield* endOf(one.token), yield* endOf(stranger.token)]
      const placed = yield* order(customer.token, "k", [
        [lamp, 3],
        [chair, 1],
      ])
      const orderId = String(placed.body["id"])
      yield* cancel(customer.token, orderId)

      const { told } = yield* allEvents(one.token, ofOne)
      assert.deepStrictEqual(typesOf(told), ["order.reserved", "order.cancelled"])
      const money = (amount: number) => ({ amount, currency: "EUR" })
      assert.deepStrictEqual(told[0]?.data, {
        orderId,
        status: "reserved",
        lines: [{ productId: lamp, quantity: 3, unitPrice: money(150) }],
        total: money(450),
      })
      assert.strictEqual(told[1]?.data["status"], "cancelled")
      const everything = (yield* allEvents(admin, ofAdmin)).told
      assert.deepStrictEqual(everything[0]?.data["total"], money(4450))
      assert.strictEqual(everything[0]?.id, told[0]?.id)
      assert.deepStrictEqual((yield* allEvents(stranger.token, ofStranger)).told, [])
      const asOther = yield* eventsPage(admin, { after: ofAdmin, merchantId: other.merchantId })
      assert.deepStrictEqual(asOther.data[0]?.data["total"], money(4000))
    }),
  )

  it.effect("tells of movements and edits of a merchant's own products", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* newMerchant(), yield* newMerchant()]
      const lamp = yield* newProduct(one, {})
      const [ofOne, ofOther] = [yield* endOf(one.token), yield* endOf(other.token)]
      const headers = { "idempotency-key": "m" }
      const json = { kind: "writtenOff", quantity: 4 }
      const moved = yield* call(`/v1/products/${lamp}/stock-movements`, { token: one.token, json, headers })
      yield* edit(lamp, { name: "Better lamp" })
      const { told } = yield* allEvents(one.token, ofOne)
      assert.deepStrictEqual(
        told.map(({ data, type }) => ({ type, data })),
        [
          {
            type: "stock.moved",
            data: { movementId: moved.body["id"], productId: lamp, kind: "writtenOff", delta: -4 },
          },
          { type: "product.amended", data: { productId: lamp, version: 2 } },
        ],
      )
      assert.deepStrictEqual((yield* allEvents(other.token, ofOther)).told, [])
    }),
  )

  it.effect("tells the life of an order to its end, and of those who wait for what it gave back", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 2 })
      const [buyer, waiter] = [yield* newCustomer(), yield* newCustomer()]
      const after = yield* endOf(merchant.token)
      const sent = placedOrder(yield* order(buyer.token, "sent", [[lamp, 1]]))
      yield* payElsewhere(sent.id)
      const json = { carrier: "Owl post", trackingNumber: "OWL-1" }
      const shipment = yield* call(`/v1/orders/${sent.id}/shipments`, { token: merchant.token, json })
      yield* call(`/v1/shipments/${String(shipment.body["id"])}/deliver`, { token: merchant.token, method: "POST" })
      const { told } = yield* allEvents(merchant.token, after)
      assert.deepStrictEqual(
        told.map(({ data, type }) => [type, data["status"]]),
        [
          ["order.reserved", "reserved"],
          ["payment.succeeded", "succeeded"],
          ["order.paid", "paid"],
          ["shipment.sent", "sent"],
          ["order.shipped", "shipped"],
          ["shipment.delivered", "delivered"],
          ["order.delivered", "delivered"],
        ],
      )
      assert.deepStrictEqual(new Set(told.map(({ data }) => data["orderId"])), new Set([sent.id]))
      assert.strictEqual(told[3]?.data["shipmentId"], shipment.body["id"])

      const gone = placedOrder(yield* order(buyer.token, "gone", [[lamp, 1]]))
      yield* call(`/v1/products/${lamp}/waitlist`, { token: waiter.token, json: { quantity: 1 } })
      const behind = yield* endOf(merchant.token)
      yield* cancel(buyer.token, gone.id)
      const offers = (yield* Effect.repeat(call("/v1/offers", { token: waiter.token }), {
        until: ({ body }) => (body["data"] as ReadonlyArray<unknown>).length > 0,
      })).body["data"] as ReadonlyArray<{ readonly id: string }>
      const offerId = offers[0]?.id
      const headers = { "idempotency-key": "a" }
      const accepted = yield* call(`/v1/offers/${offerId}/accept`, { token: waiter.token, method: "POST", headers })
      const later = (yield* allEvents(merchant.token, behind)).told
      assert.deepStrictEqual(
        later.filter(({ type }) => /^(waitlist|offer)/.test(type)).map(({ data, type }) => ({ type, data })),
        [
          { type: "offer.made", data: { productId: lamp, offerId } },
          { type: "offer.accepted", data: { productId: lamp, offerId, orderId: accepted.body["id"] } },
        ],
      )
      assert.notInclude(JSON.stringify(later), waiter.id)
      for (const { type } of [...told, ...later]) assert.include<string>(eventTypes, type)
    }),
  )

  it.effect("shows the customer's name to the merchant whose channel gave it, and to nobody else", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const admin = yield* adminToken()
      const [own, other] = [yield* newMerchant(), yield* newMerchant()]
      const [lamp, chair] = [yield* newProduct(own, {}), yield* newProduct(other, {})]
      const customer = yield* newCustomer()
      const [ofAdmin, ofOwn, ofOther] = [yield* endOf(admin), yield* endOf(own.token), yield* endOf(other.token)]
      const placed = yield* order(customer.token, "k", [
        [lamp, 1],
        [chair, 1],
      ])
      yield* sql`update orders set caller = ${own.merchantId}, customer_ref = 'jane' where id = ${String(placed.body["id"])}`
      assert.strictEqual((yield* allEvents(own.token, ofOwn)).told[0]?.data["customerRef"], "jane")
      assert.notProperty((yield* allEvents(other.token, ofOther)).told[0]?.data, "customerRef")
      assert.notProperty((yield* allEvents(admin, ofAdmin)).told[0]?.data, "customerRef")
    }),
  )

  it.effect("is for members of a merchant that was approved once, and for admins", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const merchants = yield* Merchants
      const admin = yield* adminToken()
      const customer = yield* newCustomer()
      assertRefused(yield* call("/v1/events"), 401, "unauthenticated")
      assertRefused(yield* call("/v1/events", { token: customer.token }), 403, "forbidden")
      const waiting = yield* newCustomer()
      yield* merchants.apply(waiting.id, "Not yet")
      assertRefused(yield* call("/v1/events", { token: waiting.token }), 403, "forbidden")
      const suspended = yield* newMerchant()
      yield* sql`update merchants set status = 'suspended' where id = ${suspended.merchantId}`
      yield* eventsPage(suspended.token)
      const both = yield* newMerchant()
      const second = yield* merchants.apply(both.id, "Second")
      yield* merchants.approve(second.id)
      const several = yield* call("/v1/events", { token: both.token })
      assertRefused(several, 422, "invalid")
      assert.include(several.text, "/merchantId")
      yield* eventsPage(both.token, { merchantId: second.id })
      const strangers = yield* call(`/v1/events?merchantId=${suspended.merchantId}`, { token: both.token })
      assertRefused(strangers, 403, "forbidden")
      yield* eventsPage(admin, { merchantId: suspended.merchantId })
    }),
  )

  it.effect("refuses a cursor that it never gave out", () =>
    Effect.gen(function* () {
      const token = yield* adminToken()
      const ahead = encodeCursor([{ batch: 1_000_000, offset: 0 }])
      for (const after of ["nonsense", "AQ%3D", "x".repeat(2_001), ahead]) {
        const answer = yield* call(`/v1/events?after=${after}`, { token })
        assertRefused(answer, 422, "invalid")
        assert.include(answer.text, "/after")
      }
    }),
  )

  it.effect("a cursor that knows fewer shards reads the others from their beginning", () =>
    Effect.gen(function* () {
      const token = yield* adminToken()
      const whole = yield* allEvents(token)
      assert.isNotEmpty(whole.told)
      const { told } = yield* allEvents(token, encodeCursor([]))
      assert.deepStrictEqual(told, whole.told)
    }),
  )

  it.effect("moves on over what is for others, with pages that are short", () =>
    Effect.gen(function* () {
      const [seller, quiet] = [yield* newMerchant(), yield* newMerchant()]
      const [lamp, chair] = [yield* newProduct(seller, {}), yield* newProduct(quiet, {})]
      const customer = yield* newCustomer()
      let after = yield* endOf(quiet.token)
      for (let number = 0; number < 40; number++) yield* order(customer.token, `busy-${number}`, [[lamp, 1]])
      yield* order(customer.token, "quiet", [[chair, 1]])
      const pages = []
      for (let more = true; more;) {
        const page = yield* eventsPage(quiet.token, { after, limit: 1 })
        pages.push(page.data.length)
        after = page.cursor
        more = page.hasMore
      }
      assert.strictEqual(
        pages.reduce((sum, length) => sum + length, 0),
        1,
      )
      assert.isAbove(pages.length, 1, "one shard's batches do not fit one page")
    }),
  )
})

layer(testServer, { excludeTestServices: true })("a log whose beginning was pruned", (it) => {
  it.effect("tells a reader that it missed something, starts anew where it is kept, and stays verified", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const token = yield* adminToken()
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, {})
      const { token: buyer } = yield* newCustomer()
      const start = (yield* eventsPage(token)).cursor
      const kept = yield* order(buyer, "old-1", [[lamp, 1]])
      const gone = yield* order(buyer, "old-2", [[lamp, 1]])
      yield* cancel(buyer, String(gone.body["id"]))
      yield* edit(lamp, { name: "Better lamp" })
      const before = yield* allEvents(token)
      yield* sql`update batches set committed_at = committed_at - interval '31 days'`
      yield* sql`update orders set created_at = created_at - interval '31 days'`
      const young = yield* order(buyer, "young", [[lamp, 1]])
      yield* cancel(buyer, String(kept.body["id"]))
      yield* pruneEvents(sql, 30 * 24 * 3_600_000)

      assertRefused(yield* call(`/v1/events?after=${start}`, { token }), 410, "cursor_expired")
      const { told } = yield* allEvents(token)
      assert.deepStrictEqual(
        told.map(({ data, type }) => [type, data["orderId"]]),
        [
          ["order.reserved", young.body["id"]],
          ["order.cancelled", kept.body["id"]],
        ],
      )
      assert.deepStrictEqual((yield* allEvents(token, before.cursor)).told, told)
      assert.deepStrictEqual((yield* verify()).filter(isViolated), [])
      const [batches] = yield* sql<{ readonly there: number; readonly leases: number }>`
        select (select count(*) from batches)::integer as there, sum(batch)::integer as leases from shard_leases`
      assert.strictEqual(batches?.there, batches?.leases)

      // What is kept is still held against the orders, one by one.
      yield* sql`update batches set events = '[]' where events::text like ${`%${String(young.body["id"])}%`}`
      assert.deepStrictEqual(
        (yield* verify()).filter(isViolated).map(({ name }) => name),
        ["orders_have_events"],
      )
      yield* sql`update batches set events = '[{"type":"late"}]' where batch = 1 and shard = (select min(shard) from event_log_prunings)`
      assert.include(
        (yield* verify()).filter(isViolated).map(({ name }) => name),
        "pruned_events_are_gone",
      )
    }),
  )
})

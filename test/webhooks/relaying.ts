/**
 * What the tests of the relay do: a merchant with a receiver, orders that are placed and cancelled, and a relay that looks
 * when it is told to. Time does not pass by itself: a pause between attempts is over when a test says so.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Relay } from "../../src/webhooks/Relay.ts"
import { WebhookId } from "../../src/webhooks/webhook.ts"
import { cancel } from "../http/shopping.ts"
import { call, newCustomer, newMerchant, newProduct, order } from "../http/testServer.ts"
import { makeReceiver, type Receiver } from "./receiver.ts"

/** A merchant with a product, a customer, and a webhook that leads to a receiver of its own. */
export const makeShop = Effect.fnUntraced(function* (json: Readonly<Record<string, unknown>> = {}) {
  const receiver = yield* makeReceiver
  const merchant = yield* newMerchant()
  const productId = yield* newProduct(merchant, { stock: 1_000 })
  const customer = yield* newCustomer()
  const created = yield* call("/v1/webhooks", { token: merchant.token, json: { url: receiver.url, ...json } })
  assert.strictEqual(created.status, 201, created.text)
  receiver.secret = String(created.body["secret"])
  return { receiver, merchant, productId, customer, webhookId: WebhookId.make(String(created.body["id"])) }
})

type Shop = Effect.Success<ReturnType<typeof makeShop>>

let keys = 0

/** Orders of one unit that are placed and then cancelled: two events each. */
export const buyAndCancel = Effect.fnUntraced(function* ({ customer, productId }: Shop, count: number) {
  return yield* Effect.forEach(
    Array.from({ length: count }),
    Effect.fnUntraced(function* () {
      keys += 1
      const placed = yield* order(customer.token, `order-${keys}`, [[productId, 1]])
      const orderId = String(placed.body["id"])
      assert.strictEqual((yield* cancel(customer.token, orderId)).status, 200)
      return orderId
    }),
    { concurrency: 4 },
  )
})

/** Looks at the log to its end. */
export const readOn = Effect.gen(function* () {
  const relay = yield* Relay
  yield* Effect.repeat(relay.readOn, { while: (hasMore) => hasMore })
})

/** Serves what is due, once. */
export const serveDue = Effect.gen(function* () {
  const relay = yield* Relay
  const claimed = yield* relay.claim(100)
  yield* Effect.forEach(claimed, relay.serve, { concurrency: "unbounded", discard: true })
  return claimed.length
})

/** Every pause and every lease is over. */
export const letTimePass = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`update webhook_deliveries set next_attempt_at = clock_timestamp() where state = 'pending'`
  yield* sql`update webhook_relays set due_at = clock_timestamp() where due_at is not null`
  yield* sql`update webhook_relays set leased_until = clock_timestamp() - interval '1 s' where leased_until is not null`
})

/** Reads and delivers, over every pause, so often. */
export const relayRounds = Effect.fnUntraced(function* (rounds: number) {
  for (let round = 0; round < rounds; round++) {
    yield* letTimePass
    yield* readOn
    yield* serveDue
  }
})

/** By order, each once, in the order in which they first came. */
export const told = ({ accepted }: Receiver): ReadonlyMap<string, ReadonlyArray<string>> => {
  const byOrder = new Map<string, Array<string>>()
  const seen = new Set<string>()
  for (const { id, orderId, type } of accepted) {
    if (seen.has(id)) continue
    seen.add(id)
    byOrder.set(orderId, [...(byOrder.get(orderId) ?? []), type])
  }
  return byOrder
}

export const assertAllTold = (receiver: Receiver, orderIds: ReadonlyArray<string>) => {
  const whole = new Map(orderIds.map((orderId) => [orderId, ["order.reserved", "order.cancelled"]]))
  const got = told(receiver)
  assert.deepStrictEqual(new Map([...got].sort()), new Map([...whole].sort()))
  assert.deepStrictEqual(receiver.forged, [])
}

export const deliveriesOf = Effect.fnUntraced(function* ({ merchant, webhookId }: Shop, state?: string) {
  const query = state === undefined ? "?limit=100" : `?limit=100&state=${state}`
  const answer = yield* call(`/v1/webhooks/${webhookId}/deliveries${query}`, { token: merchant.token })
  assert.strictEqual(answer.status, 200, answer.text)
  return answer.body["data"] as ReadonlyArray<Readonly<Record<string, unknown>>>
})

/**
 * What a customer does with a cart, and what the merchant does meanwhile, as one call each.
 */
import { assert } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient } from "effect/sql"
import { CartView } from "../../src/http/contract/carts.ts"
import { OrderView } from "../../src/http/contract/orders.ts"
import type { ProductChange } from "../../src/domain/commands.ts"
import { CallerId, OrderId, PaymentId, ProductId } from "../../src/domain/ids.ts"
import { Inventory } from "../../src/inventory/Inventory.ts"
import { ProductWriter } from "../../src/inventory/ProductWriter.ts"
import { isViolated, verify } from "../../src/verification/verify.ts"
import { type Answer, call, newProduct, type TestServer } from "./testServer.ts"

const decodeCart = Schema.decodeUnknownSync(CartView)
const decodeOrder = Schema.decodeUnknownSync(OrderView)

export const putLine = (token: string, productId: string, quantity: unknown) =>
  call(`/v1/cart/lines/${productId}`, { method: "PUT", token, json: { quantity } })

export const dropLine = (token: string, productId: string) =>
  call(`/v1/cart/lines/${productId}`, { method: "DELETE", token })

export const cartOf = (token: string) =>
  Effect.map(call("/v1/cart", { token }), (answer) => {
    assert.strictEqual(answer.status, 200, answer.text)
    return decodeCart(answer.body)
  })

export const linesIn = (token: string) =>
  Effect.map(cartOf(token), (cart) =>
    cart.lines.map((line): readonly [string, number] => [line.productId, line.quantity]),
  )

/** What is in the way, as plain values. */
export const problemsIn = (token: string): Effect.Effect<ReadonlyArray<unknown>, never, TestServer> =>
  Effect.map(cartOf(token), (cart) => cart.problems)

export const checkout = (token: string, key: string, json?: unknown) =>
  call("/v1/cart/checkout", {
    method: "POST",
    token,
    headers: { "idempotency-key": key },
    ...(json === undefined ? {} : { json }),
  })

export const cancel = (token: string, orderId: string) =>
  call(`/v1/orders/${orderId}/cancel`, { method: "POST", token })

export const refund = (token: string, orderId: string) =>
  call(`/v1/orders/${orderId}/refund`, { method: "POST", token })

/** Pays an order as a channel does that took the money elsewhere. */
export const payElsewhere = Effect.fnUntraced(function* (orderId: string) {
  const inventory = yield* Inventory
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly shard: number; readonly caller: string }>`
    select home_shard as shard, caller from orders where id = ${orderId}`
  assert.exists(row)
  const payment = { _tag: "External", reference: `till ${orderId}` } as const
  const paymentId = PaymentId.make(SecureRandom.uuidV7Unsafe())
  const name = { caller: CallerId.make(row.caller), key: `pay ${orderId}`, fingerprint: "ab".repeat(16) }
  const order = { orderId: OrderId.make(orderId), extensionMillis: 1_000 }
  const command = { _tag: "Extend" as const, ...name, ...order, paymentId, payment }
  return yield* inventory.submit(row.shard, command, Date.now() + 5_000)
})

export const placedOrder = (answer: Answer) => {
  assert.strictEqual(answer.status, 201, answer.text)
  return decodeOrder(answer.body)
}

export const isReplayed = (answer: Answer) => answer.headers.get("idempotency-replayed") === "true"

export const assertRefused = (answer: Answer, status: number, code: string) => {
  assert.strictEqual(answer.status, status, answer.text)
  assert.strictEqual(answer.body["code"], code)
  assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
}

export const available = (productId: string) =>
  Effect.map(call(`/v1/products/${productId}`), (answer) => answer.body["available"])

/** The merchant's edit, whichever version the product is at. */
export const edit = Effect.fnUntraced(function* (productId: string, change: ProductChange) {
  const writer = yield* ProductWriter
  const outcome = yield* writer.amend(ProductId.make(productId), null, change)
  assert.strictEqual(outcome._tag, "Amended")
})

/** So many products that belong to shards of their own, the lowest first, each with ten units at a euro. */
export const productsOnShards = Effect.fnUntraced(function* (merchant: { readonly token: string }, count: number) {
  const sql = yield* SqlClient.SqlClient
  const found = new Map<number, string>()
  while (found.size < count) {
    const productId = yield* newProduct(merchant, { stock: 10 })
    const [row] = yield* sql<{ readonly shard: number }>`select shard from products where id = ${productId}`
    assert.exists(row)
    found.set(row.shard, productId)
  }
  return [...found].sort(([left], [right]) => left - right).map(([shard, productId]) => ({ shard, productId }))
})

/** Fails where a rule of the books is broken, or an order left units held; offers may be open. */
export const assertBooksBalanced = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  assert.deepStrictEqual((yield* verify()).filter(isViolated), [])
  assert.deepStrictEqual(yield* sql`select product_id, quantity from holds where kind = 'order'`, [])
})

/** Fails where a rule of the books is broken, or units are still held. */
export const assertBooksClosed = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* assertBooksBalanced
  assert.deepStrictEqual(yield* sql`select product_id, quantity from holds`, [])
})

/**
 * The shop that each sequence of requests starts in: callers of its own, a few products, orders on their way, something in
 * a cart and a webhook. Accounts are copies of one whose password was hashed once, for hashing one for each sequence would
 * take most of the run.
 */
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient } from "effect/sql"
import { Sessions } from "../../src/accounts/Sessions.ts"
import { AccountId } from "../../src/domain/ids.ts"
import { Merchants } from "../../src/merchants/Merchants.ts"
import { Relay } from "../../src/webhooks/Relay.ts"
import { putLine } from "../http/shopping.ts"
import { call, newCustomer, newProduct, order } from "../http/testServer.ts"
import { pay } from "../payments/paying.ts"
import { type Caller, type Role, World } from "./world.ts"

const price = { amount: 100, currency: "EUR" }

export const firstProducts = [
  { name: "Few", stock: 3, price },
  { name: "Many", stock: 2_000_000, price },
  { name: "More", stock: 2_000_000_000, price },
  { name: "Limited", stock: 1_000, limitPerCustomer: 2, price },
]

/** An order that is on its way, whose shipment may arrive. */
const shippedOrder = Effect.fnUntraced(function* (world: World, customer: Caller, merchant: Caller, product: string) {
  const { body } = yield* order(customer.token, "key-shipped", [[product, 1]])
  yield* pay(customer.token, String(body["id"]), "key-shipped", "success")
  const json = { carrier: "Owls", trackingNumber: "1" }
  const sent = yield* call(`/v1/orders/${String(body["id"])}/shipments`, { token: merchant.token, json })
  world.addId("shipment", sent.body["id"])
})

/** What came back of a product, offered to those who waited for it, and one of which nothing came back. */
const offers = Effect.fnUntraced(function* (world: World, waiting: ReadonlyArray<Caller>, merchant: Caller) {
  const [first] = waiting
  const back = yield* newProduct(merchant, { name: "Back", stock: 0 })
  const gone = yield* newProduct(merchant, { name: "Gone", stock: 0 })
  world.addId("product", gone)
  const join = (caller: Caller, product: string) =>
    call(`/v1/products/${product}/waitlist`, { token: caller.token, json: { quantity: 1 } })
  for (const caller of waiting) yield* join(caller, back)
  if (first !== undefined) yield* join(first, gone)
  const json = { kind: "received", quantity: waiting.length }
  const headers = { "idempotency-key": "back" }
  yield* call(`/v1/products/${back}/stock-movements`, { token: merchant.token, json, headers })
  for (const { token } of waiting) {
    const listed = Effect.map(
      call("/v1/offers", { token }),
      ({ body }) => body["data"] as ReadonlyArray<{ id: string }>,
    )
    // They are made in the shard's next batch, perhaps a moment after the answer.
    for (const { id } of yield* Effect.repeat(listed, { until: (made) => made.length > 0 })) world.addId("offer", id)
  }
})

let worlds = 0

/** A new sequence's world, and the way to sign one of its callers in again. */
export const openShop = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const sessions = yield* Sessions
  const merchants = yield* Merchants
  const original = yield* newCustomer()
  const callerOf = Effect.fnUntraced(function* (email: string, id: AccountId) {
    const { token } = yield* sessions.open(id)
    return { token, email, id }
  })

  const newCaller = Effect.fnUntraced(function* (role: Role) {
    const id = AccountId.make(SecureRandom.uuidV7Unsafe())
    const email = `${role}-${worlds}@fuzz.example`
    yield* sql`insert into accounts (id, email, name, password_hash, is_admin)
      select ${id}, ${email}, name, password_hash, ${role === "admin"} from accounts where id = ${original.id}`
    return yield* callerOf(email, id)
  })

  const newWorld = Effect.gen(function* () {
    worlds += 1
    const merchant = yield* newCaller("merchant")
    const customer = yield* newCaller("customer")
    const otherCustomer = yield* newCaller("otherCustomer")
    const { id: merchantId } = yield* merchants.apply(merchant.id, "Fuzz")
    yield* merchants.approve(merchantId)
    const callers = { merchant, customer, otherCustomer, admin: yield* newCaller("admin") }
    const world = new World(callers, `10.${worlds >> 16}.${(worlds >> 8) & 255}.${worlds & 255}`)
    world.addId("merchant", merchantId)
    const key = yield* call(`/v1/merchants/${merchantId}/api-keys`, { token: merchant.token, json: { name: "Fuzz" } })
    world.addId("key", key.body["id"])
    for (const product of firstProducts) world.addId("product", yield* newProduct(merchant, product))
    const json = { url: "https://hooks.example/hook" }
    const webhook = yield* call("/v1/webhooks", { token: merchant.token, json })
    world.addId("webhook", webhook.body["id"])
    const [, many] = world.known("product")
    const placed = yield* order(customer.token, "key-0", [[many, 1]])
    world.addId("order", placed.body["id"])
    // One that is paid, to be shipped or refunded, and one whose payment waits for its callback.
    for (const method of ["success", "late_success"]) {
      const { body } = yield* order(customer.token, `key-${method}`, [[many, 1]])
      world.addId("order", body["id"])
      world.addId("payment", (yield* pay(customer.token, String(body["id"]), "key-0", method)).body["id"])
    }
    yield* shippedOrder(world, customer, merchant, String(many))
    yield* offers(world, [customer, otherCustomer], merchant)
    yield* putLine(customer.token, String(many), 1)
    // Nobody delivers here; what waits for its receiver is there to be listed and replayed.
    const relay = yield* Relay
    yield* Effect.orDie(Effect.repeat(relay.readOn, { while: (hasMore) => hasMore }))
    const path = `/v1/webhooks/${String(webhook.body["id"])}/deliveries`
    const listed = yield* call(path, { token: merchant.token })
    for (const { id } of listed.body["data"] as ReadonlyArray<{ readonly id: string }>) world.addId("delivery", id)
    return world
  })

  /** What a caller whose session ended does. */
  const signInAgain = (caller: Caller) => callerOf(caller.email, caller.id)

  return { newWorld, signInAgain }
})

import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import {
  assertBooksClosed,
  assertRefused,
  available,
  cancel,
  isReplayed,
  payElsewhere,
  placedOrder,
} from "./shopping.ts"
import { adminToken, call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

const newKey = Effect.fnUntraced(function* (merchant: { readonly token: string; readonly merchantId: string }) {
  const answer = yield* call(`/v1/merchants/${merchant.merchantId}/api-keys`, {
    token: merchant.token,
    json: { name: "Shop" },
  })
  assert.strictEqual(answer.status, 201, answer.text)
  return { id: String(answer.body["id"]), token: String(answer.body["key"]) }
})

const orderFor = (token: string, key: string, productId: string, quantity: number, customerRef?: string) =>
  call("/v1/orders", {
    token,
    headers: { "idempotency-key": key },
    json: { lines: [{ productId, quantity }], ...(customerRef === undefined ? {} : { customerRef }) },
  })

const listOf = (body: Readonly<Record<string, unknown>>): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  body["data"] as ReadonlyArray<Readonly<Record<string, unknown>>>

layer(testServer, { excludeTestServices: true })("channels", (it) => {
  it.effect("a key orders for its merchant's customers, and its retries get the same order", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 5 })
      const first = yield* newKey(merchant)
      const second = yield* newKey(merchant)

      const placed = yield* orderFor(first.token, "one", lamp, 2, "jane")
      const { customerRef, id } = placedOrder(placed)
      assert.strictEqual(customerRef, "jane")
      const again = yield* orderFor(second.token, "one", lamp, 2, "jane")
      assert.strictEqual(placedOrder(again).id, id)
      assert.isTrue(isReplayed(again))
      assertRefused(yield* orderFor(first.token, "one", lamp, 2, "joan"), 422, "idempotency_key_reused")
      assert.strictEqual(yield* available(lamp), 3)

      yield* orderFor(first.token, "two", lamp, 1, "joan")
      const own = yield* call("/v1/orders?customerRef=jane", { token: first.token })
      assert.deepStrictEqual(
        listOf(own.body).map((found) => found["id"]),
        [id],
      )
      assert.strictEqual((yield* call(`/v1/orders/${id}`, { token: second.token })).status, 200)
      assert.strictEqual((yield* cancel(second.token, id)).body["status"], "cancelled")
      assert.strictEqual(yield* available(lamp), 4)
    }),
  )

  it.effect("a channel says that it was paid elsewhere, once, and follows its merchant's events", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 5 })
      const { token } = yield* newKey(merchant)
      const { id } = placedOrder(yield* orderFor(token, "one", lamp, 1, "jane"))
      const pay = (key: string, json: unknown) =>
        call(`/v1/orders/${id}/payments`, { token, json, headers: { "idempotency-key": key } })
      assertRefused(yield* pay("till", { method: "external" }), 422, "invalid")
      const paid = yield* pay("till", { method: "external", reference: "receipt 7" })
      assert.strictEqual(paid.status, 201, paid.text)
      assert.deepInclude(paid.body, { status: "succeeded", method: "external", reference: "receipt 7" })
      assert.isTrue(isReplayed(yield* pay("till", { method: "external", reference: "receipt 7" })))
      assertRefused(yield* pay("again", { method: "external", reference: "receipt 8" }), 409, "already_paid")
      assert.strictEqual((yield* call(`/v1/orders/${id}`, { token })).body["status"], "paid")
      const events = yield* call("/v1/events?limit=100", { token })
      assert.strictEqual(events.status, 200, events.text)
      const types = listOf(events.body).map((event) => event["type"])
      for (const type of ["order.reserved", "payment.succeeded", "order.paid"]) assert.include(types, type)
      const webhook = yield* call("/v1/webhooks", { token, json: { url: "https://hooks.example/hook" } })
      assert.strictEqual(webhook.status, 201, webhook.text)
      const stranger = yield* newKey(yield* newMerchant())
      assertRefused(
        yield* call(`/v1/webhooks/${String(webhook.body["id"])}`, { token: stranger.token }),
        404,
        "not_found",
      )
      assert.deepStrictEqual(listOf((yield* call("/v1/events", { token: stranger.token })).body), [])
    }),
  )

  it.effect("its merchant's members see what it ordered as it does: for whom, and how it was paid", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = yield* newKey(merchant)
      const { id } = placedOrder(yield* orderFor(token, "one", yield* newProduct(merchant, {}), 1, "jane"))
      yield* payElsewhere(id)
      for (const path of [`/v1/orders/${id}`, `/v1/orders/${id}/payments`]) {
        const seen = yield* call(path, { token })
        assert.include(seen.text, `till ${id}`)
        assert.deepStrictEqual((yield* call(path, { token: merchant.token })).body, seen.body)
        assertRefused(yield* call(path, { token: (yield* newMerchant()).token }), 404, "not_found")
      }
    }),
  )

  it.effect("a channel must say for whom it orders, an account may not", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, {})
      const key = yield* newKey(merchant)
      const refused = yield* orderFor(key.token, "one", lamp, 1)
      assertRefused(refused, 422, "invalid")
      assert.deepStrictEqual(refused.body["errors"], [{ pointer: "/customerRef", message: "is required of a channel" }])
      assertRefused(yield* orderFor(merchant.token, "one", lamp, 1, "jane"), 422, "invalid")
    }),
  )

  it.effect("a key of one merchant touches nothing of another", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const other = yield* newMerchant()
      const lamp = yield* newProduct(merchant, {})
      const theirs = yield* newProduct(other, { stock: 7 })
      const key = yield* newKey(merchant)
      const otherKey = yield* newKey(other)

      const refused = yield* call("/v1/orders", {
        token: key.token,
        headers: { "idempotency-key": "mixed" },
        json: {
          customerRef: "jane",
          lines: [lamp, theirs].map((productId) => ({ productId, quantity: 1 })),
        },
      })
      assertRefused(refused, 422, "unknown_product")
      assert.deepStrictEqual(refused.body["productIds"], [theirs])
      assert.strictEqual(yield* available(theirs), 7)

      const { id } = placedOrder(yield* orderFor(key.token, "one", lamp, 1, "jane"))
      assertRefused(yield* call(`/v1/orders/${id}`, { token: otherKey.token }), 404, "not_found")
      assertRefused(yield* cancel(otherKey.token, id), 404, "not_found")
      assert.deepStrictEqual(listOf((yield* call("/v1/orders", { token: otherKey.token })).body), [])
      // The same key of another merchant is another order.
      assert.notStrictEqual(placedOrder(yield* orderFor(otherKey.token, "one", theirs, 1, "jane")).id, id)
    }),
  )

  it.effect("what is for accounts refuses a key", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, {})
      const { token } = yield* newKey(merchant)
      const { id } = placedOrder(yield* orderFor(token, "one", lamp, 1, "jane"))
      assertRefused(yield* call("/v1/me", { token }), 403, "forbidden")
      assertRefused(yield* call("/v1/cart", { token }), 403, "forbidden")
      assertRefused(yield* call("/v1/products", { token, json: {} }), 403, "forbidden")
      assertRefused(yield* call(`/v1/merchants/${merchant.merchantId}/api-keys`, { token }), 403, "forbidden")
      yield* payElsewhere(id)
      assertRefused(yield* call(`/v1/orders/${id}/refund`, { method: "POST", token }), 403, "forbidden")
    }),
  )

  it.effect("limits count for each customer of a channel, and not for the channel", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { limitPerCustomer: 2 })
      const { token } = yield* newKey(merchant)
      placedOrder(yield* orderFor(token, "one", lamp, 2, "jane"))
      const more = yield* orderFor(token, "two", lamp, 1, "jane")
      assertRefused(more, 409, "limit_exceeded")
      placedOrder(yield* orderFor(token, "three", lamp, 2, "joan"))
    }),
  )

  it.effect("a batch of a channel answers each of its orders as if it had come alone", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const theirs = yield* newProduct(yield* newMerchant(), {})
      const lamp = yield* newProduct(merchant, { limitPerCustomer: 1 })
      const { token } = yield* newKey(merchant)
      // Its shard is known from here on: the first look-ups of a shard may overtake each other, whoever orders.
      placedOrder(yield* orderFor(token, "first", lamp, 1, "jim"))
      const line = (productId: string) => [{ productId, quantity: 1 }]
      const answer = yield* call("/v1/orders/batch", {
        token,
        json: {
          orders: [
            { idempotencyKey: "a", customerRef: "jane", lines: line(lamp) },
            { idempotencyKey: "b", customerRef: "jane", lines: line(lamp) },
            { idempotencyKey: "c", customerRef: "joan", lines: line(lamp) },
            { idempotencyKey: "d", lines: line(lamp) },
            { idempotencyKey: "e", customerRef: "joan", lines: line(theirs) },
          ],
        },
      })
      assert.strictEqual(answer.status, 200, answer.text)
      const results = answer.body["results"] as ReadonlyArray<{ readonly status: number }>
      assert.deepStrictEqual(
        results.map(({ status }) => status),
        [201, 409, 201, 422, 422],
      )
    }),
  )

  it.effect("a key is shown once, kept as its hash, dated when used, and refused at once when revoked", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, {})
      const key = yield* newKey(merchant)
      const path = `/v1/merchants/${merchant.merchantId}/api-keys`
      assert.match(key.token, /^hfy_[\w-]{43}$/)
      const used = yield* orderFor(key.token, "one", lamp, 1, "jane")
      assert.strictEqual(used.status, 201)

      const stored = yield* sql<{ readonly row: string }>`select k::text as row from api_keys k where id = ${key.id}`
      assert.notInclude(stored[0]?.row ?? "", key.token)
      const listed = yield* call(path, { token: merchant.token })
      assert.notInclude(listed.text, key.token)
      yield* sql<{
        readonly used: boolean
      }>`select last_used_at is not null as used from api_keys where id = ${key.id}`.pipe(
        Effect.repeat({ until: ([row]) => row?.used === true }),
      )
      assert.isString(listOf((yield* call(path, { token: merchant.token })).body)[0]?.["lastUsedAt"])

      const revoked = yield* call(`${path}/${key.id}`, { method: "DELETE", token: merchant.token })
      assert.strictEqual(revoked.status, 204)
      assertRefused(yield* orderFor(key.token, "one", lamp, 1, "jane"), 401, "unauthenticated")
      assertRefused(yield* call("/v1/me", { token: key.token }), 401, "unauthenticated")
      assert.isString(listOf((yield* call(path, { token: merchant.token })).body)[0]?.["revokedAt"])
      assert.strictEqual((yield* call(`${path}/${key.id}`, { method: "DELETE", token: merchant.token })).status, 204)
      assertRefused(yield* call("/v1/orders", { token: `hfy_${"A".repeat(43)}` }), 401, "unauthenticated")
    }),
  )

  it.effect("only members make, see and revoke keys, and a merchant has so many at most", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const stranger = yield* newMerchant()
      const key = yield* newKey(merchant)
      const path = `/v1/merchants/${merchant.merchantId}/api-keys`
      assertRefused(yield* call(path, { token: stranger.token, json: { name: "Mine" } }), 403, "forbidden")
      assertRefused(yield* call(path, { token: stranger.token }), 403, "forbidden")
      assertRefused(yield* call(`${path}/${key.id}`, { method: "DELETE", token: stranger.token }), 403, "forbidden")
      const ofStranger = `/v1/merchants/${stranger.merchantId}/api-keys/${key.id}`
      assertRefused(yield* call(ofStranger, { method: "DELETE", token: stranger.token }), 404, "not_found")
      const answers = yield* Effect.forEach(
        Array.from({ length: 25 }),
        () => call(path, { token: merchant.token, json: { name: "More" } }),
        { concurrency: 8 },
      )
      assert.strictEqual(answers.filter(({ status }) => status === 201).length, 19)
      for (const answer of answers) if (answer.status !== 201) assertRefused(answer, 409, "too_many")
    }),
  )
})

layer(testServer, { excludeTestServices: true })("a suspended merchant", (it) => {
  const standing = (admin: string, merchantId: string, to: "approve" | "suspend") =>
    call(`/v1/merchants/${merchantId}/${to}`, { method: "POST", token: admin })

  it.effect("sells nothing from the answer on, whatever is under way, until it is approved again", () =>
    Effect.gen(function* () {
      const admin = yield* adminToken()
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 100_000 })
      const customers = yield* Effect.forEach(Array.from({ length: 4 }), newCustomer)
      let isSuspended = false
      let soldBefore = 0
      let soldAfter = 0
      const buy = Effect.fnUntraced(function* (token: string, customer: number) {
        for (let n = 0, refusals = 0; refusals < 5; n++) {
          const wasSuspended = isSuspended
          const { body, status } = yield* order(token, `order ${customer} ${n}`, [[lamp, 1]])
          if (status === 201) {
            if (wasSuspended) soldAfter++
            else soldBefore++
          } else {
            assert.strictEqual(body["code"], "not_on_sale")
            refusals++
          }
        }
      })
      const suspend = Effect.gen(function* () {
        yield* Effect.suspend(() => Effect.yieldNow).pipe(Effect.repeat({ until: () => soldBefore > 50 }))
        const answer = yield* standing(admin, merchant.merchantId, "suspend")
        assert.strictEqual(answer.status, 200, answer.text)
        isSuspended = true
      })
      yield* Effect.all([suspend, ...customers.map(({ token }, index) => buy(token, index))], {
        concurrency: "unbounded",
      })
      assert.strictEqual(soldAfter, 0)
      assert.isAbove(soldBefore, 50)

      assert.strictEqual((yield* standing(admin, merchant.merchantId, "approve")).status, 200)
      placedOrder(yield* order((yield* newCustomer()).token, "again", [[lamp, 1]]))
      yield* assertBooksClosed
    }),
  )

  it.effect("is off the shelf, its key orders nothing, and its members send what is paid", () =>
    Effect.gen(function* () {
      const admin = yield* adminToken()
      const merchant = yield* newMerchant()
      const customer = yield* newCustomer()
      const lamp = yield* newProduct(merchant, { name: "Quaint lantern" })
      const key = yield* newKey(merchant)
      const paid = placedOrder(yield* order(customer.token, "one", [[lamp, 1]]))
      yield* payElsewhere(paid.id)
      const lists = [
        `/v1/products?merchantId=${merchant.merchantId}`,
        `/v1/products?merchantId=${merchant.merchantId}&inStock=true`,
        "/v1/products?q=quaint",
        "/v1/products?q=quaint&inStock=true",
      ]
      const shown = Effect.forEach(lists, (list) => Effect.map(call(list), ({ body }) => listOf(body).length))
      assert.deepStrictEqual(yield* shown, [1, 1, 1, 1])

      assert.strictEqual((yield* standing(admin, merchant.merchantId, "suspend")).body["status"], "suspended")
      assert.deepStrictEqual(yield* shown, [0, 0, 0, 0])
      const product = yield* call(`/v1/products/${lamp}`)
      assert.strictEqual(product.body["paused"], true)
      assertRefused(yield* orderFor(key.token, "two", lamp, 1, "jane"), 403, "forbidden")
      const another = { name: "Lamp", stock: 1, price: { amount: 1, currency: "EUR" } }
      assertRefused(yield* call("/v1/products", { token: merchant.token, json: another }), 403, "forbidden")
      const sent = yield* call(`/v1/orders/${paid.id}/shipments`, {
        token: merchant.token,
        json: { carrier: "Post", trackingNumber: "1" },
      })
      assert.strictEqual(sent.status, 201, sent.text)

      assert.strictEqual((yield* standing(admin, merchant.merchantId, "approve")).status, 200)
      assert.deepStrictEqual(yield* shown, [1, 1, 1, 1])
      placedOrder(yield* orderFor(key.token, "two", lamp, 1, "jane"))
    }),
  )

  it.effect("is one that an admin suspended, and that was approved before", () =>
    Effect.gen(function* () {
      const admin = yield* adminToken()
      const merchant = yield* newMerchant()
      assertRefused(yield* standing(merchant.token, merchant.merchantId, "suspend"), 403, "forbidden")
      const applied = yield* call("/v1/merchants", { token: merchant.token, json: { name: "New" } })
      assertRefused(yield* standing(admin, String(applied.body["id"]), "suspend"), 409, "not_suspendable")
      assertRefused(yield* standing(admin, merchant.id, "suspend"), 404, "not_found")
    }),
  )
})

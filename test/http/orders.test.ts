import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { OrderView } from "../../src/http/contract/orders.ts"
import { type Answer, call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

const decodeOrder = Schema.decodeUnknownSync(OrderView)

const assertRefused = (answer: Answer, status: number, code: string) => {
  assert.strictEqual(answer.status, status, answer.text)
  assert.strictEqual(answer.body["code"], code)
  assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
}

const firstPointer = (answer: Answer): string | undefined => {
  const errors = answer.body["errors"]
  return Array.isArray(errors) ? errors[0]?.pointer : undefined
}

const balance = Effect.fnUntraced(function* (productId: string) {
  const answer = yield* call(`/v1/products/${productId}`)
  return [answer.body["stocked"], answer.body["available"]]
})

const ordersInDatabase = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly count: number }>`select count(*)::integer as count from orders`
  return row?.count
})

layer(testServer, { excludeTestServices: true })("orders", (it) => {
  it.effect("an order takes its units and is found again by its id, its key and its owner's list", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { name: "Lamp", stock: 10, price: { amount: 1999, currency: "EUR" } })
      const { token } = yield* newCustomer()

      const placed = yield* order(token, "first", [[lamp, 3]])
      assert.strictEqual(placed.status, 201, placed.text)
      const view = decodeOrder(placed.body)
      assert.strictEqual(placed.headers.get("location"), `/v1/orders/${view.id}`)
      assert.isNull(placed.headers.get("idempotency-replayed"))
      assert.strictEqual(view.status, "reserved")
      assert.deepStrictEqual(placed.body["lines"], [
        {
          productId: lamp,
          name: "Lamp",
          quantity: 3,
          unitPrice: { amount: 1999, currency: "EUR" },
          lineTotal: { amount: 5997, currency: "EUR" },
          merchantId: merchant.merchantId,
        },
      ])
      assert.deepStrictEqual(placed.body["total"], { amount: 5997, currency: "EUR" })
      assert.deepStrictEqual([placed.body["payments"], placed.body["shipments"]], [[], []])
      assert.match(view.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      assert.deepStrictEqual(yield* balance(lamp), [10, 7])

      assert.deepStrictEqual((yield* call(`/v1/orders/${view.id}`, { token })).body, placed.body)
      const byKey = yield* call("/v1/orders?idempotencyKey=first", { token })
      assert.deepStrictEqual(byKey.body, { data: [placed.body], hasMore: false, next: null })
      assert.deepStrictEqual((yield* call("/v1/orders?status=paid", { token })).body, {
        data: [],
        hasMore: false,
        next: null,
      })
    }),
  )

  it.effect("a list has the newest first, page by page", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), {})
      const { token } = yield* newCustomer()
      const made: Array<unknown> = []
      for (const key of ["1", "2", "3"]) made.unshift((yield* order(token, key, [[lamp, 1]])).body)
      const first = yield* call("/v1/orders?limit=2", { token })
      const last = (made[1] as { readonly id: string }).id
      assert.deepStrictEqual(first.body, { data: made.slice(0, 2), hasMore: true, next: last })
      assert.deepStrictEqual((yield* call(`/v1/orders?limit=2&starting_after=${last}`, { token })).body, {
        data: made.slice(2),
        hasMore: false,
        next: null,
      })
    }),
  )

  it.effect("two lines of a product are one, and a retry may write them merged", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 10 })
      const { token } = yield* newCustomer()
      const placed = yield* order(token, "twice", [
        [lamp, 2],
        [lamp, 3],
      ])
      assert.strictEqual(placed.status, 201)
      assert.strictEqual(decodeOrder(placed.body).lines[0]?.quantity, 5)
      const merged = yield* order(token, "twice", [[lamp, 5]])
      assert.strictEqual(merged.headers.get("idempotency-replayed"), "true")
      assert.deepStrictEqual(merged.body, placed.body)
      const tooMany = yield* order(token, "too many", [
        [lamp, 6_000],
        [lamp, 6_000],
      ])
      assertRefused(tooMany, 422, "invalid")
      assert.strictEqual(firstPointer(tooMany), "/lines")
    }),
  )

  it.effect("quantities and lines that do not fit change nothing", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 5 })
      const { token } = yield* newCustomer()
      const before = yield* ordersInDatabase
      for (const quantity of [0, -1, 1.5, 2 ** 31, 1e30, "1", null, true, [1], 10_001]) {
        const answer = yield* order(token, "misfit", [[lamp, quantity]])
        assertRefused(answer, 422, "invalid")
        assert.strictEqual(firstPointer(answer), "/lines/0/quantity", String(quantity))
      }
      const raw = `{"lines":[{"productId":"${lamp}","quantity":1e400}]}`
      assertRefused(yield* call("/v1/orders", { token, raw, headers: { "idempotency-key": "k" } }), 422, "invalid")
      for (const lines of [[], Array.from({ length: 101 }, () => [lamp, 1] as const)]) {
        const answer = yield* order(token, "misfit", lines)
        assertRefused(answer, 422, "invalid")
        assert.strictEqual(firstPointer(answer), "/lines")
      }
      for (const productId of ["", "1", null, 7, `${lamp}\u0000`, lamp.toUpperCase()]) {
        assertRefused(yield* order(token, "misfit", [[productId, 1]]), 422, "invalid")
      }
      for (const json of [{}, { lines: null }, { lines: {} }, { lines: [null] }, { lines: [{ productId: lamp }] }]) {
        assertRefused(yield* call("/v1/orders", { token, json, headers: { "idempotency-key": "k" } }), 422, "invalid")
      }
      assert.strictEqual(yield* ordersInDatabase, before)
      assert.deepStrictEqual(yield* balance(lamp), [5, 5])
    }),
  )

  it.effect("an Idempotency-Key that is missing, empty, too long or not printable is refused", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 5 })
      const { token } = yield* newCustomer()
      const json = { lines: [{ productId: lamp, quantity: 1 }] }
      assertRefused(yield* call("/v1/orders", { token, json }), 400, "idempotency_key_missing")
      for (const key of ["", "x".repeat(256), "schlüssel", "tab\there"]) {
        const answer = yield* call("/v1/orders", { token, json, headers: { "idempotency-key": key } })
        assertRefused(answer, 400, "idempotency_key_missing")
      }
      assert.strictEqual((yield* order(token, "x".repeat(255), [[lamp, 1]])).status, 201)
      assert.strictEqual((yield* order(token, "'; drop table orders; --", [[lamp, 1]])).status, 201)
    }),
  )

  it.effect("a key used again is the same order, for another request it is refused, for another caller it is new", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 5 })
      const { token } = yield* newCustomer()
      const other = yield* newCustomer()
      const placed = yield* order(token, "same", [[lamp, 2]])
      const again = yield* order(token, "same", [[lamp, 2]])
      assert.strictEqual(again.status, 201)
      assert.strictEqual(again.headers.get("idempotency-replayed"), "true")
      assert.deepStrictEqual(again.body, placed.body)
      assertRefused(yield* order(token, "same", [[lamp, 1]]), 422, "idempotency_key_reused")
      const others = yield* order(other.token, "same", [[lamp, 2]])
      assert.strictEqual(others.status, 201)
      assert.notStrictEqual(others.body["id"], placed.body["id"])
      assert.deepStrictEqual(yield* balance(lamp), [5, 1])
    }),
  )

  it.effect("a key used fifty times at the same instant is one order", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 100 })
      const { token } = yield* newCustomer()
      const answers = yield* Effect.forEach(Array.from({ length: 50 }), () => order(token, "storm", [[lamp, 2]]), {
        concurrency: "unbounded",
      })
      assert.deepStrictEqual([...new Set(answers.map((answer) => answer.status))], [201])
      assert.strictEqual(new Set(answers.map((answer) => answer.body["id"])).size, 1)
      const replayed = answers.filter((answer) => answer.headers.get("idempotency-replayed") === "true")
      assert.strictEqual(replayed.length, 49)
      assert.deepStrictEqual(yield* balance(lamp), [100, 98])
    }),
  )

  it.effect("a retry gets its order after the product is sold out, everybody else is told what is left", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 3 })
      const first = yield* newCustomer()
      const second = yield* newCustomer()
      const placed = yield* order(first.token, "last", [[lamp, 3]])
      const late = yield* order(second.token, "late", [[lamp, 1]])
      assertRefused(late, 409, "out_of_stock")
      assert.deepStrictEqual(late.body["lines"], [{ productId: lamp, requested: 1, available: 0 }])
      assert.strictEqual(late.body["retryable"], false)
      assert.deepStrictEqual((yield* order(first.token, "last", [[lamp, 3]])).body, placed.body)
    }),
  )

  it.effect("an order over several products is placed in full or not at all", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const products = yield* Effect.forEach(Array.from({ length: 8 }), () => newProduct(merchant, { stock: 2 }))
      const { token } = yield* newCustomer()
      const whole = yield* order(
        token,
        "whole",
        products.map((product) => [product, 1] as const),
      )
      assert.strictEqual(whole.status, 201, whole.text)
      assert.strictEqual(decodeOrder(whole.body).lines.length, 8)
      const short = yield* order(
        token,
        "short",
        products.map((product, index) => [product, index === 7 ? 2 : 1] as const),
      )
      assertRefused(short, 409, "out_of_stock")
      for (const product of products) assert.deepStrictEqual(yield* balance(product), [2, 1])
    }),
  )

  it.effect("unknown, archived, paused and future products are refused, each in its own words", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const merchant = yield* newMerchant()
      const { token } = yield* newCustomer()
      const archived = yield* newProduct(merchant, {})
      const paused = yield* newProduct(merchant, { paused: true })
      const future = yield* newProduct(merchant, { saleStartsAt: "2999-01-01T00:00:00Z" })
      yield* sql`update products set archived = true where id = ${archived}`
      for (const product of ["0190a0a0-0000-7000-8000-000000000000", archived]) {
        const answer = yield* order(token, "k", [[product, 1]])
        assertRefused(answer, 422, "unknown_product")
        assert.deepStrictEqual(answer.body["productIds"], [product])
      }
      const stopped = yield* order(token, "k", [[paused, 1]])
      assertRefused(stopped, 409, "not_on_sale")
      assert.notProperty(stopped.body, "saleStartsAt")
      const early = yield* order(token, "k", [[future, 1]])
      assertRefused(early, 409, "not_on_sale")
      assert.strictEqual(early.body["saleStartsAt"], "2999-01-01T00:00:00.000Z")
    }),
  )

  it.effect("an order has one currency", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = yield* newCustomer()
      const euro = yield* newProduct(merchant, { price: { amount: 100, currency: "EUR" } })
      const dollar = yield* newProduct(merchant, { price: { amount: 100, currency: "USD" } })
      const mixed = yield* order(token, "k", [
        [euro, 1],
        [dollar, 1],
      ])
      assertRefused(mixed, 422, "currency_mix")
    }),
  )

  it.effect("a limit per customer holds over several orders and says what was had", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 10, limitPerCustomer: 3 })
      const { token } = yield* newCustomer()
      assert.strictEqual((yield* order(token, "a", [[lamp, 2]])).status, 201)
      const over = yield* order(token, "b", [[lamp, 2]])
      assertRefused(over, 409, "limit_exceeded")
      assert.deepStrictEqual([over.body["allowed"], over.body["had"]], [3, 2])
      assert.strictEqual((yield* order(token, "b", [[lamp, 1]])).status, 201)
    }),
  )

  it.effect("the service decides: price, customer, status and time in a body are not used", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 9, price: { amount: 500, currency: "EUR" } })
      const { token } = yield* newCustomer()
      const lines = [{ productId: lamp, quantity: 1, unitPrice: { amount: 1, currency: "EUR" }, price: 1 }]
      const json = { lines, total: { amount: 1, currency: "EUR" }, status: "paid", customerId: "x", createdAt: "1999" }
      const placed = yield* call("/v1/orders", { token, json, headers: { "idempotency-key": "mine" } })
      assert.strictEqual(placed.status, 201)
      assert.deepStrictEqual(placed.body["total"], { amount: 500, currency: "EUR" })
      assert.strictEqual(placed.body["status"], "reserved")
      const named = yield* call("/v1/orders", {
        token,
        json: { lines, customerRef: "somebody" },
        headers: { "idempotency-key": "ref" },
      })
      assertRefused(named, 422, "invalid")
      assert.strictEqual(firstPointer(named), "/customerRef")
    }),
  )

  it.effect("an expected total is compared and never used", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 9, price: { amount: 500, currency: "EUR" } })
      const { token } = yield* newCustomer()
      const lines = [{ productId: lamp, quantity: 2 }]
      const place = (key: string, expectedTotal: unknown) =>
        call("/v1/orders", { token, json: { lines, expectedTotal }, headers: { "idempotency-key": key } })
      const changed = yield* place("a", { amount: 999, currency: "EUR" })
      assertRefused(changed, 409, "price_changed")
      assert.deepStrictEqual(changed.body["total"], { amount: 1_000, currency: "EUR" })
      assertRefused(yield* place("a", { amount: 1_000, currency: "USD" }), 409, "price_changed")
      assert.strictEqual((yield* place("a", { amount: 1_000, currency: "EUR" })).status, 201)
    }),
  )

  it.effect("somebody else's order is not there; a merchant sees its own lines of it", () =>
    Effect.gen(function* () {
      const seller = yield* newMerchant()
      const otherSeller = yield* newMerchant()
      const mine = yield* newProduct(seller, { price: { amount: 100, currency: "EUR" } })
      const others = yield* newProduct(otherSeller, { price: { amount: 900, currency: "EUR" } })
      const buyer = yield* newCustomer()
      const stranger = yield* newCustomer()
      const placed = yield* order(buyer.token, "k", [
        [mine, 1],
        [others, 1],
      ])
      const path = `/v1/orders/${placed.body["id"]}`
      assertRefused(yield* call(path, { token: stranger.token }), 404, "not_found")
      assertRefused(yield* call(path), 401, "unauthenticated")
      assertRefused(yield* call("/v1/orders/nonsense", { token: buyer.token }), 404, "not_found")
      const seen = yield* call(path, { token: seller.token })
      assert.strictEqual(seen.status, 200)
      assert.deepStrictEqual(
        decodeOrder(seen.body).lines.map((line) => line.productId),
        [mine],
      )
      assert.deepStrictEqual(seen.body["total"], { amount: 100, currency: "EUR" })
      assert.deepStrictEqual((yield* call("/v1/orders", { token: stranger.token })).body, {
        data: [],
        hasMore: false,
        next: null,
      })
    }),
  )

  it.effect("an order needs a session", () =>
    Effect.gen(function* () {
      const json = { lines: [{ productId: "0190a0a0-0000-7000-8000-000000000000", quantity: 1 }] }
      assertRefused(yield* call("/v1/orders", { json, headers: { "idempotency-key": "k" } }), 401, "unauthenticated")
      assertRefused(yield* call("/v1/orders"), 401, "unauthenticated")
    }),
  )
})

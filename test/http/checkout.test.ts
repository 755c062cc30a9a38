import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import {
  assertBooksClosed,
  assertRefused,
  available,
  cancel,
  cartOf,
  checkout,
  edit,
  isReplayed,
  linesIn,
  placedOrder,
  problemsIn,
  productsOnShards,
  putLine,
} from "./shopping.ts"
import { call, newCustomer, newMerchant, newProduct, order, testServer, testServerWith } from "./testServer.ts"

const euro = (amount: number) => ({ amount, currency: "EUR" })

layer(testServer, { excludeTestServices: true })("checkout", (it) => {
  it.effect("from the list into the cart, checked out, seen, cancelled, and the stock is back", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { name: "Moonlamp", stock: 10, price: euro(1_999) })
      const chair = yield* newProduct(merchant, { name: "Moonchair", stock: 4, price: euro(5_000) })
      const { token } = yield* newCustomer()

      const list = yield* call("/v1/products?q=moon&inStock=true")
      const found = list.body["data"] as ReadonlyArray<{ readonly id: string }>
      assert.deepStrictEqual(found.map((product) => product.id).sort(), [lamp, chair].sort())
      yield* putLine(token, lamp, 2)
      const cart = yield* putLine(token, chair, 1)
      assert.deepStrictEqual([yield* available(lamp), yield* available(chair)], [10, 4])

      const placed = yield* checkout(token, "mine", { expectedTotal: cart.body["total"] })
      const view = placedOrder(placed)
      assert.strictEqual(placed.headers.get("location"), `/v1/orders/${view.id}`)
      assert.isFalse(isReplayed(placed))
      assert.deepStrictEqual(placed.body["total"], euro(8_998))
      assert.deepStrictEqual(
        new Map(view.lines.map((line) => [String(line.productId), line.quantity])),
        new Map([
          [lamp, 2],
          [chair, 1],
        ]),
      )
      assert.deepStrictEqual((yield* call("/v1/cart", { token })).body, { lines: [], total: null, problems: [] })
      assert.deepStrictEqual([yield* available(lamp), yield* available(chair)], [8, 3])
      assert.deepStrictEqual((yield* call(`/v1/orders/${view.id}`, { token })).body, placed.body)

      const cancelled = yield* cancel(token, view.id)
      assert.strictEqual(cancelled.status, 200, cancelled.text)
      assert.deepStrictEqual(cancelled.body, { ...placed.body, status: "cancelled" })
      assert.deepStrictEqual([yield* available(lamp), yield* available(chair)], [10, 4])
      const again = yield* checkout(token, "mine")
      assert.isTrue(isReplayed(again))
      assert.deepStrictEqual(again.body, cancelled.body)
      yield* assertBooksClosed
    }),
  )

  it.effect("a repeat is the same order though the cart is empty by then, or has other things in it", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 5 })
      const { token } = yield* newCustomer()
      yield* putLine(token, lamp, 2)
      const placed = yield* checkout(token, "k")
      const empty = yield* checkout(token, "k", {})
      assert.deepStrictEqual([empty.status, empty.body, isReplayed(empty)], [201, placed.body, true])
      yield* putLine(token, lamp, 1)
      const other = yield* checkout(token, "k", { expectedTotal: euro(1) })
      assert.deepStrictEqual([other.status, other.body, isReplayed(other)], [201, placed.body, true])
      assert.deepStrictEqual(yield* linesIn(token), [[lamp, 1]])
      assert.strictEqual(yield* available(lamp), 3)
    }),
  )

  it.effect("an empty cart cannot be checked out, and its key stays free", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), {})
      const { token } = yield* newCustomer()
      assertRefused(yield* checkout(token, "k"), 409, "cart_empty")
      yield* putLine(token, lamp, 1)
      yield* call("/v1/cart", { method: "DELETE", token })
      assertRefused(yield* checkout(token, "k", {}), 409, "cart_empty")
      yield* putLine(token, lamp, 1)
      assert.isFalse(isReplayed(yield* checkout(token, "k")))
    }),
  )

  it.effect("a key is for an order or for a checkout, not for both", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), {})
      const { token } = yield* newCustomer()
      const other = yield* newCustomer()
      yield* putLine(token, lamp, 1)
      yield* order(token, "plain", [[lamp, 1]])
      assertRefused(yield* checkout(token, "plain"), 422, "idempotency_key_reused")
      placedOrder(yield* checkout(token, "cart"))
      assertRefused(yield* checkout(token, "plain"), 422, "idempotency_key_reused")
      assertRefused(yield* order(token, "cart", [[lamp, 1]]), 422, "idempotency_key_reused")
      yield* putLine(other.token, lamp, 1)
      assert.isFalse(isReplayed(yield* checkout(other.token, "cart")))
    }),
  )

  it.effect("a body is optional, and what is in it is only compared", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { price: euro(100) })
      const { token } = yield* newCustomer()
      yield* putLine(token, lamp, 2)
      for (const json of [{ expectedTotal: 200 }, { expectedTotal: { amount: "200", currency: "EUR" } }, [], "x", 1]) {
        assertRefused(yield* checkout(token, "k", json), 422, "invalid")
      }
      const path = "/v1/cart/checkout"
      const headers = { "idempotency-key": "k" }
      assertRefused(yield* call(path, { token, headers, raw: "{" }), 400, "malformed")
      assertRefused(yield* call(path, { token, method: "POST" }), 400, "idempotency_key_missing")
      assertRefused(yield* call(path, { headers, method: "POST" }), 401, "unauthenticated")
      assertRefused(yield* checkout(token, "k", { expectedTotal: euro(199) }), 409, "price_changed")
      const json = { lines: [{ productId: lamp, quantity: 9 }], total: euro(1), expectedTotal: euro(200) }
      const placed = yield* checkout(token, "k", json)
      assert.deepStrictEqual(placedOrder(placed).lines[0]?.quantity, 2)
      assert.deepStrictEqual(placed.body["total"], euro(200))
    }),
  )

  it.effect(
    "a price that changed meanwhile is named, refuses whoever expects another, and is today's for all others",
    () =>
      Effect.gen(function* () {
        const lamp = yield* newProduct(yield* newMerchant(), { price: euro(100) })
        const { token } = yield* newCustomer()
        const before = yield* putLine(token, lamp, 2)
        yield* edit(lamp, { price: euro(130) })
        assert.deepStrictEqual(yield* problemsIn(token), [
          { code: "price_changed", productId: lamp, was: euro(100), now: euro(130) },
        ])
        const refused = yield* checkout(token, "k", { expectedTotal: before.body["total"] })
        assertRefused(refused, 409, "price_changed")
        assert.deepStrictEqual(refused.body["total"], euro(260))
        assert.deepStrictEqual(yield* linesIn(token), [[lamp, 2]])
        const { total } = yield* cartOf(token)
        const placed = yield* checkout(token, "k", { expectedTotal: total })
        assert.deepStrictEqual(placed.body["total"], euro(260))
        yield* putLine(token, lamp, 1)
        yield* edit(lamp, { price: euro(140) })
        assert.deepStrictEqual((yield* checkout(token, "without")).body["total"], euro(140))
      }),
  )

  it.effect("a refusal is that of an order, named in the cart before, and leaves the cart as it was", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const [inTheWay, fine] = [yield* newProduct(merchant, { stock: 3 }), yield* newProduct(merchant, {})]
      const { token } = yield* newCustomer()
      const other = yield* newCustomer()
      yield* putLine(token, inTheWay, 2)
      yield* putLine(token, fine, 1)
      const before = yield* linesIn(token)
      const refused = Effect.fnUntraced(function* (status: number, code: string) {
        const problems = (yield* cartOf(token)).problems
        assert.strictEqual(problems[0]?.code, code)
        const answer = yield* checkout(token, "k")
        assertRefused(answer, status, code)
        assert.deepStrictEqual(yield* linesIn(token), before)
        return answer
      })

      assert.strictEqual((yield* order(other.token, "k", [[inTheWay, 2]])).status, 201)
      const short = yield* refused(409, "out_of_stock")
      assert.deepStrictEqual(short.body["lines"], [{ productId: inTheWay, requested: 2, available: 1 }])
      yield* edit(inTheWay, { limitPerCustomer: 1 })
      yield* refused(409, "limit_exceeded")
      yield* edit(inTheWay, { limitPerCustomer: null, paused: true })
      yield* refused(409, "not_on_sale")
      yield* edit(inTheWay, { archived: true })
      const unknown = yield* refused(422, "unknown_product")
      assert.deepStrictEqual(unknown.body["productIds"], [inTheWay])
      yield* call(`/v1/cart/lines/${inTheWay}`, { method: "DELETE", token })
      placedOrder(yield* checkout(token, "k"))
      yield* assertBooksClosed
    }),
  )

  it.effect("several currencies are refused as in an order, over one shard or several", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const dollar = { price: { amount: 1, currency: "USD" } }
      for (const stockGroup of ["together", null]) {
        const { token } = yield* newCustomer()
        yield* putLine(token, yield* newProduct(merchant, { stockGroup }), 1)
        yield* putLine(token, yield* newProduct(merchant, { ...dollar, stockGroup }), 1)
        yield* putLine(token, yield* newProduct(merchant, { ...dollar, stockGroup }), 1)
        assertRefused(yield* checkout(token, "k"), 422, "currency_mix")
        assert.strictEqual((yield* linesIn(token)).length, 3)
      }
      yield* assertBooksClosed
    }),
  )

  it.effect("a cart of products of several shards is one order, and what it took comes back whole", () =>
    Effect.gen(function* () {
      const products = yield* productsOnShards(yield* newMerchant(), 4)
      const { token } = yield* newCustomer()
      for (const { productId } of products) yield* putLine(token, productId, 3)
      const stock = Effect.forEach(products, ({ productId }) => available(productId))
      const placed = yield* checkout(token, "k")
      assert.strictEqual(placedOrder(placed).lines.length, 4)
      assert.deepStrictEqual(yield* linesIn(token), [])
      assert.deepStrictEqual(yield* stock, [7, 7, 7, 7])
      assert.deepStrictEqual((yield* checkout(token, "k")).body, placed.body)
      yield* assertBooksClosed
      const cancelled = yield* cancel(token, String(placed.body["id"]))
      assert.strictEqual(cancelled.body["status"], "cancelled", cancelled.text)
      assert.deepStrictEqual(yield* stock, [10, 10, 10, 10])
      yield* assertBooksClosed
    }),
  )
})

layer(testServerWith({ HEDONIFY_ORDERS_PER_SECOND: "1" }), { excludeTestServices: true })(
  "checkouts a second",
  (it) => {
    it.effect("count as orders do, whatever becomes of them", () =>
      Effect.gen(function* () {
        const { token } = yield* newCustomer()
        const rush = Array.from({ length: 20 }, (_, index) => checkout(token, `key ${index}`))
        const answers = yield* Effect.all(rush, { concurrency: "unbounded" })
        assert.sameMembers(
          [...new Set(answers.map((answer) => answer.body["code"]))],
          ["cart_empty", "too_many_requests"],
        )
        for (const answer of answers) assert.strictEqual(answer.headers.has("retry-after"), answer.status === 429)
      }),
    )
  },
)

import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { assertRefused, cartOf, dropLine, edit, linesIn, problemsIn, putLine } from "./shopping.ts"
import { call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

const euro = (amount: number) => ({ amount, currency: "EUR" })

layer(testServer, { excludeTestServices: true })("the cart", (it) => {
  it.effect("an account's cart is its own, is priced at each look and stays until it is emptied", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const imageUrl = "https://example.com/lamp.png"
      const lamp = yield* newProduct(merchant, { name: "Lamp", stock: 5, price: euro(1_999), imageUrl })
      const chair = yield* newProduct(merchant, { name: "Chair", price: euro(5_000) })
      const { token } = yield* newCustomer()
      const stranger = yield* newCustomer()

      const empty = yield* call("/v1/cart", { token })
      assert.deepStrictEqual(empty.body, { lines: [], total: null, problems: [] })
      assert.strictEqual((yield* putLine(token, lamp, 1)).status, 200)
      yield* putLine(token, chair, 1)
      const set = yield* putLine(token, lamp, 2)
      const { merchantId } = merchant
      assert.deepStrictEqual(set.body, {
        lines: [
          {
            productId: lamp,
            name: "Lamp",
            quantity: 2,
            unitPrice: euro(1_999),
            lineTotal: euro(3_998),
            merchantId,
            available: 5,
            imageUrl,
          },
          {
            productId: chair,
            name: "Chair",
            quantity: 1,
            unitPrice: euro(5_000),
            lineTotal: euro(5_000),
            merchantId,
            available: 100,
          },
        ],
        total: euro(8_998),
        problems: [],
      })
      assert.deepStrictEqual((yield* call("/v1/cart", { token })).body, set.body)
      assert.deepStrictEqual(yield* linesIn(stranger.token), [])

      assert.strictEqual((yield* dropLine(stranger.token, lamp)).status, 204)
      assert.strictEqual((yield* call("/v1/cart", { method: "DELETE", token: stranger.token })).status, 204)
      for (const _ of ["first", "again"]) assert.strictEqual((yield* dropLine(token, lamp)).status, 204)
      assert.deepStrictEqual(yield* linesIn(token), [[chair, 1]])
      for (const _ of ["first", "again"]) {
        assert.strictEqual((yield* call("/v1/cart", { method: "DELETE", token })).status, 204)
      }
      assert.deepStrictEqual((yield* call("/v1/cart", { token })).body, { lines: [], total: null, problems: [] })
    }),
  )

  it.effect("two tabs that add at once both find their lines there", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const products = yield* Effect.forEach(Array.from({ length: 12 }), () => newProduct(merchant, {}))
      const { token } = yield* newCustomer()
      const answers = yield* Effect.forEach(products, (product) => putLine(token, product, 3), {
        concurrency: "unbounded",
      })
      assert.deepStrictEqual([...new Set(answers.map((answer) => answer.status))], [200])
      assert.deepStrictEqual(new Map(yield* linesIn(token)), new Map(products.map((product) => [product, 3] as const)))
    }),
  )

  it.effect("a quantity that does not fit, a body that does not, and a product that is none change nothing", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), {})
      const { token } = yield* newCustomer()
      for (const quantity of [0, -1, 1.5, 10_001, 2 ** 31, "1", null, true, [1]]) {
        const answer = yield* putLine(token, lamp, quantity)
        assertRefused(answer, 422, "invalid")
        assert.deepStrictEqual((answer.body["errors"] as ReadonlyArray<{ pointer: string }>)[0]?.pointer, "/quantity")
      }
      const path = `/v1/cart/lines/${lamp}`
      assertRefused(yield* call(path, { method: "PUT", token, json: {} }), 422, "invalid")
      assertRefused(yield* call(path, { method: "PUT", token, raw: "{" }), 400, "malformed")
      assertRefused(yield* call(path, { method: "PUT", token }), 400, "malformed")
      const headers = { "content-type": "text/plain" }
      assertRefused(yield* call(path, { method: "PUT", token, raw: "1", headers }), 415, "unsupported_media_type")
      const nowhere = "0190a0a0-0000-7000-8000-000000000000"
      const unknown = yield* putLine(token, nowhere, 1)
      assertRefused(unknown, 422, "unknown_product")
      assert.deepStrictEqual(unknown.body["productIds"], [nowhere])
      for (const id of ["nonsense", lamp.toUpperCase(), "%00"]) {
        assertRefused(yield* putLine(token, id, 1), 404, "not_found")
        assertRefused(yield* dropLine(token, id), 404, "not_found")
      }
      assert.strictEqual((yield* dropLine(token, nowhere)).status, 204)
      assert.deepStrictEqual(yield* linesIn(token), [])
    }),
  )

  it.effect("price, name and total in a body are not used", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { price: euro(500) })
      const { token } = yield* newCustomer()
      const json = { quantity: 2, unitPrice: euro(1), total: euro(1), productId: "x" }
      const answer = yield* call(`/v1/cart/lines/${lamp}`, { method: "PUT", token, json })
      assert.deepStrictEqual(answer.body["total"], euro(1_000))
    }),
  )

  it.effect("a cart has up to 100 lines, and those it has can still be changed", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = yield* newCustomer()
      const products = yield* Effect.forEach(Array.from({ length: 101 }), () => newProduct(merchant, {}), {
        concurrency: 8,
      })
      for (const product of products.slice(0, 100)) assert.strictEqual((yield* putLine(token, product, 1)).status, 200)
      const over = yield* putLine(token, products[100] ?? "", 1)
      assertRefused(over, 422, "invalid")
      assert.deepStrictEqual((over.body["errors"] as ReadonlyArray<{ pointer: string }>)[0]?.pointer, "/productId")
      assert.strictEqual((yield* putLine(token, products[0] ?? "", 2)).status, 200)
      assert.strictEqual((yield* dropLine(token, products[1] ?? "")).status, 204)
      assert.strictEqual((yield* putLine(token, products[100] ?? "", 1)).status, 200)
      assert.strictEqual((yield* cartOf(token)).lines.length, 100)
    }),
  )

  it.effect("a cart needs a session", () =>
    Effect.gen(function* () {
      const nowhere = "/v1/cart/lines/0190a0a0-0000-7000-8000-000000000000"
      assertRefused(yield* call("/v1/cart"), 401, "unauthenticated")
      assertRefused(yield* call("/v1/cart", { method: "DELETE" }), 401, "unauthenticated")
      assertRefused(yield* call(nowhere, { method: "PUT", json: { quantity: 1 } }), 401, "unauthenticated")
      assertRefused(yield* call(nowhere, { method: "DELETE" }), 401, "unauthenticated")
      const wrong = yield* call("/v1/cart", { method: "PATCH" })
      assert.deepStrictEqual([wrong.status, wrong.headers.get("allow")], [405, "DELETE, GET, HEAD"])
    }),
  )
})

layer(testServer, { excludeTestServices: true })("what is in the way of a checkout", (it) => {
  it.effect("each thing is named with the code that the checkout would be refused with", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = yield* newCustomer()
      const archived = yield* newProduct(merchant, {})
      const paused = yield* newProduct(merchant, { paused: true })
      const future = yield* newProduct(merchant, { saleStartsAt: "2999-01-01T00:00:00Z" })
      const limited = yield* newProduct(merchant, { limitPerCustomer: 3 })
      const scarce = yield* newProduct(merchant, { stock: 2 })
      const dearer = yield* newProduct(merchant, { price: euro(100) })
      const fine = yield* newProduct(merchant, { price: euro(7) })
      assert.strictEqual((yield* order(token, "before", [[limited, 2]])).status, 201)
      for (const product of [archived, paused, future, dearer, fine]) yield* putLine(token, product, 1)
      yield* putLine(token, limited, 2)
      yield* putLine(token, scarce, 3)
      yield* edit(archived, { archived: true })
      yield* edit(dearer, { price: euro(150) })

      const cart = yield* cartOf(token)
      assert.deepStrictEqual(yield* problemsIn(token), [
        { code: "unknown_product", productId: archived },
        { code: "not_on_sale", productId: paused },
        { code: "not_on_sale", productId: future, saleStartsAt: "2999-01-01T00:00:00.000Z" },
        { code: "limit_exceeded", productId: limited, allowed: 3, had: 2 },
        { code: "out_of_stock", productId: scarce, requested: 3, available: 2 },
        { code: "price_changed", productId: dearer, was: euro(100), now: euro(150) },
      ])
      const gone = cart.lines.find((line) => line.productId === archived)
      assert.notProperty(gone, "available")
      // Everything but what is not sold any more: five lamps of the usual euro, one dearer, one finer.
      assert.deepStrictEqual(cart.total, euro(100 + 100 + 200 + 300 + 150 + 7))
    }),
  )

  it.effect("a change of quantity does not hide that the price has changed; putting it in anew does", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { price: euro(100) })
      const { token } = yield* newCustomer()
      yield* putLine(token, lamp, 1)
      yield* edit(lamp, { price: euro(120) })
      const changed = { code: "price_changed", productId: lamp, was: euro(100), now: euro(120) }
      assert.deepStrictEqual((yield* putLine(token, lamp, 2)).body["problems"], [changed])
      yield* dropLine(token, lamp)
      assert.deepStrictEqual((yield* putLine(token, lamp, 2)).body["problems"], [])
      yield* edit(lamp, { price: euro(100) })
      yield* edit(lamp, { price: euro(120) })
      assert.deepStrictEqual(yield* problemsIn(token), [])
    }),
  )

  it.effect("several currencies have no total, and say so", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = yield* newCustomer()
      yield* putLine(token, yield* newProduct(merchant, { price: euro(1) }), 1)
      const dollar = yield* newProduct(merchant, { price: { amount: 1, currency: "USD" } })
      yield* putLine(token, dollar, 1)
      const cart = yield* cartOf(token)
      assert.isNull(cart.total)
      assert.deepStrictEqual(cart.problems, [{ code: "currency_mix", currencies: ["EUR", "USD"] }])
      yield* edit(dollar, { archived: true })
      const left = yield* cartOf(token)
      assert.deepStrictEqual([left.total, left.problems.map((problem) => problem.code)], [euro(1), ["unknown_product"]])
    }),
  )

  it.effect("a merchant who may not sell any more puts its products on hold", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, {})
      const { token } = yield* newCustomer()
      yield* putLine(token, lamp, 1)
      yield* sql`update merchants set status = 'suspended' where id = ${merchant.merchantId}`
      assert.deepStrictEqual(yield* problemsIn(token), [{ code: "not_on_sale", productId: lamp }])
    }),
  )

  it.effect("what was bought before there was a limit counts, and no customer's units count for another", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), {})
      const { token } = yield* newCustomer()
      const other = yield* newCustomer()
      assert.strictEqual((yield* order(token, "k", [[lamp, 4]])).status, 201)
      yield* edit(lamp, { limitPerCustomer: 5 })
      assert.deepStrictEqual((yield* putLine(token, lamp, 1)).body["problems"], [])
      const over = { code: "limit_exceeded", productId: lamp, allowed: 5, had: 4 }
      assert.deepStrictEqual((yield* putLine(token, lamp, 2)).body["problems"], [over])
      assert.deepStrictEqual((yield* putLine(other.token, lamp, 5)).body["problems"], [])
    }),
  )
})

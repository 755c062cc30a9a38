import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { adminToken, type Answer, call, newMerchant, testServer } from "./testServer.ts"

const lamp = { name: "Lamp", price: { amount: 1999, currency: "EUR" }, stock: 3 }

const ids = (answer: Answer): ReadonlyArray<string> => {
  const data = answer.body["data"]
  return Array.isArray(data) ? data.map((item: { readonly id: string }) => item.id) : []
}

layer(testServer, { excludeTestServices: true })("products", (it) => {
  it.effect("a merchant adds a product and anyone reads it", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const full = {
        ...lamp,
        description: "Bright.\nVery bright.",
        merchantId,
        limitPerCustomer: 2,
        saleStartsAt: "2030-01-02T03:04:05.678+02:00",
        paused: true,
        waitlist: true,
        reservationTtlSeconds: 90,
        stockGroup: "lamps",
        imageUrl: "https://example.com/lamp.png",
      }
      const created = yield* call("/v1/products", { token, json: full })
      assert.strictEqual(created.status, 201, created.text)
      const id = String(created.body["id"])
      assert.strictEqual(created.headers.get("location"), `/v1/products/${id}`)
      assert.strictEqual(created.headers.get("etag"), '"1.3.3"')
      assert.deepStrictEqual(
        { ...created.body, id: "", createdAt: "", updatedAt: "" },
        {
          id: "",
          merchantId,
          name: "Lamp",
          description: "Bright.\nVery bright.",
          price: { amount: 1999, currency: "EUR" },
          stocked: 3,
          available: 3,
          limitPerCustomer: 2,
          saleStartsAt: "2030-01-02T01:04:05.678Z",
          paused: true,
          archived: false,
          waitlist: true,
          reservationTtlSeconds: 90,
          stockGroup: "lamps",
          imageUrl: "https://example.com/lamp.png",
          version: 1,
          createdAt: "",
          updatedAt: "",
        },
      )
      const read = yield* call(`/v1/products/${id}`)
      assert.deepStrictEqual(read.body, created.body)
    }),
  )

  it.effect("a product has an ETag of version and stock, and is not sent again while it holds", () =>
    Effect.gen(function* () {
      const { token } = yield* newMerchant()
      const created = yield* call("/v1/products", { token, json: lamp })
      const path = `/v1/products/${created.body["id"]}`
      const etag = (yield* call(path)).headers.get("etag")
      assert.strictEqual(etag, '"1.3.3"')
      for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
        const unchanged = yield* call(path, { headers: { "if-none-match": String(tag) } })
        assert.strictEqual(unchanged.status, 304)
        assert.strictEqual(unchanged.headers.get("etag"), etag)
        assert.strictEqual(unchanged.text, "")
      }
      assert.strictEqual((yield* call(path, { headers: { "if-none-match": '"1.3.2"' } })).status, 200)
    }),
  )

  it.effect("product, stock and first movement come into being together", () =>
    Effect.gen(function* () {
      const { token } = yield* newMerchant()
      const created = yield* call("/v1/products", { token, json: { ...lamp, stock: 0 } })
      assert.strictEqual(created.status, 201)
      const movements = yield* call(`/v1/products/${created.body["id"]}/stock-movements`, { token })
      const [movement, ...others] = movements.body["data"] as ReadonlyArray<Readonly<Record<string, unknown>>>
      const { body } = created
      assert.deepStrictEqual(
        { ...movement, id: "", createdAt: "" },
        { id: "", productId: body["id"], kind: "received", quantity: 0, reason: null, movedBy: null, createdAt: "" },
      )
      assert.deepStrictEqual(others, [])
    }),
  )

  it.effect("movements are for members of the merchant and admins", () =>
    Effect.gen(function* () {
      const { token } = yield* newMerchant()
      const stranger = yield* newMerchant()
      const created = yield* call("/v1/products", { token, json: lamp })
      const path = `/v1/products/${created.body["id"]}/stock-movements`
      assert.strictEqual((yield* call(path)).status, 401)
      assert.strictEqual((yield* call(path, { token: stranger.token })).status, 403)
      assert.strictEqual((yield* call(path, { token: yield* adminToken() })).status, 200)
      const nothing = "/v1/products/0190a0a0-0000-7000-8000-000000000000/stock-movements"
      assert.strictEqual((yield* call(nothing, { token })).status, 404)
    }),
  )

  it.effect("a merchant adds only for itself, and has to say for whom when it is several", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const other = yield* newMerchant()
      const foreign = yield* call("/v1/products", {
        token: merchant.token,
        json: { ...lamp, merchantId: other.merchantId },
      })
      assert.strictEqual(foreign.status, 403)

      const second = yield* call("/v1/merchants", { token: merchant.token, json: { name: "Second" } })
      yield* call(`/v1/merchants/${second.body["id"]}/approve`, { method: "POST", token: yield* adminToken() })
      const unsaid = yield* call("/v1/products", { token: merchant.token, json: lamp })
      assert.strictEqual(unsaid.status, 422)
      assert.strictEqual(unsaid.body["code"], "invalid")
      assert.deepStrictEqual((unsaid.body["errors"] as ReadonlyArray<{ pointer: string }>)[0]?.pointer, "/merchantId")
      const said = yield* call("/v1/products", {
        token: merchant.token,
        json: { ...lamp, merchantId: second.body["id"] },
      })
      assert.strictEqual(said.body["merchantId"], second.body["id"])
    }),
  )

  it.effect("what does not fit a product is refused with a pointer to it", () =>
    Effect.gen(function* () {
      const { token } = yield* newMerchant()
      const misfits: ReadonlyArray<readonly [Readonly<Record<string, unknown>>, string]> = [
        [{ stock: -1 }, "/stock"],
        [{ stock: 1.5 }, "/stock"],
        [{ stock: 2 ** 31 }, "/stock"],
        [{ stock: 1e30 }, "/stock"],
        [{ stock: "3" }, "/stock"],
        [{ price: { amount: -1, currency: "EUR" } }, "/price/amount"],
        [{ price: { amount: 1_000_000_001, currency: "EUR" } }, "/price/amount"],
        [{ price: { amount: 1, currency: "eur" } }, "/price/currency"],
        [{ price: { amount: 1, currency: "EURO" } }, "/price/currency"],
        [{ price: 1999 }, "/price"],
        [{ name: "a\u0000b" }, "/name"],
        [{ description: "a\u0000b" }, "/description"],
        [{ description: "x".repeat(5_001) }, "/description"],
        [{ limitPerCustomer: 0 }, "/limitPerCustomer"],
        [{ saleStartsAt: "tomorrow" }, "/saleStartsAt"],
        [{ saleStartsAt: "2030-02-30T00:00:00Z" }, "/saleStartsAt"],
        [{ saleStartsAt: "2030-01-01" }, "/saleStartsAt"],
        [{ saleStartsAt: "2030-01-01T24:00:00Z" }, "/saleStartsAt"],
        // In UTC they are in years that RFC 3339 cannot write.
        [{ saleStartsAt: "9999-12-31T23:59:59-23:59" }, "/saleStartsAt"],
        [{ saleStartsAt: "0000-01-01T00:00:00+23:59" }, "/saleStartsAt"],
        [{ paused: "yes" }, "/paused"],
        [{ imageUrl: "javascript:alert(1)" }, "/imageUrl"],
        [{ stockGroup: "" }, "/stockGroup"],
        [{ merchantId: "nonsense" }, "/merchantId"],
      ]
      for (const [change, pointer] of misfits) {
        const answer = yield* call("/v1/products", { token, json: { ...lamp, ...change } })
        assert.strictEqual(answer.status, 422, JSON.stringify(change))
        assert.strictEqual(
          (answer.body["errors"] as ReadonlyArray<{ pointer: string }>)[0]?.pointer,
          pointer,
          answer.text,
        )
      }
    }),
  )

  it.effect("the service decides: ids, stock, versions and times in a body are not read", () =>
    Effect.gen(function* () {
      const { token } = yield* newMerchant()
      const sent = { ...lamp, id: "x", available: 99, version: 7, archived: true, createdAt: "1999-01-01T00:00:00Z" }
      const created = yield* call("/v1/products", { token, json: sent })
      assert.strictEqual(created.status, 201)
      assert.strictEqual(created.body["available"], 3)
      assert.strictEqual(created.body["version"], 1)
      assert.strictEqual(created.body["archived"], false)
    }),
  )

  it.effect("lists are pages in the order of creation, searched by words, merchant and stock", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const made: Array<string> = []
      for (const [name, stock] of [
        ["Blue wool hat", 1],
        ["Blue cotton shirt", 0],
        ["Red shirt", 5],
      ] as const) {
        const created = yield* call("/v1/products", { token, json: { ...lamp, name, stock } })
        made.push(String(created.body["id"]))
      }
      const [hat = "", blueShirt = "", redShirt = ""] = made
      const own = `/v1/products?merchantId=${merchantId}`
      assert.deepStrictEqual(ids(yield* call(own)), made)
      assert.deepStrictEqual(ids(yield* call(`${own}&q=`)), ids(yield* call(own)))
      assert.deepStrictEqual(ids(yield* call(`${own}&q=blue`)), [hat, blueShirt])
      assert.deepStrictEqual(ids(yield* call(`${own}&q=BLUE%20shi`)), [blueShirt])
      assert.deepStrictEqual(ids(yield* call(`${own}&q=%27%26%7C!():*`)), [])
      assert.deepStrictEqual(ids(yield* call(`${own}&inStock=true`)), [hat, redShirt])
      assert.deepStrictEqual(ids(yield* call(`${own}&inStock=false`)), [blueShirt])
      const first = yield* call(`${own}&limit=2`)
      assert.deepStrictEqual([ids(first), first.body["hasMore"]], [[hat, blueShirt], true])
      assert.strictEqual(first.body["next"], blueShirt)
      const rest = yield* call(`${own}&limit=2&starting_after=${blueShirt}`)
      assert.deepStrictEqual([ids(rest), rest.body["hasMore"], rest.body["next"]], [[redShirt], false, null])

      const sql = yield* SqlClient.SqlClient
      yield* sql`update products set archived = true where id = ${redShirt}`
      assert.deepStrictEqual(ids(yield* call(own)), [hat, blueShirt])
      assert.deepStrictEqual(ids(yield* call(`${own}&inStock=true`)), [hat])
      assert.strictEqual((yield* call(`/v1/products/${redShirt}`)).body["archived"], true)
    }),
  )

  it.effect("a product that is not there is 404, whatever its id looks like", () =>
    Effect.gen(function* () {
      for (const id of ["0190a0a0-0000-7000-8000-000000000000", "1", "%27%20or%201=1", "x".repeat(500)]) {
        const answer = yield* call(`/v1/products/${id}`)
        assert.strictEqual(answer.status, 404)
        assert.strictEqual(answer.body["code"], "not_found")
      }
    }),
  )
})

import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { type Answer, call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

const edit = (token: string, id: string, ifMatch: string | null, json: unknown) =>
  call(`/v1/products/${id}`, {
    method: "PATCH",
    token,
    json,
    headers: ifMatch === null ? {} : { "if-match": ifMatch },
  })

const archive = (token: string, id: string, ifMatch: string | null) =>
  call(`/v1/products/${id}`, { method: "DELETE", token, headers: ifMatch === null ? {} : { "if-match": ifMatch } })

const refused = (answer: Answer) => [answer.status, answer.body["code"]]

const pointers = (answer: Answer): ReadonlyArray<string> => {
  const errors = answer.body["errors"]
  const found = Array.isArray(errors) ? errors.map((error: { readonly pointer: string }) => error.pointer) : []
  return [...new Set(found)]
}

const unitPrice = (answer: Answer): number => {
  const lines = answer.body["lines"] as ReadonlyArray<{ readonly unitPrice: { readonly amount: number } }>
  return lines[0]?.unitPrice.amount ?? Number.NaN
}

const euros = (amount: number) => ({ amount, currency: "EUR" })

layer(testServer, { excludeTestServices: true })("editing products", (it) => {
  it.effect("a merchant changes what it names, takes values away with null, and leaves the rest", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 3, limitPerCustomer: 2, imageUrl: "https://example.com/1.png" })
      const before = yield* call(`/v1/products/${lamp}`)
      const change = {
        name: "Better lamp",
        description: "Brighter",
        price: euros(250),
        limitPerCustomer: null,
        saleStartsAt: "2020-01-02T03:04:05+01:00",
        waitlist: true,
        imageUrl: null,
      }
      const edited = yield* edit(merchant.token, lamp, before.headers.get("etag"), change)
      assert.strictEqual(edited.status, 200, edited.text)
      assert.strictEqual(edited.headers.get("etag"), '"2.3.3"')
      assert.deepStrictEqual(edited.body, {
        ...before.body,
        ...change,
        saleStartsAt: "2020-01-02T02:04:05.000Z",
        version: 2,
        updatedAt: edited.body["updatedAt"],
      })
      assert.notStrictEqual(edited.body["updatedAt"], before.body["updatedAt"])
      assert.deepStrictEqual((yield* call(`/v1/products/${lamp}`)).body, edited.body)
      const again = yield* edit(merchant.token, lamp, '"2"', { saleStartsAt: null })
      assert.deepStrictEqual([again.body["saleStartsAt"], again.body["name"]], [null, "Better lamp"])
    }),
  )

  it.effect("an edit needs the version it was made from, however the tag is written", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = merchant
      const lamp = yield* newProduct(merchant, { stock: 3 })
      assert.deepStrictEqual(refused(yield* edit(token, lamp, null, { paused: true })), [428, "if_match_missing"])
      assert.deepStrictEqual(refused(yield* archive(token, lamp, null)), [428, "if_match_missing"])
      const tags = ['"1.3.3"', 'W/"2.0.0"', '"3"', '"9", "4.3.3"', 'W/"5", "7"', "*", 'x, "7"']
      for (const [index, tag] of tags.entries()) {
        const edited = yield* edit(token, lamp, tag, { description: tag })
        assert.deepStrictEqual([edited.status, edited.body["version"]], [200, index + 2], `${tag} ${edited.text}`)
      }
      for (const tag of ['"7.3.3"', '"1"', "8", '"08"', '"8.3"', '"8.3.3', '"x"', "", '"9", "10"', '"99999999999"']) {
        const answer = yield* edit(token, lamp, tag, { description: "late" })
        assert.deepStrictEqual(refused(answer), [412, "version_mismatch"], tag)
        assert.strictEqual(answer.headers.get("etag"), '"8.3.3"')
        assert.strictEqual(answer.body["version"], 8)
        assert.deepStrictEqual(refused(yield* archive(token, lamp, tag)), [412, "version_mismatch"], tag)
      }
      assert.strictEqual((yield* call(`/v1/products/${lamp}`)).body["description"], 'x, "7"')
    }),
  )

  it.effect("of two edits of one version made at once, one is told that the product has changed", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, {})
      const answers = yield* Effect.forEach(
        ["left", "right"],
        (description) => edit(merchant.token, lamp, '"1.100.100"', { description }),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(answers.map(({ status }) => status).sort(), [200, 412])
      const kept = answers.find(({ status }) => status === 200)
      assert.deepStrictEqual((yield* call(`/v1/products/${lamp}`)).body, kept?.body)
    }),
  )

  it.effect("stock that moves under an edit does not stand in its way", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = yield* newCustomer()
      const lamp = yield* newProduct(merchant, { stock: 3 })
      const etag = (yield* call(`/v1/products/${lamp}`)).headers.get("etag")
      assert.strictEqual((yield* order(token, "k", [[lamp, 2]])).status, 201)
      const moved = yield* call(`/v1/products/${lamp}`, { headers: { "if-none-match": String(etag) } })
      assert.deepStrictEqual([moved.status, moved.headers.get("etag")], [200, '"1.3.1"'])
      const edited = yield* edit(merchant.token, lamp, etag, { name: "Edited" })
      assert.deepStrictEqual([edited.status, edited.headers.get("etag")], [200, '"2.3.1"'])
    }),
  )

  it.effect("orders ahead of an edit do not see it, those behind it do", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = yield* newCustomer()
      const lamp = yield* newProduct(merchant, { price: euros(100) })
      assert.strictEqual(unitPrice(yield* order(token, "first", [[lamp, 1]])), 100)
      const [edited, ...rush] = yield* Effect.all(
        [
          edit(merchant.token, lamp, '"1"', { price: euros(200) }),
          ...Array.from({ length: 30 }, (_, index) => order(token, `rush-${index}`, [[lamp, 1]])),
        ],
        { concurrency: "unbounded" },
      )
      assert.strictEqual(edited?.status, 200)
      const placedAt = (price: number) =>
        rush.filter((answer) => unitPrice(answer) === price).map((answer) => String(answer.body["createdAt"]))
      assert.strictEqual(placedAt(100).length + placedAt(200).length, 30)
      const lastBefore = placedAt(100).sort().at(-1) ?? ""
      const [firstAfter = "9999"] = placedAt(200).sort()
      assert.isTrue(lastBefore <= firstAfter, `${lastBefore} ${firstAfter}`)
      assert.strictEqual(unitPrice(yield* order(token, "last", [[lamp, 1]])), 200)
      assert.strictEqual(unitPrice(yield* order(token, "first", [[lamp, 1]])), 100)
    }),
  )

  it.effect("a paused product is not sold from that moment on, and sold again once it goes on", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = yield* newCustomer()
      const lamp = yield* newProduct(merchant, {})
      assert.strictEqual((yield* order(token, "1", [[lamp, 1]])).status, 201)
      assert.strictEqual((yield* edit(merchant.token, lamp, "*", { paused: true })).status, 200)
      assert.deepStrictEqual(refused(yield* order(token, "2", [[lamp, 1]])), [409, "not_on_sale"])
      assert.strictEqual((yield* edit(merchant.token, lamp, "*", { paused: false })).status, 200)
      assert.strictEqual((yield* order(token, "2", [[lamp, 1]])).status, 201)
    }),
  )

  it.effect("an archived product is not sold or listed, can be looked at, and comes back", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = yield* newCustomer()
      const lamp = yield* newProduct(merchant, { name: "Unmistakable" })
      const listed = Effect.map(
        call(`/v1/products?q=unmistakable&merchantId=${merchant.merchantId}`),
        ({ body }) => (body["data"] as ReadonlyArray<unknown>).length,
      )
      const shelf = Effect.map(
        call(`/v1/products?inStock=true&merchantId=${merchant.merchantId}`),
        ({ body }) => (body["data"] as ReadonlyArray<unknown>).length,
      )
      assert.deepStrictEqual([yield* listed, yield* shelf], [1, 1])
      const gone = yield* archive(merchant.token, lamp, '"1.100.100"')
      assert.deepStrictEqual([gone.status, gone.text], [204, ""])
      assert.strictEqual((yield* archive(merchant.token, lamp, '"1.100.100"')).status, 204)
      assert.deepStrictEqual([yield* listed, yield* shelf], [0, 0])
      assert.deepStrictEqual(refused(yield* order(token, "k", [[lamp, 1]])), [422, "unknown_product"])
      const seen = yield* call(`/v1/products/${lamp}`)
      assert.deepStrictEqual([seen.status, seen.body["archived"], seen.body["version"]], [200, true, 2])
      assert.strictEqual((yield* edit(merchant.token, lamp, '"2"', { archived: false })).status, 200)
      assert.deepStrictEqual([yield* listed, yield* shelf], [1, 1])
      assert.strictEqual((yield* order(token, "k", [[lamp, 1]])).status, 201)
    }),
  )

  it.effect("orders ahead of an archival are kept, those behind it refused, and the books agree", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = yield* newCustomer()
      const lamp = yield* newProduct(merchant, {})
      const [archived, ...rush] = yield* Effect.all(
        [
          archive(merchant.token, lamp, "*"),
          ...Array.from({ length: 30 }, (_, index) => order(token, `late-${index}`, [[lamp, 1]])),
        ],
        { concurrency: "unbounded" },
      )
      assert.strictEqual(archived?.status, 204)
      const placed = rush.filter(({ status }) => status === 201).length
      for (const answer of rush.filter(({ status }) => status !== 201)) {
        assert.deepStrictEqual(refused(answer), [422, "unknown_product"])
      }
      const { body } = yield* call(`/v1/products/${lamp}`)
      assert.deepStrictEqual([body["archived"], body["stocked"], body["available"]], [true, 100, 100 - placed])
      const sql = yield* SqlClient.SqlClient
      const shelf = yield* sql`select archived, merchant_id as "merchantId" from stock where product_id = ${lamp}`
      assert.deepStrictEqual(shelf, [{ archived: true, merchantId: merchant.merchantId }])
    }),
  )

  it.effect("a new name is found at once, the old one no more", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { name: "Chandelier" })
      const found = (q: string) =>
        Effect.map(
          call(`/v1/products?q=${q}&merchantId=${merchant.merchantId}`),
          ({ body }) => (body["data"] as ReadonlyArray<unknown>).length,
        )
      assert.deepStrictEqual([yield* found("chandelier"), yield* found("candelabra")], [1, 0])
      yield* edit(merchant.token, lamp, "*", { name: "Candelabra" })
      assert.deepStrictEqual([yield* found("chandelier"), yield* found("candelabra")], [0, 1])
    }),
  )

  it.effect("what cannot be edited is refused with a pointer that says why, and nothing changes", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 3 })
      const misfits: ReadonlyArray<readonly [unknown, string]> = [
        [{}, ""],
        [[], ""],
        [{ unheardOf: 1 }, ""],
        [{ name: "x", stock: 5 }, "/stock"],
        [{ stocked: 3 }, "/stocked"],
        [{ available: 3 }, "/available"],
        [{ stockGroup: null }, "/stockGroup"],
        [{ merchantId: merchant.merchantId }, "/merchantId"],
        [{ price: { amount: 1, currency: "USD" } }, "/price/currency"],
        [{ price: { amount: 1 } }, "/price/currency"],
        [{ price: null }, "/price"],
        [{ name: null }, "/name"],
        [{ name: "a\u0000b" }, "/name"],
        [{ limitPerCustomer: 0 }, "/limitPerCustomer"],
        [{ saleStartsAt: "tomorrow" }, "/saleStartsAt"],
        [{ archived: "yes" }, "/archived"],
        [{ imageUrl: "javascript:alert(1)" }, "/imageUrl"],
      ]
      for (const [json, pointer] of misfits) {
        const answer = yield* edit(merchant.token, lamp, "*", json)
        assert.deepStrictEqual(refused(answer), [422, "invalid"], JSON.stringify(json))
        assert.deepStrictEqual(pointers(answer), [pointer], answer.text)
      }
      assert.strictEqual((yield* call(`/v1/products/${lamp}`)).headers.get("etag"), '"1.3.3"')
    }),
  )

  it.effect("only members of the product's merchant edit it", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), {})
      const stranger = yield* newMerchant()
      const customer = yield* newCustomer()
      const nothing = "0190a0a0-0000-7000-8000-000000000000"
      for (const { token } of [stranger, customer]) {
        assert.deepStrictEqual(refused(yield* edit(token, lamp, "*", { paused: true })), [403, "forbidden"])
        assert.deepStrictEqual(refused(yield* archive(token, lamp, "*")), [403, "forbidden"])
        assert.deepStrictEqual(refused(yield* edit(token, nothing, "*", { paused: true })), [404, "not_found"])
        assert.deepStrictEqual(refused(yield* archive(token, nothing, "*")), [404, "not_found"])
      }
      assert.strictEqual((yield* call(`/v1/products/${lamp}`, { method: "DELETE" })).status, 401)
      assert.strictEqual((yield* call(`/v1/products/${lamp}`)).body["paused"], false)
    }),
  )
})

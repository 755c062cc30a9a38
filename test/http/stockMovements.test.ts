import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

const move = (token: string, productId: string, key: string, json: unknown) =>
  call(`/v1/products/${productId}/stock-movements`, { token, json, headers: { "idempotency-key": key } })

layer(testServer, { excludeTestServices: true })("stock movements", (it) => {
  it.effect("a merchant receives, writes off and corrects, and every movement stays on record", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const { token } = merchant
      const lamp = yield* newProduct(merchant, { stock: 5 })
      const received = yield* move(token, lamp, "1", { kind: "received", quantity: 10, reason: "delivery 7" })
      assert.strictEqual(received.status, 201, received.text)
      const movedBy = { id: merchant.id, name: merchant.name }
      assert.deepStrictEqual(
        { ...received.body, id: "", createdAt: "" },
        { id: "", productId: lamp, kind: "received", quantity: 10, reason: "delivery 7", movedBy, createdAt: "" },
      )
      assert.strictEqual((yield* move(token, lamp, "2", { kind: "writtenOff", quantity: 3 })).status, 201)
      assert.strictEqual((yield* move(token, lamp, "3", { kind: "corrected", quantity: -2 })).status, 201)
      const product = yield* call(`/v1/products/${lamp}`)
      assert.deepStrictEqual([product.body["stocked"], product.body["available"]], [10, 10])
      const list = yield* call(`/v1/products/${lamp}/stock-movements`, { token })
      const data = list.body["data"] as ReadonlyArray<{
        readonly kind: string
        readonly quantity: number
        readonly movedBy: unknown
      }>
      assert.deepStrictEqual(
        data.map((movement) => movement.movedBy),
        [null, movedBy, movedBy, movedBy],
      )
      assert.deepStrictEqual(
        data.map(({ kind, quantity }) => [kind, quantity]),
        [
          ["received", 5],
          ["received", 10],
          ["writtenOff", 3],
          ["corrected", -2],
        ],
      )
    }),
  )

  it.effect("a movement's key works once", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 5 })
      const first = yield* move(merchant.token, lamp, "k", { kind: "received", quantity: 10 })
      const again = yield* move(merchant.token, lamp, "k", { kind: "received", quantity: 10 })
      assert.deepStrictEqual(again.body, first.body)
      assert.strictEqual(again.headers.get("idempotency-replayed"), "true")
      const other = yield* move(merchant.token, lamp, "k", { kind: "received", quantity: 11 })
      assert.strictEqual(other.body["code"], "idempotency_key_reused")
      assert.strictEqual((yield* call(`/v1/products/${lamp}`)).body["stocked"], 15)
      const missing = yield* call(`/v1/products/${lamp}/stock-movements`, {
        token: merchant.token,
        json: { kind: "received", quantity: 1 },
      })
      assert.strictEqual(missing.body["code"], "idempotency_key_missing")
    }),
  )

  it.effect("what is sold cannot be taken away", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 5 })
      const { token } = yield* newCustomer()
      assert.strictEqual((yield* order(token, "k", [[lamp, 4]])).status, 201)
      const refused = yield* move(merchant.token, lamp, "k", { kind: "writtenOff", quantity: 2 })
      assert.strictEqual(refused.status, 409)
      assert.strictEqual(refused.body["code"], "stock_is_sold")
      assert.strictEqual(refused.body["available"], 1)
      const tooMany = yield* move(merchant.token, lamp, "k2", { kind: "received", quantity: 2_147_483_647 })
      assert.strictEqual(tooMany.body["code"], "stock_too_large")
    }),
  )

  it.effect("only a correction may be negative, and none may be nothing", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 5 })
      for (const json of [
        { kind: "received", quantity: 0 },
        { kind: "received", quantity: -1 },
        { kind: "writtenOff", quantity: -1 },
        { kind: "corrected", quantity: 0 },
        { kind: "corrected", quantity: 1.5 },
        { kind: "received", quantity: 2 ** 31 },
        { kind: "received", quantity: "1" },
      ]) {
        const answer = yield* move(merchant.token, lamp, "k", json)
        assert.strictEqual(answer.status, 422, JSON.stringify(json))
        assert.deepStrictEqual((answer.body["errors"] as ReadonlyArray<{ pointer: string }>)[0]?.pointer, "/quantity")
      }
      assert.strictEqual((yield* move(merchant.token, lamp, "k", { kind: "stolen", quantity: 1 })).status, 422)
    }),
  )

  it.effect("only members of the product's merchant move its stock", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 5 })
      const stranger = yield* newMerchant()
      const json = { kind: "received", quantity: 1 }
      assert.strictEqual((yield* move(stranger.token, lamp, "k", json)).status, 403)
      assert.strictEqual((yield* move(stranger.token, "0190a0a0-0000-7000-8000-000000000000", "k", json)).status, 404)
    }),
  )
})

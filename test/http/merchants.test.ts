import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { adminToken, call, newCustomer, newMerchant, testServer } from "./testServer.ts"

layer(testServer, { excludeTestServices: true })("merchants", (it) => {
  it.effect("an account applies, an admin approves, and the same token may sell from the next request on", () =>
    Effect.gen(function* () {
      const admin = yield* adminToken()
      const { token } = yield* newCustomer()
      const product = { name: "Lamp", price: { amount: 1999, currency: "EUR" }, stock: 3 }

      const applied = yield* call("/v1/merchants", { token, json: { name: "Lamps & Sons" } })
      assert.strictEqual(applied.status, 201, applied.text)
      assert.deepStrictEqual({ ...applied.body, id: "" }, { id: "", name: "Lamps & Sons", status: "pending" })
      const early = yield* call("/v1/products", { token, json: product })
      assert.strictEqual(early.status, 403)

      const approved = yield* call(`/v1/merchants/${applied.body["id"]}/approve`, { method: "POST", token: admin })
      assert.strictEqual(approved.status, 200, approved.text)
      assert.deepStrictEqual(approved.body, { ...applied.body, status: "approved" })
      assert.deepStrictEqual((yield* call("/v1/me", { token })).body["roles"], ["customer", "merchant"])
      assert.strictEqual((yield* call("/v1/products", { token, json: product })).status, 201)

      const again = yield* call(`/v1/merchants/${applied.body["id"]}/approve`, { method: "POST", token: admin })
      assert.strictEqual(again.status, 200)
    }),
  )

  it.effect("a member sees its own merchants, an admin sees all, page by page", () =>
    Effect.gen(function* () {
      const admin = yield* adminToken()
      const first = yield* newMerchant()
      const second = yield* newMerchant()
      const own = yield* call("/v1/merchants", { token: first.token })
      assert.strictEqual(own.status, 200)
      assert.deepStrictEqual(own.body, {
        data: [{ id: first.merchantId, name: `Merchant of ${first.email}`, status: "approved" }],
        hasMore: false,
      })
      const seen: Array<unknown> = []
      let after = ""
      for (let more = true; more;) {
        const page = yield* call(`/v1/merchants?limit=1${after}`, { token: admin })
        const data = page.body["data"]
        assert.isArray(data)
        const [merchant] = data as ReadonlyArray<{ readonly id: string }>
        seen.push(merchant?.id)
        after = `&starting_after=${merchant?.id}`
        more = page.body["hasMore"] === true
      }
      assert.includeMembers(seen, [first.merchantId, second.merchantId])
      assert.strictEqual(new Set(seen).size, seen.length)
    }),
  )

  it.effect("a merchant that is not there cannot be approved", () =>
    Effect.gen(function* () {
      const token = yield* adminToken()
      for (const id of ["0190a0a0-0000-7000-8000-000000000000", "nonsense", "0190A0A0-0000-7000-8000-000000000000"]) {
        assert.strictEqual((yield* call(`/v1/merchants/${id}/approve`, { method: "POST", token })).status, 404)
      }
    }),
  )
})

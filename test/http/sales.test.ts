/** What a merchant's members find in the list of orders: what there is to send, beside what they bought themselves. */
import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { OrderView } from "../../src/http/contract/orders.ts"
import { payElsewhere, placedOrder } from "./shopping.ts"
import { adminToken, call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

const decodeList = Schema.decodeUnknownSync(
  Schema.Struct({ data: Schema.Array(OrderView), hasMore: Schema.Boolean, next: Schema.NullOr(Schema.String) }),
)
const listOf = (token: string, query = "") =>
  Effect.map(call(`/v1/orders${query}`, { token }), (answer) => {
    assert.strictEqual(answer.status, 200, answer.text)
    return decodeList(answer.body)
  })
const idsOf = (token: string, query?: string) =>
  Effect.map(listOf(token, query), ({ data }) => data.map(({ id }): string => id))

layer(testServer, { excludeTestServices: true })("the list of orders of who sells", (it) => {
  it.effect("has what was bought of it, with its own lines, beside what its members bought, the newest first", () =>
    Effect.gen(function* () {
      const [lamps, chairs] = [yield* newMerchant(), yield* newMerchant()]
      const lamp = yield* newProduct(lamps, {})
      const chair = yield* newProduct(chairs, { price: { amount: 900, currency: "EUR" } })
      const buyer = yield* newCustomer()
      const both = placedOrder(
        yield* order(buyer.token, "both", [
          [lamp, 2],
          [chair, 1],
        ]),
      ).id
      const ofChairs = placedOrder(yield* order(buyer.token, "chair", [[chair, 1]])).id
      const bought = placedOrder(yield* order(lamps.token, "bought", [[chair, 1]])).id
      const sold = placedOrder(yield* order(buyer.token, "sold", [[lamp, 1]])).id

      assert.deepStrictEqual(yield* idsOf(lamps.token), [sold, bought, both])
      assert.deepStrictEqual(yield* idsOf(chairs.token), [bought, ofChairs, both])
      assert.deepStrictEqual(yield* idsOf(buyer.token), [sold, ofChairs, both])
      for (const seen of (yield* listOf(lamps.token)).data) {
        assert.deepStrictEqual((yield* call(`/v1/orders/${seen.id}`, { token: lamps.token })).body, seen)
      }
      const shared = (yield* listOf(lamps.token)).data.find(({ id }) => id === both)
      assert.deepStrictEqual([shared?.lines.map((line) => line.productId), shared?.total.amount], [[lamp], 200])
      assert.deepStrictEqual(yield* idsOf((yield* newMerchant()).token), [])
      assert.includeMembers(yield* idsOf(yield* adminToken()), [sold, bought, ofChairs, both])

      const first = yield* listOf(lamps.token, "?limit=2")
      assert.deepStrictEqual(
        [first.data.map(({ id }) => id), first.hasMore, first.next],
        [[sold, bought], true, bought],
      )
      const second = yield* listOf(lamps.token, `?limit=2&starting_after=${first.next}`)
      assert.deepStrictEqual([second.data.map(({ id }) => id), second.hasMore, second.next], [[both], false, null])
    }),
  )

  it.effect("tells what is paid and to be sent, also while the merchant is suspended", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, {})
      const { token } = yield* newCustomer()
      const paid = placedOrder(yield* order(token, "paid", [[lamp, 1]])).id
      const reserved = placedOrder(yield* order(token, "reserved", [[lamp, 1]])).id
      yield* payElsewhere(paid)
      const suspend = { method: "POST", token: yield* adminToken() }
      assert.strictEqual((yield* call(`/v1/merchants/${merchant.merchantId}/suspend`, suspend)).status, 200)
      assert.deepStrictEqual(yield* idsOf(merchant.token, "?status=paid"), [paid])
      assert.deepStrictEqual(yield* idsOf(merchant.token, "?status=reserved"), [reserved])
      assert.deepStrictEqual(yield* idsOf(merchant.token, "?status=shipped"), [])
    }),
  )

  it.effect("a key and a customerRef are those of whoever placed the order", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, {})
      yield* order((yield* newCustomer()).token, "theirs", [[lamp, 1]])
      const key = yield* call(`/v1/merchants/${merchant.merchantId}/api-keys`, {
        token: merchant.token,
        json: { name: "Shop" },
      })
      const ofChannel = yield* call("/v1/orders", {
        token: String(key.body["key"]),
        json: { customerRef: "jane", lines: [{ productId: lamp, quantity: 1 }] },
        headers: { "idempotency-key": "channel" },
      })
      assert.deepStrictEqual(yield* idsOf(merchant.token, "?idempotencyKey=theirs"), [])
      assert.deepStrictEqual(yield* idsOf(merchant.token, "?idempotencyKey=channel"), [placedOrder(ofChannel).id])
      assert.deepStrictEqual((yield* listOf(merchant.token, "?customerRef=jane")).data, [placedOrder(ofChannel)])
    }),
  )
})

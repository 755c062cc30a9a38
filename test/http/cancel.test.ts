import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { lockLease } from "../store/contention.ts"
import { assertBooksClosed, assertRefused, available, cancel, placedOrder, productsOnShards } from "./shopping.ts"
import { adminToken, call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

/** Ends the time of an order a moment ago. */
const runOut = Effect.fnUntraced(function* (orderId: string) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`update orders set created_at = created_at - interval '1 hour', expires_at = now() - interval '1 ms'
    where id = ${orderId}`
})

const statusInRow = Effect.fnUntraced(function* (orderId: string) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ readonly status: string; readonly shard: number }>`
    select status, home_shard as shard from orders where id = ${orderId}`
  assert.exists(row)
  return row
})

const idsOf = (token: string, status: string) =>
  Effect.map(call(`/v1/orders?status=${status}`, { token }), (answer) =>
    (answer.body["data"] as ReadonlyArray<{ readonly id: string; readonly status: string }>).map((view) => {
      assert.strictEqual(view.status, status)
      return view.id
    }),
  )

layer(testServer, { excludeTestServices: true })("cancelling an order", (it) => {
  it.effect("gives its units back and says the same each time", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 5, limitPerCustomer: 4 })
      const { token } = yield* newCustomer()
      const placed = yield* order(token, "k", [[lamp, 4]])
      const { id } = placedOrder(placed)
      assert.strictEqual((yield* order(token, "more", [[lamp, 1]])).body["code"], "limit_exceeded")
      const cancelled = yield* cancel(token, id)
      assert.strictEqual(cancelled.status, 200, cancelled.text)
      assert.deepStrictEqual(cancelled.body, { ...placed.body, status: "cancelled" })
      assert.strictEqual(yield* available(lamp), 5)
      const again = yield* cancel(token, id)
      assert.deepStrictEqual([again.status, again.body], [200, cancelled.body])
      assert.strictEqual(yield* available(lamp), 5)
      assert.deepStrictEqual((yield* call(`/v1/orders/${id}`, { token })).body, cancelled.body)
      assert.deepStrictEqual([yield* idsOf(token, "cancelled"), yield* idsOf(token, "reserved")], [[id], []])
      assert.strictEqual((yield* order(token, "more", [[lamp, 4]])).status, 201)
      yield* assertBooksClosed
    }),
  )

  it.effect("many times at once gives its units back once, over one shard or several", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const spread = yield* productsOnShards(merchant, 3)
      for (const products of [[yield* newProduct(merchant, { stock: 10 })], spread.map((one) => one.productId)]) {
        const { token } = yield* newCustomer()
        const lines = products.map((product) => [product, 2] as const)
        const { id } = placedOrder(yield* order(token, "k", lines))
        const answers = yield* Effect.forEach(Array.from({ length: 8 }), () => cancel(token, id), {
          concurrency: "unbounded",
        })
        assert.deepStrictEqual(
          [...new Set(answers.map((answer) => `${answer.status} ${answer.body["status"]}`))],
          ["200 cancelled"],
        )
        for (const product of products) assert.strictEqual(yield* available(product), 10)
      }
      yield* assertBooksClosed
    }),
  )

  it.effect("is for whoever placed it: to a merchant of its lines, an admin or a stranger it is not there", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      const lamp = yield* newProduct(merchant, { stock: 5 })
      const buyer = yield* newCustomer()
      const stranger = yield* newCustomer()
      const { id } = placedOrder(yield* order(buyer.token, "k", [[lamp, 4]]))
      for (const token of [merchant.token, stranger.token, yield* adminToken()]) {
        assertRefused(yield* cancel(token, id), 404, "not_found")
      }
      assertRefused(yield* cancel(buyer.token, "nonsense"), 404, "not_found")
      assertRefused(yield* cancel(buyer.token, "0190a0a0-0000-7000-8000-000000000000"), 404, "not_found")
      assertRefused(yield* call(`/v1/orders/${id}/cancel`, { method: "POST" }), 401, "unauthenticated")
      const wrong = yield* call(`/v1/orders/${id}/cancel`, { token: buyer.token })
      assert.deepStrictEqual([wrong.status, wrong.headers.get("allow")], [405, "POST"])
      assert.strictEqual((yield* call(`/v1/orders/${id}`, { token: buyer.token })).body["status"], "reserved")
      assert.strictEqual(yield* available(lamp), 1)
    }),
  )

  it.effect("of which something was shipped is refused, with what it has become", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 5 })
      const { token } = yield* newCustomer()
      const { id } = placedOrder(yield* order(token, "k", [[lamp, 4]]))
      for (const status of ["partiallyShipped", "shipped", "delivered"]) {
        yield* sql`update orders set status = ${status}, paid_at = now() where id = ${id}`
        const refused = yield* cancel(token, id)
        assertRefused(refused, 409, "not_cancellable")
        assert.strictEqual(refused.body["orderStatus"], status)
      }
      assert.strictEqual(yield* available(lamp), 1)
    }),
  )
})

layer(testServer, { excludeTestServices: true })("an order whose time is over", (it) => {
  it.effect("is expired to every reader before anybody has come for its units, and cannot be cancelled", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 5 })
      const { token } = yield* newCustomer()
      const { id } = placedOrder(yield* order(token, "k", [[lamp, 4]]))
      const { shard } = yield* statusInRow(id)
      yield* Effect.scoped(
        Effect.gen(function* () {
          // Nobody writes for this shard meanwhile, the sweeper included.
          const lease = yield* lockLease(shard)
          yield* runOut(id)
          assert.strictEqual((yield* call(`/v1/orders/${id}`, { token })).body["status"], "expired")
          assert.deepStrictEqual([yield* idsOf(token, "expired"), yield* idsOf(token, "reserved")], [[id], []])
          assert.strictEqual((yield* statusInRow(id)).status, "reserved")
          yield* lease.end
        }),
      )
      const refused = yield* cancel(token, id)
      assertRefused(refused, 409, "not_cancellable")
      assert.strictEqual(refused.body["orderStatus"], "expired")
      const repeated = yield* order(token, "k", [[lamp, 4]])
      assert.deepStrictEqual([repeated.status, repeated.body["status"]], [201, "expired"])
    }),
  )
})

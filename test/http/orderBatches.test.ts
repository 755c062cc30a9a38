import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

interface Result {
  readonly status: number
  readonly order?: { readonly id: string }
  readonly problem?: { readonly code: string; readonly errors?: ReadonlyArray<{ readonly pointer: string }> }
}

const place = Effect.fnUntraced(function* (token: string, orders: ReadonlyArray<unknown>) {
  const answer = yield* call("/v1/orders/batch", { token, json: { orders } })
  assert.strictEqual(answer.status, 200, answer.text)
  return answer.body["results"] as ReadonlyArray<Result>
})

layer(testServer, { excludeTestServices: true })("batches of orders", (it) => {
  it.effect("each order of a batch has the answer it would have had alone, in the order given", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 3 })
      const { token } = yield* newCustomer()
      const known = yield* order(token, "known", [[lamp, 1]])
      const line = (quantity: unknown) => [{ productId: lamp, quantity }]
      const results = yield* place(token, [
        { idempotencyKey: "a", lines: line(1) },
        { idempotencyKey: "b", lines: line(5) },
        { idempotencyKey: "known", lines: line(1) },
        { idempotencyKey: "c", lines: line(0) },
        { idempotencyKey: "", lines: line(1) },
        "no order",
        { idempotencyKey: "a", lines: line(1) },
        { idempotencyKey: "a", lines: line(2) },
        { idempotencyKey: "d", lines: line(1), customerRef: "x" },
        { idempotencyKey: "e", lines: line(1) },
        { idempotencyKey: "f", lines: line(1) },
      ])
      assert.deepStrictEqual(
        results.map((result) => [result.status, result.problem?.code]),
        [
          [201, undefined],
          [409, "out_of_stock"],
          [201, undefined],
          [422, "invalid"],
          [422, "invalid"],
          [422, "invalid"],
          [201, undefined],
          [422, "idempotency_key_reused"],
          [422, "invalid"],
          [201, undefined],
          [409, "out_of_stock"],
        ],
      )
      assert.strictEqual(results[2]?.order?.id, known.body["id"])
      assert.strictEqual(results[6]?.order?.id, results[0]?.order?.id)
      assert.strictEqual(results[3]?.problem?.errors?.[0]?.pointer, "/lines/0/quantity")
      const product = yield* call(`/v1/products/${lamp}`)
      assert.strictEqual(product.body["available"], 0)
    }),
  )

  it.effect("a batch has 1 to 500 orders and up to a megabyte", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 10_000 })
      const { token } = yield* newCustomer()
      const orders = (count: number, padding = 0) =>
        Array.from({ length: count }, (_, index) => ({
          idempotencyKey: `k${index}`,
          lines: [{ productId: lamp, quantity: 1 }],
          note: "x".repeat(padding),
        }))
      for (const count of [0, 501]) {
        const answer = yield* call("/v1/orders/batch", { token, json: { orders: orders(count) } })
        assert.strictEqual(answer.status, 422)
      }
      const results = yield* place(token, orders(500, 1_500))
      assert.deepStrictEqual([...new Set(results.map((result) => result.status))], [201])
      assert.strictEqual(new Set(results.map((result) => result.order?.id)).size, 500)
      const large = yield* call("/v1/orders/batch", { token, json: { orders: orders(500, 2_200) } })
      assert.strictEqual(large.status, 413)
    }),
  )
})

import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { call, newCustomer, newMerchant, newProduct, order, testServerWith } from "./testServer.ts"

const Problem = Schema.Struct({ code: Schema.String, retryable: Schema.Boolean })
const Result = Schema.Struct({ status: Schema.Int, problem: Schema.optionalKey(Problem) })
const readResults = Schema.decodeUnknownEffect(Schema.Struct({ results: Schema.Array(Result) }))

layer(testServerWith({ HEDONIFY_ORDERS_PER_SECOND: "2" }), { excludeTestServices: true })("orders a second", (it) => {
  it.effect("the first orders of a batch are placed, the others told to come back", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), {})
      const { token } = yield* newCustomer()
      const orders = Array.from({ length: 5 }, (_, index) => ({
        idempotencyKey: `order ${index}`,
        lines: [{ productId: lamp, quantity: 1 }],
      }))
      const answer = yield* call("/v1/orders/batch", { token, json: { orders } })
      const { results } = yield* readResults(answer.body)
      assert.deepStrictEqual(
        results.map(({ status }) => status),
        [201, 201, 429, 429, 429],
      )
      assert.deepStrictEqual(results[4]?.problem, { code: "too_many_requests", retryable: true })
      const product = yield* call(`/v1/products/${lamp}`)
      assert.strictEqual(product.body["available"], 98)
    }),
  )

  it.effect("a rush of single orders is told to come back, and when, and somebody else is served", () =>
    Effect.gen(function* () {
      const lamp = yield* newProduct(yield* newMerchant(), {})
      const [hasty, patient] = [yield* newCustomer(), yield* newCustomer()]
      const answers = yield* Effect.forEach(
        Array.from({ length: 20 }),
        (_, index) => order(hasty.token, `order ${index}`, [[lamp, 1]]),
        { concurrency: "unbounded" },
      )
      const refused = answers.filter(({ status }) => status === 429)
      assert.isAtLeast(refused.length, 1)
      assert.lengthOf([...answers.filter(({ status }) => status === 201), ...refused], 20)
      for (const answer of refused) {
        assert.strictEqual(answer.body["code"], "too_many_requests")
        assert.isAtLeast(Number(answer.headers.get("retry-after")), 1)
      }
      assert.strictEqual((yield* order(patient.token, "order", [[lamp, 1]])).status, 201)
    }),
  )
})

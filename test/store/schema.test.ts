/**
 * What the schema refuses, in the words of PostgreSQL on either store.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { ProductId } from "../../src/domain/ids.ts"
import { hold, movement, newKey, order, sell, type Parts } from "./selling.ts"
import { onBothStores, refusal, writerOf } from "./suite.ts"

onBothStores("what the schema refuses", (behaves) => {
  behaves(
    "is definite, names its SQLSTATE, changes nothing and leaves the number free",
    Effect.gen(function* () {
      const lamp = yield* sell({ stocked: 3, limitPerCustomer: 2 })
      const writer = yield* writerOf(0)
      const ghost = { ...lamp, productId: ProductId.make(randomUUID()) }
      const key = newKey()
      const twice = order([[lamp, 1]])
      const cases: ReadonlyArray<readonly [string, Parts, string]> = [
        ["more than there is", { orders: [order([[lamp, 4]])] }, "23514"],
        ["more than there is, by two", { orders: [order([[lamp, 2]]), order([[lamp, 2]])] }, "23514"],
        ["more than there is, held", { holds: [hold([[lamp, 4]])] }, "23514"],
        ["no units", { orders: [order([[lamp, 0]])] }, "23514"],
        ["a line beyond its bound", { orders: [order([[lamp, 10_001]])] }, "23514"],
        ["a negative price", { orders: [order([[{ ...lamp, price: -1 }, 1]])] }, "23514"],
        ["a price beyond its bound", { orders: [order([[{ ...lamp, price: 1_000_000_001 }, 1]])] }, "23514"],
        ["an empty key", { orders: [order([[lamp, 1]], { key: { ...key, key: "" } })] }, "23514"],
        ["a long key", { orders: [order([[lamp, 1]], { key: { ...key, key: "k".repeat(256) } })] }, "23514"],
        ["a short fingerprint", { orders: [order([[lamp, 1]], { key: { ...key, fingerprint: "00" } })] }, "23514"],
        ["a currency in small letters", { orders: [{ ...order([[lamp, 1]]), currency: "eur" }] }, "23514"],
        ["nobody", { orders: [{ ...twice, command: { ...twice.command, customer: "" } }] }, "23514"],
        ["an order that ends as it begins", { orders: [{ ...twice, ttlMillis: 0 }] }, "23514"],
        [
          "one product twice",
          {
            orders: [
              order([
                [lamp, 1],
                [lamp, 1],
              ]),
            ],
          },
          "23505",
        ],
        ["a hold of what does not exist", { holds: [hold([[ghost, 1]])] }, "23503"],
        ["a movement of what does not exist", { movements: [movement(ghost, 1)] }, "23503"],
        ["writing off what is sold", { movements: [movement(lamp, -4)] }, "23514"],
        ["a movement of nothing", { movements: [{ ...movement(lamp, 0), kind: "corrected" }] }, "23514"],
        ["more than a product can have", { movements: [movement(lamp, 2_147_483_647)] }, "22003"],
      ]
      const found: Array<readonly [string, string]> = []
      for (const [what, parts] of cases) found.push([what, yield* refusal(writer, parts)])
      assert.deepStrictEqual(
        found,
        cases.map(([what, , sqlState]) => [what, sqlState] as const),
      )
      const beyond = yield* refusal(writer, { movements: [movement(lamp, 2_147_483_648)] })
      assert.strictEqual(beyond.slice(0, 2), "22")
      yield* writer.write({ orders: [order([[lamp, 3]])] })
    }),
  )

  behaves(
    "one order that oversells takes its whole batch along",
    Effect.gen(function* () {
      const [lamp, chair] = [yield* sell(), yield* sell()]
      const writer = yield* writerOf(0)
      assert.strictEqual(yield* refusal(writer, { orders: [order([[chair, 1]]), order([[lamp, 4]])] }), "23514")
    }),
  )
})

/**
 * PostgreSQL and the in-memory model given the same arbitrary batches, most of them wrong in some way: they accept,
 * leave out and refuse the same, and their rows end the same. The simulation's word is worth what this shows.
 */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as fc from "fast-check"
import type { Applied } from "../../src/inventory/ShardStore.ts"
import {
  ann,
  attempt,
  batchWrite,
  bob,
  booksBalance,
  extension,
  heldPart,
  hold,
  movement,
  newKey,
  order,
  orderOf,
  type Parts,
  release,
  sell,
  takeOver,
} from "./selling.ts"
import { type Rows, StoreUnderTest } from "./StoreUnderTest.ts"

const historiesMax = 40
const wish = fc.nat(3)
const attemptNumber = fc.constantFrom(1, 1, 2)

const batch = fc.record({
  shard: fc.nat(1),
  form: fc.constantFrom("guarded", "guarded", "guarded", "plain"),
  orders: fc.array(fc.record({ wish, consumes: fc.boolean(), attempt: attemptNumber }), { maxLength: 2 }),
  /** Each hold is touched once a batch, as the planner sees to. */
  holds: fc.uniqueArray(
    fc.record({
      wish,
      attempt: attemptNumber,
      change: fc.constantFrom("hold", "release", "extend", "sweep"),
      ttlMillis: fc.constantFrom(0, 60_000),
    }),
    { selector: (row) => row.wish, maxLength: 3 },
  ),
  movements: fc.array(fc.record({ key: fc.nat(2), delta: fc.integer({ min: -3, max: 3 }) }), { maxLength: 1 }),
})
const histories = fc.sample(fc.array(batch, { minLength: 10, maxLength: 30, size: "max" }), historiesMax)

/** What was answered, without the time; of a refusal only that it was one, since a batch may break several rules. */
const answerOf = (applied: Applied) => {
  const byName = (left: object, right: object) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1)
  const { stock, unextended, units, unmoved, unplaced } = applied
  return {
    unplaced: unplaced.toSorted(),
    unmoved,
    unextended,
    stock: stock.toSorted(byName),
    units: units.toSorted(byName),
  }
}

const rowsOf = ({ customerUnits, holds, orderLines, orders, stock }: Rows, productIds: ReadonlySet<string>) => {
  const lines = orderLines.filter((row) => productIds.has(row.productId))
  const placed = new Set(lines.map((row) => row.orderId))
  return [
    lines,
    orders.filter((row) => placed.has(row.orderId)),
    ...[stock, holds, customerUnits].map((rows) => rows.filter((row) => productIds.has(row.productId))),
  ].map((rows) => rows.map((row) => JSON.stringify(row, Object.keys(row).toSorted())).toSorted())
}

layer(StoreUnderTest.postgres, { excludeTestServices: true })("PostgreSQL and the in-memory model", (it) => {
  it.effect.each(histories.map((history, number) => ({ history, number })))("agree on history $number", ({ history }) =>
    Effect.gen(function* () {
      const real = yield* StoreUnderTest
      const model = yield* Effect.provide(StoreUnderTest, Layer.fresh(StoreUnderTest.memory))
      const products = [
        yield* sell({ stocked: 12, limitPerCustomer: 9 }),
        yield* sell({ shard: 1, stocked: 12, limitPerCustomer: 9 }),
      ] as const
      for (const product of products) yield* model.createProduct(product)
      const wishes = [1, 2, 1, 3].map((quantity) => ({
        key: newKey(quantity === 1 ? ann : bob),
        quantity,
      }))
      const keys = [newKey(), newKey(), newKey()]

      const partsOf = (drawn: (typeof history)[number]): Parts => {
        const product = products[drawn.shard] ?? products[0]
        const holdOf = (number: number, by: number, ttlMillis = 60_000, of = product) => {
          const { quantity, ...options } = wishes[number] ?? assert.fail("no such wish")
          return hold([[of, quantity]], { ...options, attempt: attempt(by), ttlMillis })
        }
        const changes = drawn.holds.map((row) => ({ ...row, held: holdOf(row.wish, row.attempt, row.ttlMillis) }))
        const changing = (change: string) => changes.filter((row) => row.change === change)
        return {
          form: drawn.form,
          orders: drawn.orders.map((row) => {
            const elsewhere = holdOf(row.wish, row.attempt, 0, drawn.shard === 0 ? products[1] : products[0])
            const held = row.consumes ? [heldPart(elsewhere, 1 - drawn.shard)] : []
            return order([[product, 1]], { ...orderOf(elsewhere), held })
          }),
          holds: changing("hold").map((row) => row.held),
          extensions: changing("extend").map((row) => extension(row.held, attempt(row.attempt), row.ttlMillis)),
          releases: [
            ...changing("release").map((row) => release(row.held)),
            ...changing("sweep").map((row) => release(row.held, { onlyExpired: true })),
          ],
          movements: drawn.movements.map(({ delta, key }) => movement(product, delta, keys[key])),
        }
      }

      const sides = yield* Effect.forEach([real.first, model.first], (store) =>
        Effect.all([takeOver(store, 0), takeOver(store, 1)]),
      )
      for (const drawn of history) {
        const parts = partsOf(drawn)
        const answers = yield* Effect.forEach(sides, (writers) => {
          const writer = writers[drawn.shard] ?? writers[0]
          const at = { shard: drawn.shard, epoch: writer.epoch, batch: writer.batch + 1 }
          return Effect.match(writer.store.commit(batchWrite(at, parts)), {
            onFailure: (error) => error._tag,
            onSuccess: (outcome) => {
              if (outcome._tag === "NotApplied") return outcome._tag
              writer.batch += 1
              return answerOf(outcome)
            },
          })
        })
        assert.deepStrictEqual(answers[0], answers[1], JSON.stringify(history))
      }
      const productIds = new Set<string>(products.map((product) => product.productId))
      assert.deepStrictEqual(rowsOf(yield* real.rows, productIds), rowsOf(yield* model.rows, productIds))
      yield* booksBalance
    }),
  )
})

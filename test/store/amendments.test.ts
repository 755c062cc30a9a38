/**
 * Edits of products: what a change says and what it leaves alone, at the version that was edited and at no other.
 */
import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { ProductChange } from "../../src/domain/commands.ts"
import { amend, booksBalance, order, sell, stockOf, takeOver, unitsOf } from "./selling.ts"
import { type ProductToSell, StoreUnderTest } from "./StoreUnderTest.ts"
import { onBothStores, refusal, rowsNow, writerOf } from "./suite.ts"

const rowOf = Effect.fnUntraced(function* ({ productId }: ProductToSell) {
  const { products } = yield* rowsNow
  return products.find((row) => row.productId === productId) ?? assert.fail("no product")
})

/** The product as its writer loads it, without the units in stock. */
const stateOf = Effect.fnUntraced(function* ({ productId, shard }: ProductToSell) {
  const { first } = yield* StoreUnderTest
  const [state] = yield* first.products(shard, [productId])
  return state ?? assert.fail("no product")
})

onBothStores("amendments", (behaves) => {
  behaves(
    "an edit changes what it names and nothing else, raises the version by one and is told to everybody",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const { productId } = lamp
      const writer = yield* writerOf(0)
      const start = 2_000_000_000_123
      const changes: ReadonlyArray<ProductChange> = [
        { name: "Lamp" },
        { price: { amount: 70, currency: "EUR" } },
        { limitPerCustomer: 2 },
        { saleStartsAtMillis: start },
        { paused: true },
        { archived: true },
        {},
      ]
      for (const [at, change] of changes.entries()) {
        const version = at + 1
        const before = yield* rowOf(lamp)
        const applied = yield* writer.write({ amendments: [amend(lamp, change, version)] })
        assert.deepStrictEqual([applied.unamended, applied.stock, applied.units], [[], [], []])
        const { price, ...others } = change
        const countsUnits = before.countsUnits || change.limitPerCustomer !== undefined
        const changed = { ...others, price: price?.amount ?? before.price, countsUnits, version: version + 1 }
        assert.deepStrictEqual(yield* rowOf(lamp), { ...before, ...changed })
        assert.deepInclude(yield* stateOf(lamp), others)
        const { batches } = yield* rowsNow
        const record = batches.find((row) => row.shard === 0 && row.batch === writer.batch)
        assert.deepStrictEqual(record?.events, [{ type: "product.amended", productId, version: version + 1 }])
      }
      assert.deepInclude(yield* stateOf(lamp), {
        price: 70,
        limitPerCustomer: 2,
        saleStartsAtMillis: start,
        version: 8,
      })
    }),
  )

  behaves(
    "a limit and a sale's start can be taken away, and are left alone where they are not named",
    Effect.gen(function* () {
      const lamp = yield* sell({ limitPerCustomer: 2 })
      const writer = yield* writerOf(0)
      yield* writer.write({ amendments: [amend(lamp, { saleStartsAtMillis: 5_000 })] })
      yield* writer.write({ amendments: [amend(lamp, { paused: false }, 2)] })
      assert.deepInclude(yield* rowOf(lamp), { limitPerCustomer: 2, saleStartsAtMillis: 5_000 })
      yield* writer.write({ amendments: [amend(lamp, { saleStartsAtMillis: null }, 3)] })
      assert.deepInclude(yield* rowOf(lamp), { limitPerCustomer: 2, saleStartsAtMillis: null })
      yield* writer.write({ amendments: [amend(lamp, { limitPerCustomer: null }, 4)] })
      assert.deepInclude(yield* rowOf(lamp), { limitPerCustomer: null, saleStartsAtMillis: null })
    }),
  )

  behaves(
    "units are counted from the first limit on, also once the limit is gone",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      assert.strictEqual((yield* stateOf(lamp)).countsUnits, false)
      yield* writer.write({ amendments: [amend(lamp, { limitPerCustomer: 3 })] })
      yield* writer.write({ amendments: [amend(lamp, { limitPerCustomer: null }, 2)] })
      assert.deepInclude(yield* stateOf(lamp), { limitPerCustomer: null, countsUnits: true })
      yield* writer.write({ orders: [order([[{ ...lamp, countsUnits: true }, 2]])] })
      assert.strictEqual(yield* unitsOf(lamp), 2)
    }),
  )

  behaves(
    "an edit of another version changes nothing and is named, while its batch goes through",
    Effect.gen(function* () {
      const [lamp, chair] = [yield* sell(), yield* sell()]
      const writer = yield* writerOf(0)
      yield* writer.write({ amendments: [amend(lamp, { name: "Lamp" })] })
      const before = yield* rowOf(lamp)
      for (const version of [1, 3]) {
        const stale = amend(lamp, { name: "another lamp" }, version)
        const other = amend(chair, { name: `Chair ${version}` }, version === 1 ? 1 : 2)
        const applied = yield* writer.write({ amendments: [stale, other], orders: [order([[lamp, 1]])] })
        assert.deepStrictEqual(applied.unamended, [stale])
        assert.deepStrictEqual(applied.unplaced, [])
      }
      assert.deepStrictEqual(yield* rowOf(lamp), before)
      assert.strictEqual((yield* rowOf(chair)).version, 3)
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 3, available: 1 })
      const { batches } = yield* rowsNow
      const record = batches.find((row) => row.shard === 0 && row.batch === writer.batch)
      assert.sameMembers(
        (record?.events ?? []).map((event) => event.type),
        ["order.reserved", "product.amended"],
      )
    }),
  )

  behaves(
    "what the schema refuses of an edit takes its whole batch along",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const changes: ReadonlyArray<ProductChange> = [
        { name: "" },
        { name: "n".repeat(201) },
        { price: { amount: -1, currency: "EUR" } },
        { price: { amount: 1_000_000_001, currency: "EUR" } },
        { limitPerCustomer: 0 },
      ]
      for (const change of changes) {
        const parts = { orders: [order([[lamp, 1]])], amendments: [amend(lamp, change)] }
        assert.strictEqual(yield* refusal(writer, parts), "23514")
      }
    }),
  )

  behaves(
    "a product may be sold and archived in one batch, in which the sale is ahead of the edit",
    Effect.gen(function* () {
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const applied = yield* writer.write({
        orders: [order([[lamp, 3]])],
        amendments: [amend(lamp, { archived: true })],
      })
      assert.deepStrictEqual(applied.stock, [{ productId: lamp.productId, stocked: 3, available: 0 }])
      assert.deepInclude(yield* stateOf(lamp), { archived: true, available: 0 })
    }),
  )
})

layer(StoreUnderTest.postgres, { excludeTestServices: true })("amendments of what only the catalogue reads", (it) => {
  it.effect(
    "a description, a picture and the waiting list are changed where they are named, the picture also to none",
    () =>
      Effect.gen(function* () {
        const { first } = yield* StoreUnderTest
        const sql = yield* PgClient.PgClient
        const lamp = yield* sell()
        const writer = yield* takeOver(first, 0)
        const shown = sql<Record<"description" | "imageUrl" | "waitlist", unknown>>`
        select description, image_url as "imageUrl", waitlist from products where id = ${lamp.productId}`
        const all = { description: "It glows.", imageUrl: "https://pictures.example/lamp.webp", waitlist: true }
        yield* writer.write({ amendments: [amend(lamp, all)] })
        assert.deepStrictEqual(yield* shown, [all])
        yield* writer.write({ amendments: [amend(lamp, { name: "Lamp" }, 2)] })
        assert.deepStrictEqual(yield* shown, [all])
        yield* writer.write({ amendments: [amend(lamp, { description: "", imageUrl: null, waitlist: false }, 3)] })
        assert.deepStrictEqual(yield* shown, [{ description: "", imageUrl: null, waitlist: false }])
        yield* booksBalance
      }),
  )
})

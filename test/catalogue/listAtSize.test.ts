import { PgConnection } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import type { ProductQuery } from "../../src/catalogue/product.ts"
import { listStatements } from "../../src/catalogue/productLists.ts"
import { searchMatchesNearMax, searchRowsFarMax, searchRowsNearMax } from "../../src/domain/bounds.ts"
import { MerchantId, ProductId } from "../../src/domain/ids.ts"
import { DatabaseAddress } from "../../src/platform/Database.ts"
import { testDatabase } from "../platform/testDatabase.ts"
import { type Explained, explained } from "./explained.ts"

const idOf = (number: number) => `00000000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`
const [large, other, small] = [1, 2, 3].map((number) => MerchantId.make(idOf(number)))

const products = 60_000

/**
 * Sixty thousand products as a list likes them least: two thirds archived and those first, all of them in stock; of the
 * others nearly none; a merchant that has most of all and whose listed ones come last; words that all have, that few have, that only the
 * newest have, and two that exclude each other.
 */
const fill = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into shard_leases (shard) values (0)`
  yield* sql`insert into merchants (id, name) select id, 'Shop' from unnest(${`{${large},${other},${small}}`}::uuid[]) id`
  yield* sql`
    insert into products (id, merchant_id, shard, name, price, currency, archived, created_at, updated_at)
    select ('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
      case when i % 10000 = 1 then ${small}::uuid when i <= 40000 and i % 10 <> 1 or i > 57000 then ${large}::uuid
        else ${other}::uuid end,
      0, 'Lamp sku' || i || case when i % 2 = 0 then ' even' else ' odd' end ||
        case when i % 12000 = 7 then ' rarity' else '' end || case when i > 48000 then ' winter' else '' end ||
        case when i % 100 = 7 then ' seldom' else '' end,
      1, 'EUR', i <= 40000 and i % 10 <> 1, now(), now()
    from generate_series(1, ${products}::integer) i order by i`
  yield* sql`
    insert into stock (product_id, stocked, available)
    select id, 5, case when archived or right(id::text, 3) = '777' then 5 else 0 end from products order by id`
  yield* sql`vacuum analyze products`
  yield* sql`vacuum analyze stock`
})

const everything: ProductQuery = { limit: 20, startingAfter: null, words: null, merchantId: null, inStock: null }

const filters: ReadonlyArray<ProductQuery> = [null, ProductId.make(idOf(50_000)), ProductId.make(idOf(10_000))].flatMap(
  (startingAfter) =>
    [null, large, other, small].flatMap((merchantId) =>
      [null, true, false].map((inStock) => ({
        ...everything,
        startingAfter,
        merchantId: merchantId ?? null,
        inStock,
      })),
    ),
)

const searchFilters = filters.filter(
  ({ merchantId, startingAfter }) => merchantId !== small && merchantId !== other && startingAfter !== idOf(10_000),
)

const searches = [["lamp"], ["l"], ["rarity"], ["winter"], ["seldom"], ["even", "odd"], ["lamp", "winter"], ["nothing"]]

/** Looking a row up in an index of this size takes three pages and the row's own; a product has a stock, too. */
const buffersOf = (rows: number) => 60 + 12 * rows

layer(testDatabase, { excludeTestServices: true, timeout: 300_000 })("lists at size", (it) => {
  /** Has each statement explained, on one connection. */
  const checks = Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const connection = yield* PgConnection.make(yield* DatabaseAddress)
    return Effect.fnUntraced(function* (
      statement: (sql: SqlClient.SqlClient) => Statement.Statement<unknown>,
      rowsMax: number,
      name: unknown,
    ) {
      for (const mode of ["force_custom_plan", "force_generic_plan"] as const) {
        const cost: Explained = yield* explained(connection, statement(sql), mode)
        const told = `${JSON.stringify(name)} ${mode} ${JSON.stringify(cost)}`
        assert.deepStrictEqual(cost.scanned, [], told)
        assert.isAtMost(cost.rowsMax, rowsMax, told)
        assert.isAtMost(cost.buffers, buffersOf(rowsMax), told)
      }
    })
  })

  it.effect("a page without a search reads no more rows than it shows, and one", () =>
    Effect.gen(function* () {
      yield* fill
      const check = yield* checks
      for (const query of filters) {
        yield* check((sql) => listStatements(sql, query).page, query.limit + 1, query)
      }
    }),
  )

  it.effect("a search looks along its list as far as it may and no further", () =>
    Effect.gen(function* () {
      const check = yield* checks
      for (const words of searches) {
        for (const query of searchFilters) {
          const near = (sql: SqlClient.SqlClient) => listStatements(sql, query).near(words, searchRowsNearMax)
          yield* check(near, searchRowsNearMax, { ...query, words })
        }
        const far = (sql: SqlClient.SqlClient) => listStatements(sql, everything).near(words, searchRowsFarMax)
        yield* check(far, searchRowsFarMax, words)
      }
    }),
  )

  it.effect("a search takes up as many matches as it may and no more", () =>
    Effect.gen(function* () {
      const check = yield* checks
      for (const words of searches) {
        for (const query of searchFilters) {
          const matching = (sql: SqlClient.SqlClient) =>
            listStatements(sql, query).matching(words, searchMatchesNearMax)
          yield* check(matching, searchMatchesNearMax + 1, { ...query, words })
        }
      }
    }),
  )
})

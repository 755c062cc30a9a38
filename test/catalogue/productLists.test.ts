import { assert, layer } from "@effect/vitest"
import { Effect, Random } from "effect"
import { SqlClient } from "effect/sql"
import { productPage, productPageOf } from "../../src/catalogue/productLists.ts"
import type { ProductQuery } from "../../src/catalogue/product.ts"
import { MerchantId, type ProductId } from "../../src/domain/ids.ts"
import { testDatabase } from "../platform/testDatabase.ts"

/** Small enough that a few hundred products go through every way of a search. */
const reach = { rowsNearMax: 12, matchesNearMax: 20, rowsFarMax: 40, matchesFarMax: 60 }

const merchants = ["a", "b"].map((digit) => MerchantId.make(`00000000-0000-7000-8000-00000000000${digit}`))

interface Shown {
  readonly id: ProductId
  readonly name: string
  readonly merchantId: MerchantId
  readonly archived: boolean
  readonly inStock: boolean
}

/** Three hundred products: words that all have, that few have, that only the oldest or only the newest have. */
const fill = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into shard_leases (shard) values (0)`
  for (const id of merchants) yield* sql`insert into merchants (id, name) values (${id}, 'Shop')`
  yield* sql`
    with p as (
      insert into products (id, merchant_id, shard, name, price, currency, archived, created_at, updated_at)
      select ('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
        ('00000000-0000-7000-8000-00000000000' || case when i % 3 = 0 or i > 250 then 'a' else 'b' end)::uuid, 0,
        'Lamp ' || case when i % 2 = 0 then 'even' else 'odd' end || case when i % 71 = 0 then ' rarity' else '' end ||
          case when i > 180 then ' late' else ' early' end || case when i % 20 = 3 then ' Seldom' else '' end,
        1, 'EUR', i % 7 = 0, now(), now()
      from generate_series(1, 300) i
      returning *)
    insert into stock (product_id, stocked, available) select id, 5, case when id::text like '%8' then 0 else 5 end from p`
})

/** What a list is, said as plainly as can be. */
const expected = (products: ReadonlyArray<Shown>, { inStock, merchantId, words }: ProductQuery) =>
  products
    .filter((product) => !product.archived)
    .filter((product) => merchantId === null || product.merchantId === merchantId)
    .filter((product) => inStock === null || product.inStock === inStock)
    .filter(({ name }) =>
      (words ?? []).every((word) =>
        name
          .toLowerCase()
          .split(" ")
          .some((of) => of.startsWith(word)),
      ),
    )
    .map(({ id }) => id)

const queries: ReadonlyArray<ProductQuery> = [
  null,
  ["lamp"],
  ["l"],
  ["even"],
  ["late"],
  ["early", "odd"],
  ["rarity"],
  ["seldom"],
  ["late", "seldom"],
  ["even", "odd"],
  ["nothing"],
].flatMap((words) =>
  [null, ...merchants].flatMap((merchantId) =>
    [null, true, false].map((inStock) => ({ limit: 7, startingAfter: null, words, merchantId, inStock })),
  ),
)

layer(testDatabase)("lists of products", (it) => {
  it.effect("whatever is asked for, the pages one after another hold each product once and in order", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* fill
      const products = yield* sql<Shown>`
        select p.id, p.name, p.merchant_id as "merchantId", p.archived, s.in_stock as "inStock"
        from products p join stock s on s.product_id = p.id order by p.id`
      let shortPages = 0
      for (const query of queries) {
        const seen: Array<ProductId> = []
        let startingAfter: ProductId | null = null
        do {
          const found = yield* productPage(sql, { ...query, startingAfter }, reach)
          const page = productPageOf(found, query.limit)
          seen.push(...page.data.map(({ id }) => id))
          assert.strictEqual(page.hasMore, page.next !== null)
          assert.isAtMost(page.data.length, query.limit)
          if (page.hasMore && page.data.length < query.limit) shortPages++
          startingAfter = page.next
        } while (startingAfter !== null)
        assert.deepStrictEqual(seen, expected(products, query), JSON.stringify(query))
      }
      // Words that only the newest have end a search before its list: without such a page this would test less.
      assert.isAbove(shortPages, 0)
    }),
  )

  it.effect("a page may start anywhere", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const products = yield* sql<Shown>`
        select p.id, p.name, p.merchant_id as "merchantId", p.archived, s.in_stock as "inStock"
        from products p join stock s on s.product_id = p.id order by p.id`
      for (const query of queries) {
        const startingAfter = products[yield* Random.nextIntBetween(0, products.length - 1)]?.id ?? null
        const { products: found, stoppedAt } = yield* productPage(sql, { ...query, startingAfter }, reach)
        const rest = expected(products, query).filter((id) => startingAfter === null || id > startingAfter)
        const ids = found.map(({ id }) => id)
        assert.deepStrictEqual(ids, rest.slice(0, ids.length))
        if (stoppedAt === null) assert.strictEqual(ids.length, Math.min(rest.length, query.limit + 1))
      }
    }),
  )
})

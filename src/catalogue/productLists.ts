/**
 * The pages of the catalogue, found along an index whatever is asked for. Must stay true: a page costs a bounded number
 * of rows at any size of the catalogue, however many products are archived, sold out or share a word. What grows is
 * the word's own entry in the index, 200 pages where a million products have it, read only where the list is poor in it.
 *
 * A search is looked for in two ways, since neither is bounded alone: along the list, which ends soon where many
 * products have the word, and among the word's matches, which are few where it is rare. Each way is tried up to a
 * bound and then the other. Where a word is neither rare nor near, the page says where to go on.
 *
 * Tried and lost, at a million products of which a tenth is listed: leaving the choice to the planner. It went through
 * 900,000 products (1.4 s) for a word that only the newest have, and through 210,000 for what is in stock.
 */
import { Effect } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"
import { searchMatchesFarMax, searchMatchesNearMax, searchRowsFarMax, searchRowsNearMax } from "../domain/bounds.ts"
import type { ProductId } from "../domain/ids.ts"
import { beforeEveryId, pageOf } from "../domain/page.ts"
import type { Product, ProductPage, ProductQuery } from "./product.ts"
import { columns, type ProductRow, productsById, productsOf } from "./productStatements.ts"
import { hasWords } from "./searchWords.ts"

/** How far a search looks: products along the list and matches in all, near and then far. */
export interface Reach {
  readonly rowsNearMax: number
  readonly matchesNearMax: number
  readonly rowsFarMax: number
  readonly matchesFarMax: number
}

const reachOfSearches: Reach = {
  rowsNearMax: searchRowsNearMax,
  matchesNearMax: searchMatchesNearMax,
  rowsFarMax: searchRowsFarMax,
  matchesFarMax: searchMatchesFarMax,
}

/** What a search came to. */
interface Look {
  /** In the order of the page, at most one more than it shows. */
  readonly ids: ReadonlyArray<ProductId>
  /** The last product that was looked at, where the search ended before the list did. */
  readonly stoppedAt: ProductId | null
}

/** What is on a page, with one product more where there is one. */
export interface FoundProducts extends Pick<Look, "stoppedAt"> {
  readonly products: ReadonlyArray<Product>
}

export const productPageOf = ({ products, stoppedAt }: FoundProducts, limit: number): ProductPage => {
  const page = pageOf(products, limit)
  const next = page.hasMore ? (page.data.at(-1)?.id ?? null) : stoppedAt
  return { data: page.data, hasMore: next !== null, next }
}

/**
 * The next `rowsMax` products that the query asks for but for its words, in the order of ids, from the cursor on. A
 * comparison of whole rows of an index, cut where the wanted ones end, leaves PostgreSQL no other index to walk. With
 * each column compared by itself it took the primary key where most products were archived and most in stock, though
 * hardly any were in stock and not archived, and went through all million.
 */
const along = (sql: SqlClient.SqlClient, query: ProductQuery, rowsMax: number): Statement.Fragment => {
  const { inStock, merchantId } = query
  const after = query.startingAfter ?? beforeEveryId
  const limit = sql.literal(`limit ${rowsMax}`)
  if (inStock === null) {
    return merchantId === null
      ? sql`(select id, words from products where not archived and ${sql.literal(isOffered)} and id > ${after} order by id ${limit})`
      : sql`(select id, words from (
          select merchant_id, archived, id, words from products
          where (merchant_id, archived, id) > (${merchantId}, false, ${after})
          order by merchant_id, archived, id ${limit}) own
        where merchant_id = ${merchantId} and not archived and ${sql.literal(isOffered)})`
  }
  const shelf =
    merchantId === null
      ? sql`select in_stock, product_id from stock
          where not archived and ${sql.literal(isOffered)} and (in_stock, product_id) > (${inStock}, ${after})
          order by in_stock, product_id ${limit}`
      : sql`select in_stock, product_id from (
            select merchant_id, in_stock, product_id from stock
            where not archived and (merchant_id, in_stock, product_id) > (${merchantId}, ${inStock}, ${after})
            order by merchant_id, in_stock, product_id ${limit}) own
          where merchant_id = ${merchantId} and ${sql.literal(isOffered)}`
  return sql`(select product_id as id, words from (${shelf}) shelf
    cross join lateral (select words from products where id = product_id offset 0) named
    where in_stock = ${inStock})`
}

/**
 * What a suspended merchant sells is off the shelf; there are few of them, and each statement asks once. Written as a
 * containment, which the planner takes to leave nearly all: after `<> all` it expected a fiftieth, gave up the order of
 * the index, and read 24,000 rows for a page of 20.
 */
const isOffered = "not (array[merchant_id] <@ array(select m.id from merchants m where m.status = 'suspended'))"

/** The statements of lists, apart from running them so that a test can have each explained. */
export const listStatements = (sql: SqlClient.SqlClient, query: ProductQuery) => ({
  page: sql<ProductRow>`
    select ${sql.literal(columns)} from ${along(sql, query, query.limit + 1)} page
    join products p on p.id = page.id join stock s on s.product_id = page.id order by page.id`,

  /** The next `rowsMax` products of the list, as far as it takes to fill the page. */
  near: (words: ReadonlyArray<string>, rowsMax: number) => sql<Look>`
    with found as materialized (
      select id from ${along(sql, query, rowsMax)} listed
      where ${hasWords(sql, words)} limit ${sql.literal(String(query.limit + 1))})
    select array(select id from found order by id) as ids,
      case when (select count(*) from found) <= ${query.limit}::integer then
        (select id from ${along(sql, query, rowsMax)} listed offset ${sql.literal(String(rowsMax - 1))} limit 1)
      end as "stoppedAt"`,

  /** All products with the words, if they are at most `matchesMax`; no row where they are more. */
  matching: (words: ReadonlyArray<string>, matchesMax: number) => {
    const { inStock, merchantId, startingAfter } = query
    const ofMerchant = merchantId === null ? sql`` : sql`and merchant_id = ${merchantId}`
    const onShelf =
      inStock === null
        ? sql``
        : sql`cross join lateral (select from stock where product_id = id and in_stock = ${inStock} offset 0) shelf`
    return sql<Look>`
      with every as materialized (
        select id, merchant_id from products where not archived and ${sql.literal(isOffered)} and ${hasWords(sql, words)}),
      matches as materialized (select id, merchant_id from every limit ${sql.literal(String(matchesMax + 1))}),
      counted as materialized (select count(*) as matches from matches)
      select array(
          select id from (
            select id from matches where id > ${startingAfter ?? beforeEveryId}::uuid ${ofMerchant}
            order by id offset 0) ordered
          ${onShelf} order by id limit ${sql.literal(String(query.limit + 1))}) as ids,
        null as "stoppedAt"
      from counted where matches <= ${sql.literal(String(matchesMax))}`
  },
})

const search = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  query: ProductQuery,
  words: ReadonlyArray<string>,
  { matchesFarMax, matchesNearMax, rowsFarMax, rowsNearMax }: Reach,
): Effect.fn.Return<Look, SqlError.SqlError> {
  const statements = listStatements(sql, query)
  const isEnough = (look: Look | undefined): look is Look =>
    look !== undefined && (look.stoppedAt === null || look.ids.length > query.limit)

  const [next] = yield* statements.near(words, rowsNearMax)
  if (isEnough(next)) return next
  const [few] = yield* statements.matching(words, matchesNearMax)
  if (isEnough(few)) return few
  const [far] = yield* statements.near(words, rowsFarMax)
  if (isEnough(far)) return far
  const [many] = yield* statements.matching(words, matchesFarMax)
  return many ?? far ?? { ids: [], stoppedAt: null }
})

/** The products of the page that the query asks for. */
export const productPage = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  query: ProductQuery,
  reach: Reach = reachOfSearches,
): Effect.fn.Return<FoundProducts, SqlError.SqlError> {
  const { words } = query
  if (words === null) return { products: productsOf(yield* listStatements(sql, query).page), stoppedAt: null }
  if (words.length === 0) return { products: [], stoppedAt: null }
  const { ids, stoppedAt } = yield* search(sql, query, words, reach)
  return { products: ids.length === 0 ? [] : yield* productsById(sql, ids), stoppedAt }
})

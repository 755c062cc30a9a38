/**
 * The catalogue's statements. Must stay true: each is one statement and one round trip, reads at most a page along an
 * index, and returns a product as `product.ts` names it.
 */
import { Effect } from "effect"
import { type SqlClient, type SqlError } from "effect/sql"
import type { MerchantId, ProductId, Shard, StockMovementId } from "../domain/ids.ts"
import { beforeEveryId } from "../domain/page.ts"
import type { NewProduct, Product, ProductQuery } from "./product.ts"

export interface ProductRow extends Omit<Product, "price"> {
  readonly price: number
  readonly currency: string
}

/** Times as milliseconds and amounts as doubles: both are exact in JavaScript within the bounds the tables check. */
export const columns = `p.id, p.merchant_id as "merchantId", p.name, p.description, p.price::float8 as price, p.currency,
  s.stocked, s.available, p.limit_per_customer as "limitPerCustomer",
  floor(extract(epoch from p.sale_starts_at) * 1000)::float8 as "saleStartsAtMillis",
  p.paused, p.archived, p.waitlist, p.stock_group as "stockGroup", p.image_url as "imageUrl", p.version,
  floor(extract(epoch from p.created_at) * 1000)::float8 as "createdAtMillis",
  floor(extract(epoch from p.updated_at) * 1000)::float8 as "updatedAtMillis"`

export const productsOf = (rows: ReadonlyArray<ProductRow>): ReadonlyArray<Product> =>
  rows.map(({ currency, price, ...row }) => ({ ...row, price: { amount: price, currency } }))

type Read = Effect.Effect<ReadonlyArray<Product>, SqlError.SqlError>

export const productById = (sql: SqlClient.SqlClient, id: ProductId): Read =>
  Effect.map(
    sql<ProductRow>`
      select ${sql.literal(columns)} from products p join stock s on s.product_id = p.id where p.id = ${id}`,
    productsOf,
  )

export const productPage = (sql: SqlClient.SqlClient, query: ProductQuery): Read => {
  const conditions = [sql`not p.archived`, sql`p.id > ${query.startingAfter ?? beforeEveryId}`]
  if (query.merchantId !== null) conditions.push(sql`p.merchant_id = ${query.merchantId}`)
  if (query.inStock !== null) conditions.push(query.inStock ? sql`s.in_stock` : sql`not s.in_stock`)
  if (query.words !== null) {
    if (query.words.length === 0) return Effect.succeed([])
    const search = query.words.map((word) => `${word}:*`).join(" & ")
    conditions.push(sql`to_tsvector('simple', p.name) @@ to_tsquery('simple', ${search})`)
  }
  return Effect.map(
    sql<ProductRow>`
      select ${sql.literal(columns)} from products p join stock s on s.product_id = p.id
      where ${sql.and(conditions)} order by p.id limit ${query.limit + 1}`,
    productsOf,
  )
}

export interface ProductToInsert extends NewProduct {
  readonly id: ProductId
  readonly merchantId: MerchantId
  readonly shard: Shard
  readonly movementId: StockMovementId
}

/** Product, stock and first movement. The movement's caller is the product itself, so that its key is its own. */
export const insertProduct = (sql: SqlClient.SqlClient, product: ProductToInsert): Read => {
  const saleStartsAtSeconds = product.saleStartsAtMillis === null ? null : product.saleStartsAtMillis / 1_000
  return Effect.map(
    sql<ProductRow>`
      with p as (
        insert into products (id, merchant_id, shard, name, description, price, currency, limit_per_customer,
          counts_units, sale_starts_at, paused, waitlist, stock_group, image_url, created_at, updated_at)
        values (${product.id}, ${product.merchantId}, ${product.shard}, ${product.name}, ${product.description},
          ${product.price.amount}, ${product.price.currency}, ${product.limitPerCustomer},
          ${product.limitPerCustomer !== null}, to_timestamp(${saleStartsAtSeconds}::float8), ${product.paused}, ${product.waitlist},
          ${product.stockGroup}, ${product.imageUrl}, now(), now())
        returning *),
      s as (
        insert into stock (product_id, stocked, available)
        select id, ${product.stock}::integer, ${product.stock}::integer from p
        returning *),
      movement as (
        insert into stock_movements (id, product_id, caller, key, fingerprint, kind, delta, created_at)
        select ${product.movementId}::uuid, id, id, 'created',
          substring(sha256(convert_to(id::text, 'UTF8')) from 1 for 16), 'received', ${product.stock}::integer,
          created_at
        from p)
      select ${sql.literal(columns)} from p, s`,
    productsOf,
  )
}

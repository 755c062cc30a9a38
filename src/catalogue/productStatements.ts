/**
 * Reading products by their ids, and bringing them into being. Must stay true: each is one statement and one round trip
 * and returns a product as `product.ts` names it; a product, its stock and its first movement come together or not at
 * all.
 */
import { Effect } from "effect"
import type { SqlClient, SqlError, Statement } from "effect/sql"
import type { MerchantId, ProductId, Shard, StockMovementId } from "../domain/ids.ts"
import type { NewProduct, Product } from "./product.ts"

export interface ProductRow extends Omit<Product, "price"> {
  readonly price: number
  readonly currency: string
}

/** What a suspended merchant sells counts as paused. Times as milliseconds and amounts as doubles: both are exact in JavaScript within the bounds the tables check. */
export const columns = `p.id, p.merchant_id as "merchantId", p.name, p.description, p.price::float8 as price, p.currency,
  s.stocked, s.available, p.limit_per_customer as "limitPerCustomer",
  floor(extract(epoch from p.sale_starts_at) * 1000)::float8 as "saleStartsAtMillis",
  (p.paused or exists (select from merchants m where m.id = p.merchant_id and m.status = 'suspended')) as paused,
  p.archived, p.waitlist, p.reservation_ttl_seconds as "reservationTtlSeconds", p.stock_group as "stockGroup", p.image_url as "imageUrl", p.version,
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

/** Those of these products that there are, in the order of their ids. */
export const productsById = (sql: SqlClient.SqlClient, ids: ReadonlyArray<ProductId>): Read =>
  Effect.map(
    sql<ProductRow>`
      select ${sql.literal(columns)} from products p join stock s on s.product_id = p.id
      where p.id = any (string_to_array(${ids.join(",")}, ',')::uuid[]) order by p.id`,
    productsOf,
  )

export interface ProductToInsert extends NewProduct {
  readonly id: ProductId
  readonly merchantId: MerchantId
  readonly shard: Shard
  readonly movementId: StockMovementId
}

const inserted = `(id uuid, "merchantId" uuid, shard smallint, "movementId" uuid, name text, description text,
  price bigint, currency text, stock integer, "limitPerCustomer" integer, "saleStartsAtMillis" float8, paused boolean,
  waitlist boolean, "reservationTtlSeconds" integer, "stockGroup" text, "imageUrl" text)`

/**
 * The common table expressions `p`, `s` and `movement` that insert these products where `condition` holds. A movement's
 * caller is the product itself, so that its key is its own.
 */
export const insertProducts = (
  sql: SqlClient.SqlClient,
  products: ReadonlyArray<ProductToInsert>,
  condition: Statement.Fragment,
): Statement.Fragment => {
  const rows = products.map(({ price, ...product }) => ({ ...product, price: price.amount, currency: price.currency }))
  return sql`
    wanted as materialized (
      select * from json_to_recordset(${JSON.stringify(rows)}::json) as wanted ${sql.literal(inserted)}),
    p as (
      insert into products (id, merchant_id, shard, name, description, price, currency, limit_per_customer,
        counts_units, sale_starts_at, paused, waitlist, reservation_ttl_seconds, stock_group, image_url, created_at, updated_at)
      select id, "merchantId", shard, name, description, price, currency, "limitPerCustomer",
        "limitPerCustomer" is not null, to_timestamp("saleStartsAtMillis" / 1000), paused, waitlist,
        "reservationTtlSeconds", "stockGroup", "imageUrl", now(), now()
      from wanted where ${condition}
      returning *),
    s as (
      insert into stock (product_id, stocked, available)
      select p.id, wanted.stock, wanted.stock from p join wanted on wanted.id = p.id
      returning *),
    movement as (
      insert into stock_movements (id, product_id, caller, key, fingerprint, kind, delta, created_at)
      select wanted."movementId", p.id, p.id, 'created', substring(sha256(convert_to(p.id::text, 'UTF8')) from 1 for 16),
        'received', wanted.stock, p.created_at
      from p join wanted on wanted.id = p.id)`
}

export const insertProduct = (sql: SqlClient.SqlClient, product: ProductToInsert): Read =>
  Effect.map(
    sql<ProductRow>`
      with ${insertProducts(sql, [product], sql`true`)} select ${sql.literal(columns)} from p, s`,
    productsOf,
  )

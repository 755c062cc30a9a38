/**
 * The statements of carts. Must stay true: a change is one statement that locks the cart's row first and raises its
 * version with it, so that a checkout sells what it has read or nothing, changes of two tabs never wait in a circle, and
 * no cart ever has more than `cartLinesMax` lines. Every statement finds its rows by index.
 */
import type { PgClient } from "@effect/sql-pg"
import type { CallerId, ProductId } from "../domain/ids.ts"
import { type CartContents, cartLinesMax, type CartRow } from "./cart.ts"

export interface SetLineRow {
  readonly isSet: boolean
  /** Whether there is such a product that is not archived. */
  readonly isKnown: boolean
  /** Whether there was no room for another line when the statement began. */
  readonly isFull: boolean
}

/**
 * Sets a line, or none where the product is unknown, the cart is full, or may have become full meanwhile: while the
 * statement waits for the cart's row, other tabs add lines that it cannot see. Each version since adds one at most, so
 * that what it saw and the versions that passed bound what is there; only near the bound it has to be run again.
 *
 * A line that is there keeps the price of when it was put in.
 */
export const setLine = (sql: PgClient.PgClient, caller: CallerId, productId: ProductId, quantity: number) =>
  sql<SetLineRow>`
    with product as materialized (
      select id, price from products where id = ${productId}::uuid and not archived
    ), seen as materialized (
      select coalesce((select version from carts where account_id = ${caller}::uuid), 0) as version,
        (select count(*) from cart_lines where account_id = ${caller}::uuid) as lines,
        exists (select from cart_lines where account_id = ${caller}::uuid and product_id = ${productId}::uuid) as has_line
    ), cart as (
      insert into carts as c (account_id, updated_at)
      select ${caller}::uuid, clock_timestamp() from product, seen where has_line or lines < ${cartLinesMax}::integer
      on conflict (account_id) do update set version = c.version + 1, updated_at = excluded.updated_at
      where (
        select has_line and c.version = seen.version or lines + c.version - seen.version < ${cartLinesMax}::integer
        from seen
      )
      returning account_id
    ), line as (
      insert into cart_lines (account_id, product_id, quantity, unit_price, added_at)
      select cart.account_id, product.id, ${quantity}::integer, product.price, clock_timestamp() from cart, product
      on conflict (account_id, product_id) do update set quantity = excluded.quantity
    )
    select exists (select from cart) as "isSet", exists (select from product) as "isKnown",
      not has_line and lines >= ${cartLinesMax}::integer as "isFull"
    from seen`

/** Takes a line out, if it is there. */
export const removeLine = (sql: PgClient.PgClient, caller: CallerId, productId: ProductId) =>
  sql`
    with cart as (
      update carts set version = version + 1, updated_at = clock_timestamp()
      where account_id = ${caller}::uuid and exists (
        select from cart_lines l where l.account_id = ${caller}::uuid and l.product_id = ${productId}::uuid)
      returning account_id
    )
    delete from cart_lines l using cart where l.account_id = cart.account_id and l.product_id = ${productId}::uuid`

/** Takes every line out. */
export const removeLines = (sql: PgClient.PgClient, caller: CallerId) =>
  sql`
    with cart as (
      update carts set version = version + 1, updated_at = clock_timestamp()
      where account_id = ${caller}::uuid and exists (select from cart_lines l where l.account_id = ${caller}::uuid)
      returning account_id
    )
    delete from cart_lines l using cart where l.account_id = cart.account_id`

/** Version and lines of one moment; no row where nothing was ever put in. */
export const contents = (sql: PgClient.PgClient, caller: CallerId) =>
  sql<CartContents>`
    select c.version::float8 as version, coalesce((
        select json_agg(json_build_object('productId', l.product_id, 'quantity', l.quantity) order by l.product_id)
        from cart_lines l where l.account_id = c.account_id), '[]') as lines
    from carts c where c.account_id = ${caller}::uuid`

/**
 * The lines with what the shelf says of them now. What a customer has of a limited product is counted as its shard
 * counts it: by its row of customer_units, and where there is none by its own live orders, holds and returns.
 */
export const pricedLines = (sql: PgClient.PgClient, caller: CallerId) =>
  sql<CartRow>`
    with line as materialized (
      select l.product_id, l.quantity, l.unit_price, l.added_at, p.shard, p.name, p.price, p.currency, p.merchant_id,
        p.image_url, p.archived, p.paused, p.sale_starts_at, p.limit_per_customer,
        case when p.limit_per_customer is not null then (
          select u.units from customer_units u where u.product_id = p.id and u.customer = ${caller}::text
        ) end as units
      from cart_lines l join products p on p.id = l.product_id
      where l.account_id = ${caller}::uuid
    ), uncounted as materialized (
      select product_id, shard from line where limit_per_customer is not null and units is null
    ), had as materialized (
      select product_id, sum(units)::integer as units from (
        select ol.product_id, ol.quantity as units
        from orders o join order_lines ol on ol.order_id = o.id
        where (select exists (select from uncounted)) and o.caller = ${caller}::uuid and o.customer_ref is null
          and o.status not in ('cancelled', 'expired', 'refunded')
          and ol.product_id in (select product_id from uncounted)
        union all
        select h.product_id, h.quantity from uncounted join holds h
          on h.shard = uncounted.shard and h.caller = ${caller}::uuid and h.product_id = uncounted.product_id
          and h.customer = ${caller}::text
        union all
        select r.product_id, r.quantity from uncounted join pending_returns r
          on r.product_id = uncounted.product_id and r.customer = ${caller}::text
      ) as single group by product_id
    )
    select line.product_id as "productId", line.name, line.quantity, line.price::float8 as price, line.currency,
      line.unit_price::float8 as "priceWas", line.merchant_id as "merchantId", line.image_url as "imageUrl",
      s.available, line.archived as "isArchived", (line.paused or m.status <> 'approved') as "isPaused",
      case when line.sale_starts_at > clock_timestamp()
        then floor(extract(epoch from line.sale_starts_at) * 1000)::float8 end as "saleStartsAtMillis",
      line.limit_per_customer as allowed, coalesce(line.units, had.units, 0) as had
    from line join stock s on s.product_id = line.product_id join merchants m on m.id = line.merchant_id
    left join had on had.product_id = line.product_id
    order by line.added_at, line.product_id`

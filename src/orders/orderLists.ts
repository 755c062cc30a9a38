/**
 * Which orders are on a page: those that the viewer placed, itself or through a channel of its merchants, and those of
 * others in which its merchants sell. Must stay true: a page costs a bounded number of rows at any number of orders.
 *
 * What somebody placed has an index. Who sells in an order has none, since one on order_lines would be written with each
 * line of a sale; so sales are looked for along the orders, the newest first, up to a bound, and where that ends before
 * the page is full, the page says where to go on.
 */
import type { SqlClient, Statement } from "effect/sql"
import type { CallerId, MerchantId, OrderId } from "../domain/ids.ts"
import type { Order, OrderStatus } from "../domain/order.ts"
import { beforeEveryId, type Page } from "../domain/page.ts"

export interface OrderFilter {
  readonly status: OrderStatus | null
  readonly customerRef: string | null
  readonly idempotencyKey: string | null
  readonly startingAfter: OrderId | null
  /** 1 to `pageSizeMax`. */
  readonly limit: number
}

/** Whose orders are listed. */
export interface OrderListing {
  readonly callers: ReadonlyArray<CallerId>
  /** Whose sales are, too: those of these merchants, or all. */
  readonly sellers: ReadonlyArray<MerchantId> | "everybody"
}

export interface OrderPage extends Page<Order> {
  /** Where the next page starts, null after the last. */
  readonly next: OrderId | null
}

/** A row of a page, with where its look for sales ended before the orders did; without an order where none is found. */
export type FoundOrder<Row> = { readonly stoppedAt: OrderId | null } & (Row | { readonly id: null })

/** Sorts after every id: where a list starts that has the newest first. */
const afterEveryId = "ffffffff-ffff-ffff-ffff-ffffffffffff"

/** By the time at which the statement began, so that a list by status shows every order in that status. */
export const isOverdue = "o.status = 'reserved' and o.expires_at <= now()"

/**
 * A page's orders, the newest first, and one more where there is one: `columns` of `orders o`. In one statement, so that
 * each is shown in the status that it was found by. `rowsMax` is how far sales are looked for.
 */
export const ordersOfPage = <Row>(
  sql: SqlClient.SqlClient,
  columns: Statement.Fragment,
  { callers, sellers }: OrderListing,
  { customerRef, idempotencyKey, limit, startingAfter, status }: OrderFilter,
  rowsMax: number,
) => {
  const cursor = startingAfter ?? afterEveryId
  const onePage = sql.literal(`limit ${limit + 1}`)
  const inStatus =
    status === null
      ? sql``
      : status === "expired"
        ? sql`and (o.status = 'expired' or ${sql.literal(isOverdue)})`
        : status === "reserved"
          ? sql`and o.status = 'reserved' and not (${sql.literal(isOverdue)})`
          : sql`and o.status = ${status}`
  // Both belong to whoever placed an order, and each has an index of its own.
  const isNamed = customerRef !== null || idempotencyKey !== null
  // Of the others only the index that begins with the caller has this range and this order: told that the caller is one,
  // PostgreSQL went through everybody's orders along the primary key for somebody who has hardly any.
  const own = isNamed
    ? sql`o.caller = whose.caller and o.id < ${cursor}::uuid
        ${customerRef === null ? sql`` : sql`and o.customer_ref = ${customerRef}`}
        ${idempotencyKey === null ? sql`` : sql`and o.key = ${idempotencyKey}`} ${inStatus} order by o.id desc`
    : sql`o.caller >= whose.caller and (o.caller, o.id) < (whose.caller, ${cursor}::uuid) ${inStatus}
        order by o.caller desc, o.id desc`
  const placed = sql`
    select placed.id from unnest(string_to_array(${callers.join(",")}, ',')::uuid[]) as whose (caller)
    cross join lateral (select o.id from orders o where ${own} ${onePage}) placed`
  // A look-up for each: as a join of two lists by id, it went through all orders along their primary key.
  const shown = sql`lateral (select * from orders where id = page.id offset 0) o`
  if (isNamed || sellers.length === 0) {
    return sql<FoundOrder<Row>>`
      select ${columns}, null as "stoppedAt" from (${placed} order by id desc ${onePage}) page
      cross join ${shown} order by o.id desc`
  }
  // Written as look-ups for each order, which leaves PostgreSQL no way to read all lines or all products for them.
  const isSold =
    sellers === "everybody"
      ? sql``
      : sql`cross join lateral (
          select from order_lines l where l.order_id = o.id
            and (select p.merchant_id from products p where p.id = l.product_id)
              = any (string_to_array(${sellers.join(",")}, ',')::uuid[]) limit 1) theirs`
  return sql<FoundOrder<Row>>`
    with sold as materialized (
      select o.id from (
        select id, status, expires_at from orders where id < ${cursor}::uuid
        order by id desc limit ${sql.literal(String(rowsMax))}) o
      ${isSold} where true ${inStatus} order by o.id desc ${onePage}),
    stopped as materialized (
      select id from orders where id < ${cursor}::uuid and (select count(*) from sold) <= ${sql.literal(String(limit))}
      order by id desc offset ${sql.literal(String(rowsMax - 1))} limit 1)
    select ${columns}, (select id from stopped) as "stoppedAt" from (select) once
    left join (
      select id from (select id from sold union ${placed}) found
      where id >= coalesce((select id from stopped), ${beforeEveryId}::uuid) order by id desc ${onePage}) page on true
    left join ${shown} on true order by o.id desc`
}

export const orderPageOf = (orders: ReadonlyArray<Order>, stoppedAt: OrderId | null, limit: number): OrderPage => {
  const data = orders.slice(0, limit)
  const next = orders.length > limit ? (data.at(-1)?.id ?? null) : stoppedAt
  return { data, hasMore: next !== null, next }
}

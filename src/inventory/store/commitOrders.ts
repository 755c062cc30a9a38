/**
 * The parts of a batch's statement that place orders and end them. Must stay true: an order is placed only with all of
 * its holds and with its cart as it was read; lines are written, carts emptied and units given back only for orders
 * really placed or ended.
 */
import type { BatchWrite, EndingWrite, OrderWrite } from "../../domain/batch.ts"
import { keyName, type Reserve } from "../../domain/commands.ts"
import { consumable, consumed } from "./commitHolds.ts"
import type { SqlParameters } from "./sqlParameters.ts"

/** Whether an order of this batch may be left out, so that everything about it depends on its insertion. */
export const mayLeaveOrdersOut = (write: BatchWrite): boolean =>
  write.form === "guarded" || write.orders.some(({ command }) => hasHolds(command) || hasCart(command))

const hasHolds = (command: Reserve): boolean => command.held.length > 0
export const hasCart = (command: Reserve): boolean => command.cartVersion !== null

const byKey = (left: OrderWrite, right: OrderWrite): number => (keyName(left.command) < keyName(right.command) ? -1 : 1)

/**
 * Orders, their lines, and the holds and carts they sell. Sorted here, not in SQL: one lease row times an unnested array
 * keeps the array's order, and so keys are inserted by caller and key.
 */
export const orders = (parameters: SqlParameters, write: BatchWrite, isConditional: boolean): ReadonlyArray<string> => {
  const wanted = write.orders.toSorted(byKey)
  const commands = wanted.map((order) => order.command)
  const consumes = commands.some(hasHolds)
  const checkouts = commands.filter(hasCart)
  return [
    ...(consumes ? [consumable(parameters, commands)] : []),
    ...(checkouts.length > 0 ? [cart(parameters, checkouts)] : []),
    placed(parameters, wanted, write.form, consumes),
    ...(consumes ? consumed : []),
    ...(checkouts.length > 0 ? checkedOut : []),
    sold(parameters, wanted, isConditional),
  ]
}

/** The carts that are at the version that was read, and that nobody is changing. */
const cart = (parameters: SqlParameters, checkouts: ReadonlyArray<Reserve>): string => `cart as materialized (
  select c.account_id, w.order_id
  from lease
  cross join unnest(${parameters.uuids(checkouts.map((command) => command.orderId))}, ${parameters.uuids(checkouts.map((command) => command.caller))},
    ${parameters.doubles(checkouts.map((command) => command.cartVersion))}) as w (order_id, account_id, version)
  join carts c on c.account_id = w.account_id
  where c.version = w.version::bigint
  for update of c skip locked
)`

const placed = (
  parameters: SqlParameters,
  wanted: ReadonlyArray<OrderWrite>,
  form: BatchWrite["form"],
  consumes: boolean,
): string => {
  const commands = wanted.map((order) => order.command)
  const heldRows = commands.map((command) => command.held.reduce((sum, part) => sum + part.lines.length, 0))
  const conditions = [
    ...(consumes
      ? [
          {
            column: "held_rows",
            values: () => parameters.integers(heldRows),
            holds: "w.held_rows = (select count(*) from consumable c where c.order_id = w.id)",
          },
        ]
      : []),
    ...(commands.some(hasCart)
      ? [
          {
            column: "has_cart",
            values: () => parameters.booleans(commands.map(hasCart)),
            holds: "(not w.has_cart or exists (select from cart where cart.order_id = w.id))",
          },
        ]
      : []),
  ]
  return `placed as (
  insert into orders (id, caller, key, fingerprint, customer_ref, home_shard, total, currency, created_at, expires_at)
  select w.id, w.caller, w.key, w.fingerprint, w.customer_ref, lease.shard, w.total::bigint, w.currency, lease.at, lease.at + w.ttl * interval '1 millisecond'
  from lease
  cross join unnest(${parameters.uuids(commands.map((command) => command.orderId))}, ${parameters.uuids(commands.map((command) => command.caller))},
    ${parameters.texts(commands.map((command) => command.key))}, ${parameters.fingerprints(commands.map((command) => command.fingerprint))},
    ${parameters.texts(commands.map((command) => command.customerRef))}, ${parameters.doubles(wanted.map((order) => order.total))},
    ${parameters.texts(wanted.map((order) => order.currency))}, ${parameters.doubles(wanted.map((order) => order.ttlMillis))}${conditions.map((condition) => `, ${condition.values()}`).join("")})
    as w (id, caller, key, fingerprint, customer_ref, total, currency, ttl${conditions.map((condition) => `, ${condition.column}`).join("")})
  ${conditions.length > 0 ? `where ${conditions.map((condition) => condition.holds).join(" and ")}` : ""}
  ${form === "guarded" ? "on conflict (caller, key) do nothing" : ""}
  returning id
)`
}

const checkedOut: ReadonlyArray<string> = [
  `emptied as (
  delete from cart_lines l using cart, placed where placed.id = cart.order_id and l.account_id = cart.account_id
)`,
  `checked_out as (
  update carts c set version = c.version + 1, updated_at = lease.at
  from lease, cart, placed where placed.id = cart.order_id and c.account_id = cart.account_id
)`,
]

const sold = (parameters: SqlParameters, wanted: ReadonlyArray<OrderWrite>, isConditional: boolean): string => {
  const lines = wanted.flatMap((order) => order.lines.map((line) => ({ orderId: order.command.orderId, line })))
  return `sold as (
  insert into order_lines (order_id, product_id, quantity, unit_price)
  select w.order_id, w.product_id, w.quantity, w.unit_price
  from lease
  cross join unnest(${parameters.uuids(lines.map((row) => row.orderId))}, ${parameters.uuids(lines.map((row) => row.line.productId))},
    ${parameters.integers(lines.map((row) => row.line.quantity))}, ${parameters.integers(lines.map((row) => row.line.unitPrice))}) as w (order_id, product_id, quantity, unit_price)
  ${isConditional ? "join placed on placed.id = w.order_id" : ""}
  returning product_id, quantity
)`
}

/**
 * Orders that end, and what they held: units of this shard at once, units of others by a return that the other shard
 * applies. A reservation is cancelled while its time runs and expires when it is over, by PostgreSQL's clock under the
 * lease; a paid order of which nothing was shipped is refunded; each only with all of its lines.
 */
export const endings = (parameters: SqlParameters, wanted: ReadonlyArray<EndingWrite>): ReadonlyArray<string> => {
  const rows = wanted.flatMap(({ lines, orderId, status }) => lines.map((line) => ({ orderId, status, line })))
  return [
    `ending as materialized (
  select l.order_id, l.product_id, l.quantity, w.status, w.shard, w.return_id, w.shard = lease.shard as is_home,
    (select coalesce('ref:' || o.customer_ref, o.caller::text) from orders o where o.id = l.order_id) as customer
  from lease
  cross join unnest(${parameters.uuids(rows.map((row) => row.orderId))}, ${parameters.uuids(rows.map((row) => row.line.productId))},
    ${parameters.texts(rows.map((row) => row.status))}, ${parameters.integers(rows.map((row) => row.line.shard))}, ${parameters.uuids(rows.map((row) => row.line.returnId))})
    as w (order_id, product_id, status, shard, return_id)
  join order_lines l on l.order_id = w.order_id and l.product_id = w.product_id
)`,
    `ended as (
  update orders o set status = case when o.status = 'paid' then 'refunded' else w.status end
  from lease
  cross join (select order_id, status, count(*) as lines from ending group by order_id, status) as w
  where o.id = w.order_id and o.home_shard = lease.shard
    and case when o.status = 'reserved' then w.status = case when o.expires_at <= lease.at then 'expired' else 'cancelled' end
      else o.status = 'paid' and w.status in ('cancelled', 'refunded') end
    and w.lines = (select count(*) from order_lines l where l.order_id = o.id)
  returning o.id, o.status
)`,
    // Within "case" it is looked up in a hash. Joined, five hundred rows met five hundred each: plans are generic, and made
    // for a few.
    `given_back as materialized (
  select e.* from ending e where case when e.order_id in (select id from ended) then true else false end
)`,
    `sent_back as (
  insert into pending_returns (id, shard, product_id, order_id, customer, quantity, created_at)
  select g.return_id, g.shard, g.product_id, g.order_id, g.customer, g.quantity, lease.at
  from given_back g cross join lease where not g.is_home
)`,
  ]
}

export const returns = (parameters: SqlParameters, { returns: wanted }: BatchWrite): string => `returned as (
  delete from pending_returns r using lease
  where r.shard = lease.shard and r.id = any (${parameters.uuids(wanted.map((command) => command.returnId))})
  returning r.product_id, r.customer, r.quantity
)`

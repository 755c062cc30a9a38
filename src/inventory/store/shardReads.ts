/**
 * What a shard reads: products, units, the keys and holds a batch must know with the lease of that moment, the batch
 * log, and what the sweeper looks for. Every statement finds its rows by index, however large the tables have grown.
 */
import { PgTypes } from "@effect/sql-pg"
import type { Customer, Release, Return } from "../../domain/commands.ts"
import type { OrderId, ProductId, Shard } from "../../domain/ids.ts"
import type { OrderStatus } from "../../domain/order.ts"
import type { KnownHold, ProductState } from "../../domain/batch.ts"
import type {
  CustomerUnits,
  EndableOrder,
  FactsRequest,
  KeyName,
  KnownMovement,
  KnownOrder,
  Lease,
} from "./ShardStore.ts"
import { type SqlParameters, type Statement, statement } from "./sqlParameters.ts"

export interface InspectionRow extends Lease {
  readonly usedByEpoch: number | null
  readonly voided: boolean | null
  readonly committedAtMillis: number | null
}

export const inspection = (shard: Shard, batch: number): Statement =>
  statement(
    (
      parameters,
    ) => `select l.epoch::float8 as epoch, l.batch::float8 as batch, b.epoch::float8 as "usedByEpoch", b.voided,
  (extract(epoch from b.committed_at) * 1000)::float8 as "committedAtMillis"
from shard_leases l left join batches b on b.shard = l.shard and b.batch = ${parameters.add(PgTypes.int8(BigInt(batch)))}
where l.shard = ${parameters.add(PgTypes.int2(shard))}`,
  )

/** A merchant who is not approved sells nothing, so its products count as paused. */
export const products = (shard: Shard, productIds: ReadonlyArray<ProductId>): Statement =>
  statement(
    (
      parameters,
    ) => `select p.id as "productId", p.merchant_id as "merchantId", p.name, p.price::float8 as price, p.currency,
  p.limit_per_customer as "limitPerCustomer", p.counts_units as "countsUnits", (extract(epoch from p.sale_starts_at) * 1000)::float8 as "saleStartsAtMillis",
  (p.paused or m.status <> 'approved') as paused, p.archived, p.version, s.stocked, s.available,
  exists (select from holds h where h.product_id = p.id) as "mayHaveHolds"
from products p join stock s on s.product_id = p.id join merchants m on m.id = p.merchant_id
where p.id = any (${parameters.uuids(productIds)}) and p.shard = ${parameters.add(PgTypes.int2(shard))}`,
  )
export type ProductRow = ProductState

export interface FactsRow {
  readonly epoch: number
  readonly batch: number
  readonly orders: ReadonlyArray<KnownOrder> | null
  readonly movements: ReadonlyArray<KnownMovement> | null
  readonly holds: ReadonlyArray<KnownHold> | null
  readonly heldUnits: ReadonlyArray<{ readonly productId: ProductId; readonly units: number }> | null
  readonly statuses: ReadonlyArray<{ readonly orderId: OrderId; readonly status: OrderStatus }> | null
}

/** A reservation whose time is over counts as expired, whether or not the sweeper has been there. */
const statusNow =
  "case when o.status = 'reserved' and o.expires_at <= clock_timestamp() then 'expired' else o.status end"

/** Everything asked for and the lease, in one statement and so of one moment; what was not asked for is null. */
export const facts = (shard: Shard, request: FactsRequest): Statement =>
  statement((parameters) => {
    const of = parameters.add(PgTypes.int2(shard))
    const parts = [
      request.orderKeys.length === 0 ? "null" : orderKeys(parameters, request.orderKeys),
      request.movementKeys.length === 0 ? "null" : movementKeys(parameters, request.movementKeys),
      request.holds.length === 0 ? "null" : holds(parameters, of, request.holds),
      request.heldProducts.length === 0 ? "null" : heldUnits(parameters, request.heldProducts),
      request.statuses.length === 0 ? "null" : statuses(parameters, request.statuses),
    ]
    return `select l.epoch::float8 as epoch, l.batch::float8 as batch, ${parts[0]} as orders, ${parts[1]} as movements,
  ${parts[2]} as holds, ${parts[3]} as "heldUnits", ${parts[4]} as statuses
from shard_leases l where l.shard = ${of}`
  })

const wantedKeys = (parameters: SqlParameters, names: ReadonlyArray<KeyName>): string =>
  `(select distinct caller, key from unnest(${parameters.uuids(names.map((name) => name.caller))}, ${parameters.texts(
    names.map((name) => name.key),
  )}) as w (caller, key)) as w`

const orderKeys = (parameters: SqlParameters, names: ReadonlyArray<KeyName>): string =>
  `(select json_agg(json_build_object('caller', o.caller, 'key', o.key, 'fingerprint', encode(o.fingerprint, 'hex'),
    'orderId', o.id, 'createdAtMillis', (extract(epoch from o.created_at) * 1000)::float8,
    'expiresAtMillis', (extract(epoch from o.expires_at) * 1000)::float8))
  from ${wantedKeys(parameters, names)} join orders o on o.caller = w.caller and o.key = w.key)`

const movementKeys = (parameters: SqlParameters, names: ReadonlyArray<KeyName>): string =>
  `(select json_agg(json_build_object('caller', m.caller, 'key', m.key, 'fingerprint', encode(m.fingerprint, 'hex'),
    'movementId', m.id, 'createdAtMillis', (extract(epoch from m.created_at) * 1000)::float8))
  from ${wantedKeys(parameters, names)} join stock_movements m on m.caller = w.caller and m.key = w.key)`

const holds = (parameters: SqlParameters, shard: string, names: FactsRequest["holds"]): string =>
  `(select json_agg(json_build_object('caller', h.caller, 'key', h.key, 'fingerprint', encode(h.fingerprint, 'hex'),
    'productId', h.product_id, 'quantity', h.quantity, 'unitPrice', h.unit_price, 'attempt', h.attempt))
  from (select distinct caller, key, fingerprint from unnest(${parameters.uuids(names.map((name) => name.caller))},
    ${parameters.texts(names.map((name) => name.key))}, ${parameters.fingerprints(names.map((name) => name.fingerprint))}) as w (caller, key, fingerprint)) as w
  join holds h on h.shard = ${shard} and h.caller = w.caller and h.key = w.key and h.fingerprint = w.fingerprint)`

const heldUnits = (parameters: SqlParameters, productIds: ReadonlyArray<ProductId>): string =>
  `(select json_agg(json_build_object('productId', g.product_id, 'units', g.units)) from (
    select product_id, sum(quantity) as units from holds where product_id = any (${parameters.uuids(productIds)}) group by product_id) as g)`

const statuses = (parameters: SqlParameters, orderIds: ReadonlyArray<OrderId>): string =>
  `(select json_agg(json_build_object('orderId', o.id, 'status', ${statusNow}))
  from orders o where o.id = any (${parameters.uuids(orderIds)}))`

/**
 * Live orders of a customer: an account's own, or those a channel of the product's merchant placed for its reference.
 * Each order's line is looked up by itself: joined, the planner read all lines of the shop where few accounts had most
 * of the orders.
 */
const ordersOfCustomer = (condition: string): string =>
  `(select sum(l.quantity) from orders o
    cross join lateral (select quantity from order_lines where order_id = o.id and product_id = w.product_id offset 0) as l
    where ${condition} and o.status not in ('cancelled', 'expired', 'refunded'))`

/**
 * A customer's units of a product: its row, or where it has none its live orders, holds and returns under way. All of
 * these change only by the product's own shard, so what is read is exact until that shard's next commit.
 */
export const customerUnits = (
  pairs: ReadonlyArray<{ readonly productId: ProductId; readonly customer: Customer }>,
): Statement =>
  statement(
    (parameters) => `select w.product_id as "productId", w.customer, coalesce(
  (select u.units from customer_units u where u.product_id = w.product_id and u.customer = w.customer),
  coalesce(case when w.customer like 'ref:%'
    then ${ordersOfCustomer("o.caller = p.merchant_id and o.customer_ref = substr(w.customer, 5)")}
    else ${ordersOfCustomer("o.caller = w.customer::uuid and o.customer_ref is null")} end, 0)
  + coalesce((select sum(h.quantity) from holds h where h.product_id = w.product_id and h.customer = w.customer), 0)
  + coalesce((select sum(r.quantity) from pending_returns r where r.product_id = w.product_id and r.customer = w.customer), 0)
)::integer as units
from unnest(${parameters.uuids(pairs.map((pair) => pair.productId))}, ${parameters.texts(pairs.map((pair) => pair.customer))}) as w (product_id, customer)
join products p on p.id = w.product_id`,
  )
export type CustomerUnitsRow = CustomerUnits

export interface DueShardRow {
  readonly shard: Shard
}

/**
 * Looks compare with the time of the statement, which an index can be searched by; what the clock says is checked when
 * the rows are written. With `clock_timestamp()` each look went through every reservation that was still running.
 */
const isOver = (alias: string): string => `${alias}.expires_at <= statement_timestamp()`

export const dueShards = (shards: ReadonlyArray<Shard>): Statement =>
  statement(
    (parameters) => `select w.shard from unnest(${parameters.array(shards, PgTypes.OID.int2)}) as w (shard)
where (select true from holds h where h.shard = w.shard and ${isOver("h")} limit 1)
  or (select true from pending_returns r where r.shard = w.shard limit 1)
  or (select true from orders o where o.home_shard = w.shard and o.status = 'reserved' and ${isOver("o")} limit 1)`,
  )

export interface ExpiredHoldRow {
  readonly caller: Release["caller"]
  readonly key: string
  readonly fingerprint: string
  readonly attempt: Release["attempt"]
  readonly productIds: ReadonlyArray<ProductId>
}

export const expiredHolds = (shard: Shard, sizeMax: number): Statement =>
  statement(
    (
      parameters,
    ) => `select caller, key, encode(fingerprint, 'hex') as fingerprint, attempt, array_agg(product_id) as "productIds"
from (
  select * from holds h where shard = ${parameters.add(PgTypes.int2(shard))} and ${isOver("h")}
  order by expires_at limit ${parameters.add(PgTypes.int4(sizeMax))}
) as expired
group by caller, key, fingerprint, attempt`,
  )

export const pendingReturns = (shard: Shard, sizeMax: number): Statement =>
  statement(
    (parameters) => `select id as "returnId", product_id as "productId" from pending_returns
where shard = ${parameters.add(PgTypes.int2(shard))} order by id limit ${parameters.add(PgTypes.int4(sizeMax))}`,
  )
export type PendingReturnRow = Omit<Return, "_tag">

const endable = `o.id as "orderId", o.caller, o.home_shard as "homeShard", ${statusNow} as status,
  coalesce((select json_agg(json_build_object('productId', l.product_id, 'shard', p.shard))
    from order_lines l join products p on p.id = l.product_id where l.order_id = o.id), '[]') as lines`
export type EndableOrderRow = EndableOrder

export const expiredOrders = (shard: Shard, sizeMax: number): Statement =>
  statement(
    (parameters) => `select ${endable} from orders o
where o.home_shard = ${parameters.add(PgTypes.int2(shard))} and o.status = 'reserved' and ${isOver("o")}
order by o.expires_at limit ${parameters.add(PgTypes.int4(sizeMax))}`,
  )

export const endableOrder = (orderId: OrderId): Statement =>
  statement((parameters) => `select ${endable} from orders o where o.id = any (${parameters.uuids([orderId])})`)

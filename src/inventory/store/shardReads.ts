/**
 * What a shard reads: products, units, the keys and holds a batch must know with the lease of that moment, the batch
 * log, and what the sweeper looks for. Every statement finds its rows by index, however large the tables have grown.
 */
import { PgTypes } from "@effect/sql-pg"
import type { Customer, Release, Return } from "../../domain/commands.ts"
import type { OrderId, PaymentId, ProductId, Shard } from "../../domain/ids.ts"
import type { OrderStatus } from "../../domain/order.ts"
import type { KnownHold, ProductState, Waiter } from "../../domain/batch.ts"
import type {
  CustomerUnits,
  EndableOrder,
  FactsRequest,
  KeyName,
  KnownMovement,
  KnownOrder,
  KnownPayment,
  KnownShipment,
  Lease,
  PaymentState,
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

/**
 * A merchant who is not approved sells nothing, so its products count as paused. What there is of holds and waiters is
 * asked for each product, of a waiting list the first place: as EXISTS, or without an order, PostgreSQL read through all
 * waiting lists where a few products had most of them.
 */
export const products = (shard: Shard, productIds: ReadonlyArray<ProductId>): Statement =>
  statement(
    (
      parameters,
    ) => `select p.id as "productId", p.merchant_id as "merchantId", p.name, p.price::float8 as price, p.currency,
  p.limit_per_customer as "limitPerCustomer", p.counts_units as "countsUnits", (extract(epoch from p.sale_starts_at) * 1000)::float8 as "saleStartsAtMillis",
  (p.paused or m.status <> 'approved') as paused, p.archived, p.waitlist,
  p.reservation_ttl_seconds as "reservationTtlSeconds", p.version, s.stocked, s.available,
  (select true from holds h where h.product_id = p.id limit 1) is not null as "mayHaveHolds",
  (select true from waiting_list q where q.product_id = p.id order by q.batch, q.number limit 1) is not null as "mayHaveWaiters"
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
  readonly paymentKeys: ReadonlyArray<KnownPayment> | null
  readonly payments: ReadonlyArray<PaymentState> | null
  readonly shipments: ReadonlyArray<KnownShipment> | null
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
      request.paymentKeys.length === 0 ? "null" : paymentKeys(parameters, request.paymentKeys),
      request.payments.length === 0 ? "null" : payments(parameters, request.payments),
      request.shipmentsOf.length === 0 ? "null" : shipments(parameters, request.shipmentsOf),
    ]
    return `select l.epoch::float8 as epoch, l.batch::float8 as batch, ${parts[0]} as orders, ${parts[1]} as movements,
  ${parts[2]} as holds, ${parts[3]} as "heldUnits", ${parts[4]} as statuses, ${parts[5]} as "paymentKeys",
  ${parts[6]} as payments, ${parts[7]} as shipments
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

const paymentKeys = (parameters: SqlParameters, names: ReadonlyArray<KeyName>): string =>
  `(select json_agg(json_build_object('caller', p.caller, 'key', p.key, 'fingerprint', encode(p.fingerprint, 'hex'), 'paymentId', p.id))
  from ${wantedKeys(parameters, names)} join payments p on p.caller = w.caller and p.key = w.key)`

const payments = (parameters: SqlParameters, paymentIds: ReadonlyArray<PaymentId>): string =>
  `(select json_agg(json_build_object('paymentId', p.id, 'status', p.status))
  from payments p where p.id = any (${parameters.uuids(paymentIds)}))`

const shipments = (parameters: SqlParameters, orderIds: ReadonlyArray<OrderId>): string =>
  `(select json_agg(json_build_object('shipmentId', s.id, 'orderId', s.order_id, 'merchantId', s.merchant_id, 'carrier', s.carrier,
    'trackingNumber', s.tracking_number, 'createdAtMillis', (extract(epoch from s.created_at) * 1000)::float8))
  from shipments s where s.order_id = any (${parameters.uuids(orderIds)}))`

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

/** Whoever wants the least is asked first: where nobody fits, a list of any length is not gone through. */
export const waiters = (shard: Shard, productIds: ReadonlyArray<ProductId>, sizeMax: number): Statement =>
  statement((parameters) => {
    const of = parameters.add(PgTypes.int2(shard))
    return `select q.id as "offerId", q.product_id as "productId", q.account_id as "accountId", q.quantity
from unnest(${parameters.uuids(productIds)}) as w (product_id)
join stock s on s.product_id = w.product_id
  and s.available >= (select q.quantity from waiting_list q where q.shard = ${of} and q.product_id = w.product_id order by q.quantity limit 1)
cross join lateral (
  select * from waiting_list q where q.product_id = w.product_id and q.quantity <= s.available and q.shard = ${of}
  order by q.batch, q.number limit ${parameters.add(PgTypes.int4(sizeMax))}
) as q
order by q.product_id, q.batch, q.number`
  })
export type WaiterRow = Waiter & { readonly productId: ProductId }

/**
 * Products of a shard that somebody waits for, one after the other along the index whose first two columns are shard and
 * product, however many wait for each; then whether there is as much as the least that anybody wants.
 */
const offerable = (shard: string): string => `with recursive waited as (
  (select q.product_id from waiting_list q where q.shard = ${shard} order by q.product_id limit 1)
  union all
  select (select q.product_id from waiting_list q where q.shard = ${shard} and q.product_id > p.product_id order by q.product_id limit 1)
  from waited p where p.product_id is not null
)
select n.product_id from waited n
where (select s.available from stock s where s.product_id = n.product_id) >=
    (select q.quantity from waiting_list q where q.shard = ${shard} and q.product_id = n.product_id order by q.quantity limit 1)
  and (select p.waitlist and not p.paused and not p.archived and (p.sale_starts_at is null or p.sale_starts_at <= statement_timestamp())
      and (select m.status = 'approved' from merchants m where m.id = p.merchant_id)
    from products p where p.id = n.product_id)`

export const productsToOffer = (shard: Shard, sizeMax: number): Statement =>
  statement((parameters) => {
    const of = parameters.add(PgTypes.int2(shard))
    return `select o.product_id as "productId" from (${offerable(of)}) as o limit ${parameters.add(PgTypes.int4(sizeMax))}`
  })
export interface ProductToOfferRow {
  readonly productId: ProductId
}

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
  or (select true from orders o where o.home_shard = w.shard and o.status = 'reserved' and ${isOver("o")} limit 1)
  or (select true from (${offerable("w.shard")}) as offerable limit 1)`,
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

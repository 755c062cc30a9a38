/**
 * The parts of a batch's statement that pay orders and ship them. Must stay true: each change starts from the status
 * that it takes, by PostgreSQL's clock under the lease; an order is paid by one payment at most; whoever paid for an
 * order that is gone gets the money back.
 *
 * Tried and lost: EXISTS for what an order has already. PostgreSQL may answer it for all orders at once, and then reads
 * every payment there is; a scalar subquery is asked for each order of the batch.
 */
import type { BatchWrite } from "../../domain/batch.ts"
import { type Extend, keyName } from "../../domain/commands.ts"
import type { SqlParameters } from "./sqlParameters.ts"

const byKey = (left: Extend, right: Extend): number => (keyName(left) < keyName(right) ? -1 : 1)

/** The name of payments that a channel took elsewhere. */
export const externalMethod = "external"

/**
 * Payments that begin. A key that is there leaves its payment out, in either form of the batch: payments are few, and
 * a key of another home cannot be known before.
 */
export const payments = (parameters: SqlParameters, { payments: wanted }: BatchWrite): ReadonlyArray<string> => {
  const rows = wanted.toSorted(byKey)
  const methods = rows.map(({ payment }) => (payment._tag === "External" ? externalMethod : payment.method))
  const references = rows.map(({ payment }) => (payment._tag === "External" ? payment.reference : null))
  return [
    `payable as materialized (
  select w.id, w.order_id, w.caller, w.key, w.fingerprint, w.method, w.reference, w.extension * interval '1 millisecond' as extension,
    o.total, o.currency, (select true from payments p where p.order_id = o.id limit 1) is not null as is_again
  from lease
  cross join unnest(${parameters.uuids(rows.map((row) => row.paymentId))}, ${parameters.uuids(rows.map((row) => row.orderId))},
    ${parameters.uuids(rows.map((row) => row.caller))}, ${parameters.texts(rows.map((row) => row.key))},
    ${parameters.fingerprints(rows.map((row) => row.fingerprint))}, ${parameters.texts(methods)}, ${parameters.texts(references)},
    ${parameters.doubles(rows.map((row) => row.extensionMillis))})
    as w (id, order_id, caller, key, fingerprint, method, reference, extension)
  join orders o on o.id = w.order_id
  where o.home_shard = lease.shard and o.status = 'reserved' and o.expires_at > lease.at
    and (select true from payments p where p.order_id = o.id and p.status in ('processing', 'succeeded')) is null
)`,
    `begun as (
  insert into payments (id, order_id, caller, key, fingerprint, method, reference, amount, currency, status, created_at, settled_at)
  select w.id, w.order_id, w.caller, w.key, w.fingerprint, w.method, w.reference, w.total, w.currency,
    case when w.reference is null then 'processing' else 'succeeded' end, lease.at, case when w.reference is null then null else lease.at end
  from lease cross join payable w
  on conflict do nothing
  returning id, order_id, status
)`,
    `begun_for as (
  update orders o set
    expires_at = case when w.is_again or b.status <> 'processing' then o.expires_at else greatest(o.expires_at, lease.at + w.extension) end,
    status = case when b.status = 'succeeded' then 'paid' else o.status end,
    paid_at = case when b.status = 'succeeded' then lease.at else o.paid_at end
  from lease cross join begun b join payable w on w.id = b.id where o.id = b.order_id
  returning o.id, o.status
)`,
  ]
}

/** What became of charges. One that succeeded pays its order while that is a reservation in its time. */
export const settlements = (parameters: SqlParameters, { settlements: wanted }: BatchWrite): ReadonlyArray<string> => {
  const results = wanted.map(({ result }) => result)
  return [
    `settling as materialized (
  select w.id, w.decline_code,
    case when w.result <> 'succeeded' then w.result when o.status = 'reserved' and o.expires_at > lease.at then 'succeeded' else 'refunding' end as status
  from lease
  cross join unnest(${parameters.uuids(wanted.map((row) => row.paymentId))}, ${parameters.uuids(wanted.map((row) => row.orderId))},
    ${parameters.texts(results.map((result) => result._tag.toLowerCase()))}, ${parameters.texts(results.map((result) => (result._tag === "Declined" ? result.declineCode : null)))})
    as w (id, order_id, result, decline_code)
  join payments p on p.id = w.id and p.order_id = w.order_id
  join orders o on o.id = p.order_id
  where o.home_shard = lease.shard and p.status = case w.result when 'refunded' then 'refunding' else 'processing' end
)`,
    `settled as (
  update payments p set status = s.status, decline_code = s.decline_code, settled_at = coalesce(p.settled_at, lease.at)
  from lease cross join settling s where p.id = s.id
  returning p.id, p.order_id, p.status
)`,
    `paid as (
  update orders o set status = 'paid', paid_at = lease.at
  from lease cross join settled s where s.status = 'succeeded' and o.id = s.order_id
  returning o.id
)`,
  ]
}

/** What was paid for orders that end, on its way back; what was paid elsewhere is given back there. */
export const reimbursed = `reimbursed as (
  update payments p set status = case when p.method = '${externalMethod}' then 'refunded' else 'refunding' end
  from ended where p.order_id = ended.id and ended.status = 'refunded' and p.status = 'succeeded'
  returning p.id, p.order_id, p.status
)`

/** One shipment for each merchant of a paid order; with the last of them the order is shipped. */
export const shipments = (parameters: SqlParameters, { shipments: wanted }: BatchWrite): ReadonlyArray<string> => [
  `shippable as materialized (
  select w.id, w.order_id, w.merchant_id, w.carrier, w.tracking_number,
    (select count(distinct p.merchant_id) from order_lines l join products p on p.id = l.product_id where l.order_id = o.id) as merchants,
    (select count(*) from shipments s where s.order_id = o.id) as sent_before
  from lease
  cross join unnest(${parameters.uuids(wanted.map((row) => row.shipmentId))}, ${parameters.uuids(wanted.map((row) => row.orderId))},
    ${parameters.uuids(wanted.map((row) => row.merchantId))}, ${parameters.texts(wanted.map((row) => row.carrier))},
    ${parameters.texts(wanted.map((row) => row.trackingNumber))}) as w (id, order_id, merchant_id, carrier, tracking_number)
  join orders o on o.id = w.order_id
  where o.home_shard = lease.shard and o.status in ('paid', 'partiallyShipped')
    and (select true from order_lines l join products p on p.id = l.product_id where l.order_id = o.id and p.merchant_id = w.merchant_id limit 1)
    and (select true from shipments s where s.order_id = o.id and s.merchant_id = w.merchant_id) is null
)`,
  `sent as (
  insert into shipments (id, order_id, merchant_id, carrier, tracking_number, created_at)
  select w.id, w.order_id, w.merchant_id, w.carrier, w.tracking_number, lease.at from lease cross join shippable w
  returning id, order_id
)`,
  `sent_for as (
  update orders o set status = case when w.sent_before + 1 = w.merchants then 'shipped' else 'partiallyShipped' end
  from sent s join shippable w on w.id = s.id
  where o.id = s.order_id and (w.sent_before = 0 or w.sent_before + 1 = w.merchants)
  returning o.id, o.status
)`,
]

/** Shipments that arrive; with the last of all of them the order is delivered. */
export const deliveries = (parameters: SqlParameters, { deliveries: wanted }: BatchWrite): ReadonlyArray<string> => [
  `arriving as materialized (
  select s.id, (select count(*) from shipments u where u.order_id = s.order_id and u.delivered_at is null) as under_way
  from lease
  cross join unnest(${parameters.uuids(wanted.map((row) => row.shipmentId))}, ${parameters.uuids(wanted.map((row) => row.orderId))}) as w (id, order_id)
  join shipments s on s.id = w.id and s.order_id = w.order_id
  join orders o on o.id = s.order_id
  where o.home_shard = lease.shard and s.delivered_at is null
)`,
  `arrived as (
  update shipments s set delivered_at = lease.at from lease cross join arriving a where s.id = a.id
  returning s.id, s.order_id
)`,
  `delivered as (
  update orders o set status = 'delivered'
  from arrived s join arriving a on a.id = s.id where o.id = s.order_id and o.status = 'shipped' and a.under_way = 1
  returning o.id
)`,
]

/**
 * Orders as they are in the rows, with their lines in one round trip. Names are the products' names of today, prices
 * the ones they were sold at. Must stay true: a reservation whose time is over by PostgreSQL's clock is expired to every
 * reader, whether or not anybody has come to give its units back.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Struct } from "effect"
import { pooledSilenceMaxMillis, salesRowsMax } from "../domain/bounds.ts"
import type { CallerId, OrderId, Shard, ShipmentId } from "../domain/ids.ts"
import type { Order, OrderLine, Payment, Shipment } from "../domain/order.ts"
import { Busy } from "../inventory/shard/mailboxEntry.ts"
import { interruptibleAtOnce } from "../platform/interruptibleAtOnce.ts"
import {
  isOverdue,
  type OrderFilter,
  type OrderListing,
  type OrderPage,
  orderPageOf,
  ordersOfPage,
} from "./orderLists.ts"

export interface KnownShipment {
  readonly orderId: OrderId
  readonly homeShard: Shard
  readonly shipment: Shipment
}

interface OrderRow {
  readonly id: OrderId
  readonly caller: CallerId
  readonly customerRef: string | null
  readonly homeShard: number
  readonly status: Order["status"]
  readonly total: number
  readonly currency: string
  readonly createdAtMillis: number
  readonly expiresAtMillis: number
  readonly paidAtMillis: number | null
  readonly lines: ReadonlyArray<
    Pick<OrderLine, "productId" | "name" | "quantity" | "merchantId"> & { unitPrice: number }
  >
  readonly payments: ReadonlyArray<Omit<Payment, "amount"> & { readonly amount: number }> | null
  readonly shipments: ReadonlyArray<Shipment> | null
}

export class OrderReads extends Context.Service<
  OrderReads,
  {
    /** The order of this id, or null. Waits no longer than `pooledSilenceMaxMillis`. */
    readonly byId: (orderId: OrderId) => Effect.Effect<Order | null, Busy>
    /** The order of a key, with what the key was used for. Waits as `byId` does. */
    readonly byKey: (
      caller: CallerId,
      key: string,
    ) => Effect.Effect<{ readonly order: Order; readonly fingerprint: string } | null, Busy>
    /** A shipment and where its order is decided about. Waits as `byId` does. */
    readonly shipment: (shipmentId: ShipmentId) => Effect.Effect<KnownShipment | null, Busy>
    /** The orders that were placed by, or sold in for, whom the listing names, newest first. */
    readonly list: (listing: OrderListing, filter: OrderFilter) => Effect.Effect<OrderPage, Busy>
  }
>()("hedonify/orders/OrderReads") {
  static readonly layer = Layer.effect(
    OrderReads,
    Effect.map(PgClient.PgClient, (sql) => readOrders(sql)),
  )
}

const readOrders = (sql: PgClient.PgClient): OrderReads["Service"] => {
  const columns = sql.literal(`o.id, o.caller, o.customer_ref as "customerRef", o.home_shard as "homeShard",
    case when ${isOverdue} then 'expired' else o.status end as status,
    o.total::float8 as total, o.currency, (extract(epoch from o.created_at) * 1000)::float8 as "createdAtMillis",
    (extract(epoch from o.expires_at) * 1000)::float8 as "expiresAtMillis",
    (extract(epoch from o.paid_at) * 1000)::float8 as "paidAtMillis",
    (select json_agg(json_build_object('productId', l.product_id, 'name', p.name, 'quantity', l.quantity,
        'unitPrice', l.unit_price, 'merchantId', p.merchant_id) order by l.product_id)
      from order_lines l join products p on p.id = l.product_id where l.order_id = o.id) as lines,
    (select json_agg(json_build_object('id', p.id, 'method', p.method, 'reference', p.reference, 'amount', p.amount,
        'status', p.status, 'declineCode', p.decline_code,
        'createdAtMillis', (extract(epoch from p.created_at) * 1000)::float8) order by p.id)
      from payments p where p.order_id = o.id) as payments,
    (select json_agg(json_build_object('id', s.id, 'merchantId', s.merchant_id, 'carrier', s.carrier,
        'trackingNumber', s.tracking_number, 'createdAtMillis', (extract(epoch from s.created_at) * 1000)::float8,
        'deliveredAtMillis', (extract(epoch from s.delivered_at) * 1000)::float8) order by s.id)
      from shipments s where s.order_id = o.id) as shipments`)

  /** Whoever places or cancels waits for this without a time limit of its own. */
  const byId = Effect.fnUntraced(
    function* (orderId: OrderId) {
      const [row] = yield* sql<OrderRow>`select ${columns} from orders o where o.id = ${orderId}::uuid`
      return row === undefined ? null : orderFrom(row)
    },
    interruptibleAtOnce,
    Effect.timeout(pooledSilenceMaxMillis),
    Effect.mapError(() => new Busy()),
  )

  const byKey = Effect.fnUntraced(
    function* (caller: CallerId, key: string) {
      const [row] = yield* sql<OrderRow & { readonly fingerprint: string }>`
        select ${columns}, encode(o.fingerprint, 'hex') as fingerprint from orders o
        where o.caller = ${caller}::uuid and o.key = ${key}`
      if (row === undefined) return null
      const { fingerprint, ...order } = row
      return { order: orderFrom(order), fingerprint }
    },
    interruptibleAtOnce,
    Effect.timeout(pooledSilenceMaxMillis),
    Effect.mapError(() => new Busy()),
  )

  const shipment = Effect.fnUntraced(
    function* (shipmentId: ShipmentId) {
      const [row] = yield* sql<Shipment & Omit<KnownShipment, "shipment">>`
        select s.id, s.merchant_id as "merchantId", s.carrier, s.tracking_number as "trackingNumber",
          (extract(epoch from s.created_at) * 1000)::float8 as "createdAtMillis",
          (extract(epoch from s.delivered_at) * 1000)::float8 as "deliveredAtMillis",
          o.id as "orderId", o.home_shard as "homeShard"
        from shipments s join orders o on o.id = s.order_id where s.id = ${shipmentId}::uuid`
      if (row === undefined) return null
      const { homeShard, orderId, ...known } = row
      return { homeShard, orderId, shipment: known }
    },
    interruptibleAtOnce,
    Effect.timeout(pooledSilenceMaxMillis),
    Effect.mapError(() => new Busy()),
  )

  const list = Effect.fnUntraced(
    function* (listing: OrderListing, filter: OrderFilter) {
      const rows = yield* ordersOfPage<OrderRow>(sql, columns, listing, filter, salesRowsMax)
      const orders = rows.flatMap((row) => (row.id === null ? [] : orderFrom(Struct.omit(row, ["stoppedAt"]))))
      return orderPageOf(orders, rows[0]?.stoppedAt ?? null, filter.limit)
    },
    Effect.mapError(() => new Busy()),
  )

  return { byId, byKey, shipment, list }
}

const orderFrom = ({ currency, lines, payments, shipments, total, ...row }: OrderRow): Order => ({
  ...row,
  total: { amount: total, currency },
  payments: (payments ?? []).map((payment) => ({ ...payment, amount: { amount: payment.amount, currency } })),
  shipments: shipments ?? [],
  lines: lines.map(({ unitPrice, ...line }) => ({
    ...line,
    unitPrice: { amount: unitPrice, currency },
    lineTotal: { amount: unitPrice * line.quantity, currency },
  })),
})

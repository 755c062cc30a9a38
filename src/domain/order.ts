/**
 * An order and the one table of its transitions. An order's home shard and its lines never change; its status moves
 * only along this table, each time under the state it starts from.
 */
import { Schema } from "effect"
import type { CallerId, MerchantId, OrderId, PaymentId, ProductId, Shard, ShipmentId } from "./ids.ts"
import type { Money } from "./money.ts"

export const OrderStatus = Schema.Literals([
  "reserved",
  "paid",
  "partiallyShipped",
  "shipped",
  "delivered",
  "cancelled",
  "expired",
  "refunded",
])
export type OrderStatus = typeof OrderStatus.Type

/** From each status the statuses that may follow; total, so a new status does not compile without its row. */
export const orderTransitions: { readonly [From in OrderStatus]: ReadonlyArray<OrderStatus> } = {
  reserved: ["paid", "cancelled", "expired"],
  paid: ["partiallyShipped", "shipped", "refunded"],
  partiallyShipped: ["shipped"],
  shipped: ["delivered"],
  delivered: [],
  cancelled: [],
  expired: [],
  refunded: [],
}

export const mayBecome = (from: OrderStatus, to: OrderStatus): boolean => orderTransitions[from].includes(to)

/** Whether an order in this status still has its units. */
export const isLive = (status: OrderStatus): boolean =>
  status !== "cancelled" && status !== "expired" && status !== "refunded"

export const PaymentStatus = Schema.Literals(["processing", "succeeded", "declined", "refunding", "refunded"])
export type PaymentStatus = typeof PaymentStatus.Type

/**
 * From each status of a payment those that may follow. `refunding`: the money was or may yet be taken for an order that
 * is gone, and goes back.
 */
export const paymentTransitions: { readonly [From in PaymentStatus]: ReadonlyArray<PaymentStatus> } = {
  processing: ["succeeded", "declined", "refunding"],
  succeeded: ["refunding", "refunded"],
  declined: [],
  refunding: ["refunded"],
  refunded: [],
}

/** What a caller asks for: at most `orderLinesMax` lines of 1 to `lineQuantityMax` units each, no product twice. */
export interface RequestedLine {
  readonly productId: ProductId
  readonly quantity: number
}

export interface OrderLine {
  readonly productId: ProductId
  readonly name: string
  readonly quantity: number
  readonly unitPrice: Money
  readonly lineTotal: Money
  readonly merchantId: MerchantId
}

export interface Payment {
  readonly id: PaymentId
  readonly method: string
  /** Where a channel took the payment elsewhere: its own name for it. */
  readonly reference: string | null
  readonly amount: Money
  readonly status: PaymentStatus
  readonly declineCode: string | null
  readonly createdAtMillis: number
}

/** One merchant's lines of an order, on their way. */
export interface Shipment {
  readonly id: ShipmentId
  readonly merchantId: MerchantId
  readonly carrier: string
  readonly trackingNumber: string
  readonly createdAtMillis: number
  readonly deliveredAtMillis: number | null
}

/** Times are milliseconds since the epoch, as PostgreSQL's clock gave them. */
export interface Order {
  readonly id: OrderId
  readonly caller: CallerId
  readonly customerRef: string | null
  readonly homeShard: Shard
  readonly status: OrderStatus
  readonly lines: ReadonlyArray<OrderLine>
  readonly total: Money
  readonly createdAtMillis: number
  readonly expiresAtMillis: number
  readonly paidAtMillis: number | null
  /** The earliest first. */
  readonly payments: ReadonlyArray<Payment>
  readonly shipments: ReadonlyArray<Shipment>
}

/**
 * Merges lines of the same product and sorts by product, so that the same wish has one form. A merged quantity may
 * exceed `lineQuantityMax`: the caller of this function refuses it.
 */
export const mergeLines = (lines: ReadonlyArray<RequestedLine>): ReadonlyArray<RequestedLine> => {
  if (lines.length === 1) return lines
  const quantities = new Map<ProductId, number>()
  for (const line of lines) quantities.set(line.productId, (quantities.get(line.productId) ?? 0) + line.quantity)
  return [...quantities]
    .map(([productId, quantity]) => ({ productId, quantity }))
    .sort((left, right) => (left.productId < right.productId ? -1 : 1))
}

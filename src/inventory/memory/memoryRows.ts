/**
 * The rows of the in-memory database, as the migrations in `sql` name them.
 */
import type { Customer, IdempotencyKey, MovementKind, PricedLine } from "../../domain/commands.ts"
import type {
  AccountId,
  AttemptId,
  CallerId,
  MerchantId,
  OfferId,
  OrderId,
  PaymentId,
  ProductId,
  Shard,
  ShipmentId,
  StockMovementId,
} from "../../domain/ids.ts"
import type { OrderStatus, PaymentStatus, RequestedLine } from "../../domain/order.ts"
import type { ProductState } from "../../domain/batch.ts"

export interface LeaseRow {
  readonly shard: Shard
  readonly epoch: number
  readonly batch: number
  readonly owner: string
}

export interface BatchRow {
  readonly shard: Shard
  readonly batch: number
  readonly epoch: number
  readonly committedAtMillis: number
  readonly voided: boolean
  readonly events: ReadonlyArray<BatchEvent>
}

export type BatchEvent =
  | { readonly type: `order.${OrderStatus}`; readonly orderId: OrderId }
  | { readonly type: `payment.${PaymentStatus}`; readonly orderId: OrderId; readonly paymentId: PaymentId }
  | {
      readonly type: "shipment.sent" | "shipment.delivered"
      readonly orderId: OrderId
      readonly shipmentId: ShipmentId
    }
  | {
      readonly type: "waitlist.joined" | "waitlist.left" | "offer.made" | "offer.declined" | "offer.expired"
      readonly productId: ProductId
      readonly offerId: OfferId
    }
  | {
      readonly type: "offer.accepted"
      readonly productId: ProductId
      readonly offerId: OfferId
      readonly orderId: OrderId
    }
  | { readonly type: "stock.moved"; readonly movementId: StockMovementId }
  | { readonly type: "product.amended"; readonly productId: ProductId; readonly version: number }

export interface ProductRow extends Omit<ProductState, "stocked" | "available" | "mayHaveHolds" | "mayHaveWaiters"> {
  readonly shard: Shard
}

export interface CartRow {
  readonly caller: CallerId
  readonly version: number
  readonly lines: ReadonlyArray<RequestedLine>
}

export interface StockRow {
  readonly productId: ProductId
  readonly stocked: number
  readonly available: number
}

export interface MovementRow extends IdempotencyKey {
  readonly movementId: StockMovementId
  readonly productId: ProductId
  readonly kind: MovementKind
  readonly delta: number
  readonly reason: string | null
  readonly createdAtMillis: number
}

export interface OrderRow extends IdempotencyKey {
  readonly orderId: OrderId
  readonly customerRef: string | null
  readonly homeShard: Shard
  readonly status: OrderStatus
  readonly total: number
  readonly currency: string
  readonly createdAtMillis: number
  readonly expiresAtMillis: number
  readonly paidAtMillis: number | null
}

export interface PaymentRow extends IdempotencyKey {
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly method: string
  readonly reference: string | null
  readonly amount: number
  readonly currency: string
  readonly status: PaymentStatus
  readonly declineCode: string | null
  readonly createdAtMillis: number
  readonly settledAtMillis: number | null
}

export interface ShipmentRow {
  readonly shipmentId: ShipmentId
  readonly orderId: OrderId
  readonly merchantId: MerchantId
  readonly carrier: string
  readonly trackingNumber: string
  readonly createdAtMillis: number
  readonly deliveredAtMillis: number | null
}

export interface WaiterRow {
  readonly offerId: OfferId
  readonly productId: ProductId
  readonly accountId: AccountId
  readonly shard: Shard
  readonly quantity: number
  readonly batch: number
  readonly number: number
}

export interface OrderLineRow extends PricedLine {
  readonly orderId: OrderId
}

export interface HoldRow extends IdempotencyKey, PricedLine {
  readonly shard: Shard
  readonly attempt: AttemptId
  readonly kind: "order" | "offer"
  readonly customer: Customer
  readonly currency: string
  readonly expiresAtMillis: number
}

export interface PendingReturnRow {
  readonly returnId: string
  readonly shard: Shard
  readonly productId: ProductId
  readonly orderId: OrderId
  readonly customer: Customer
  readonly quantity: number
}

/** Whose units an order's are. */
export const customerOf = (order: Pick<OrderRow, "caller" | "customerRef">): Customer =>
  order.customerRef === null ? order.caller : `ref:${order.customerRef}`

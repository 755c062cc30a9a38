/**
 * Everything the service may answer "no" with, as plain values: a refusal is a result, not an error, and one refusal
 * never fails a batch. `code` is what callers see; `http/problems.ts` alone turns it into a status.
 *
 * The order in which an order's refusals are checked is `orderRefusalOrder`, written here once and held by a test:
 * what is wrong with the request itself comes first, what only the crowd decides comes last.
 */
import type { ProductId, ShipmentId } from "./ids.ts"
import type { Currency, Money } from "./money.ts"
import type { OrderStatus } from "./order.ts"

export interface LineShortage {
  readonly productId: ProductId
  readonly requested: number
  readonly available: number
}

/** Refusals of an order. Each leaves everything as it was, and the same key may be tried again. */
export type OrderRefusal =
  | { readonly code: "idempotency_key_reused" }
  | { readonly code: "unknown_product"; readonly productIds: ReadonlyArray<ProductId> }
  | { readonly code: "currency_mix"; readonly currencies: ReadonlyArray<Currency> }
  | { readonly code: "not_on_sale"; readonly productId: ProductId; readonly saleStartsAtMillis: number | null }
  | { readonly code: "price_changed"; readonly total: Money }
  | {
      readonly code: "limit_exceeded"
      readonly productId: ProductId
      readonly allowed: number
      readonly had: number
    }
  | {
      readonly code: "out_of_stock"
      readonly lines: ReadonlyArray<LineShortage>
      /** Whether only holds stand in the way, so that trying again may well succeed. */
      readonly retryable: boolean
    }

export const orderRefusalOrder = [
  "idempotency_key_reused",
  "unknown_product",
  "currency_mix",
  "not_on_sale",
  "price_changed",
  "limit_exceeded",
  "out_of_stock",
] as const satisfies ReadonlyArray<OrderRefusal["code"]>

/** Refusals of a merchant's stock movement. */
export type MovementRefusal =
  | { readonly code: "idempotency_key_reused" }
  | { readonly code: "unknown_product"; readonly productIds: ReadonlyArray<ProductId> }
  | { readonly code: "stock_is_sold"; readonly productId: ProductId; readonly available: number }
  | { readonly code: "stock_too_large"; readonly productId: ProductId; readonly stocked: number }

/** Refusals of a checkout beyond those of an order: what was looked at is not what is in the cart now. */
export type CheckoutRefusal = { readonly code: "cart_empty" } | { readonly code: "cart_changed" }

/** Refusals of a cancellation. `status` is what the order has become; an order whose time is over counts as expired. */
export type CancelRefusal = { readonly code: "not_cancellable"; readonly status: OrderStatus }

/** Refusals of a refund; `status` as in `CancelRefusal`. */
export type RefundRefusal = { readonly code: "not_refundable"; readonly status: OrderStatus }

/** Refusals of a payment. */
export type PaymentRefusal =
  | { readonly code: "idempotency_key_reused" }
  /** The order's time was over before the payment began. */
  | { readonly code: "expired" }
  | { readonly code: "already_paid" }
  | { readonly code: "payment_in_progress" }
  /** The order was cancelled or refunded. */
  | { readonly code: "not_payable"; readonly status: OrderStatus }

/** Refusals of a shipment. */
export type ShipRefusal =
  | { readonly code: "not_shippable"; readonly status: OrderStatus }
  /** This merchant's lines are on their way already, as another shipment. */
  | { readonly code: "already_shipped"; readonly shipmentId: ShipmentId }

/** A shipment that is not of this order. */
export type DeliverRefusal = { readonly code: "unknown_shipment" }

/** Refusals of a place on a waiting list. */
export type JoinRefusal =
  | { readonly code: "unknown_product"; readonly productIds: ReadonlyArray<ProductId> }
  /** The product has no waiting list. */
  | { readonly code: "no_waitlist"; readonly productId: ProductId }
  | {
      readonly code: "limit_exceeded"
      readonly productId: ProductId
      readonly allowed: number
      readonly had: number
    }

/** The offer was accepted, declined or over its time, or there never was one. */
export type OfferRefusal = { readonly code: "offer_expired" }

/** Refusals of an edit. */
export type AmendRefusal =
  | { readonly code: "unknown_product"; readonly productIds: ReadonlyArray<ProductId> }
  | { readonly code: "version_mismatch"; readonly version: number }
  | { readonly code: "currency_fixed"; readonly currency: Currency }

/**
 * What the service itself could not do. `busy`: nothing happened, try again. `outcome_unknown`: it may have happened,
 * ask again with the same key.
 */
export type Unavailable = Busy | OutcomeUnknown
export interface Busy {
  readonly code: "busy"
}
export interface OutcomeUnknown {
  readonly code: "outcome_unknown"
}
export const busy: Busy = { code: "busy" }
export const outcomeUnknown: OutcomeUnknown = { code: "outcome_unknown" }

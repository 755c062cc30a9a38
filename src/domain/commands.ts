/**
 * What a shard's mailbox may hold, and how each command can end. A command is complete: who asks, what for, under
 * which key, and every id it may need, so that planning it draws on nothing but the shard's state.
 *
 * Quantities are units, amounts minor units, and every collection is within the bounds of `bounds.ts`; the service
 * that makes a command has checked them.
 */
import {
  AttemptId,
  CallerId,
  type AccountId,
  type MerchantId,
  type OfferId,
  type OrderId,
  type PaymentId,
  type ProductId,
  type Shard,
  type ShipmentId,
  type StockMovementId,
} from "./ids.ts"
import type { Money } from "./money.ts"
import type { PaymentStatus, RequestedLine } from "./order.ts"
import type {
  AmendRefusal,
  CancelRefusal,
  DeliverRefusal,
  JoinRefusal,
  MovementRefusal,
  OrderRefusal,
  PaymentRefusal,
  RefundRefusal,
  ShipRefusal,
} from "./refusals.ts"

/** What makes a retry the same request: who asked, under which key, for what (first 128 bits of SHA-256, hex). */
export interface IdempotencyKey {
  readonly caller: CallerId
  readonly key: string
  readonly fingerprint: string
}

/** Names to look orders, movements, holds and counted units up by, wherever they are kept in memory. */
export const keyName = (name: Pick<IdempotencyKey, "caller" | "key">): string => `${name.caller}/${name.key}`
export const holdName = (name: IdempotencyKey): string => `${name.caller}/${name.fingerprint}/${name.key}`
export const unitsName = (productId: ProductId, customer: Customer): string => `${productId}/${customer}`

/** Who the units are counted for: an account's id, or `ref:` and the reference a channel gave. */
export type Customer = string

/** A line with the price it was taken at. */
export interface PricedLine {
  readonly productId: ProductId
  readonly quantity: number
  readonly unitPrice: number
}

/** Lines that are held for an order, as they were held, under the key and the fingerprint of the hold. */
export interface HeldPart {
  readonly shard: Shard
  readonly attempt: AttemptId
  readonly key: string
  readonly fingerprint: string
  readonly currency: string
  readonly lines: ReadonlyArray<PricedLine>
  /** The shortest time to pay that any of these products sets; null where none does. */
  readonly reservationTtlSeconds: number | null
}

/** Place an order whose home is this shard: its own lines from the stock, the others from holds. */
export interface Reserve extends IdempotencyKey {
  readonly _tag: "Reserve"
  readonly orderId: OrderId
  readonly customer: Customer
  readonly customerRef: string | null
  readonly lines: ReadonlyArray<RequestedLine>
  readonly held: ReadonlyArray<HeldPart>
  readonly expectedTotal: Money | null
  readonly reservationTtlMillis: number
  /** The version of the caller's cart that these are the lines of; placed only at it, and empties the cart. */
  readonly cartVersion: number | null
}

/** Set units aside for an order whose home is another shard. */
export interface Hold extends IdempotencyKey {
  readonly _tag: "Hold"
  readonly attempt: AttemptId
  readonly customer: Customer
  readonly lines: ReadonlyArray<RequestedLine>
  readonly holdTtlMillis: number
}

/** Give back what this attempt holds; with `onlyExpired`, only where its time is over by PostgreSQL's clock. */
export interface Release extends IdempotencyKey {
  readonly _tag: "Release"
  readonly attempt: AttemptId
  readonly productIds: ReadonlyArray<ProductId>
  readonly onlyExpired: boolean
}

/** Take back units that an order of another shard returned. */
export interface Return {
  readonly _tag: "Return"
  readonly returnId: string
  readonly productId: ProductId
}

export type MovementKind = "received" | "writtenOff" | "corrected"

/** Move a product's stock by `delta` units: received, written off or corrected by its merchant. */
export interface Restock extends IdempotencyKey {
  readonly _tag: "Restock"
  readonly movementId: StockMovementId
  readonly productId: ProductId
  readonly kind: MovementKind
  readonly delta: number
  readonly reason: string | null
}

/** A line of an order that ends. */
export interface EndingLine {
  readonly productId: ProductId
  /** Where the line's product belongs. Units of another shard go back to it by a return of this id. */
  readonly shard: Shard
  readonly returnId: string
}

/** What it takes to end an order at its home shard: every line, as the order has had them since it was placed. */
export interface EndingOrder {
  readonly orderId: OrderId
  readonly lines: ReadonlyArray<EndingLine>
}

/** End an order for its own caller: a reservation while its time runs, or a paid order of which nothing was shipped. */
export interface Cancel extends EndingOrder {
  readonly _tag: "Cancel"
}

/** End a reservation whose time is over by PostgreSQL's clock; one that was paid or ended is left as it is. */
export interface Expire extends EndingOrder {
  readonly _tag: "Expire"
}

/** Give a paid order of which nothing was shipped its money back, and the stock its units. */
export interface Refund extends EndingOrder {
  readonly _tag: "Refund"
}

/** How an order is paid: by a charge at the payment provider, or elsewhere, as a channel tells of it. */
export type PaymentMethod =
  | { readonly _tag: "Charge"; readonly method: string }
  | { readonly _tag: "External"; readonly reference: string }

/**
 * Begin to pay a reservation while its time runs. The first payment of an order makes that time last for at least
 * `extensionMillis` from now; a payment that was made elsewhere pays the order at once.
 */
export interface Extend extends IdempotencyKey {
  readonly _tag: "Extend"
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly payment: PaymentMethod
  readonly extensionMillis: number
}

/** What became of a charge at the payment provider. */
export type ChargeResult =
  | { readonly _tag: "Succeeded" }
  | { readonly _tag: "Declined"; readonly declineCode: string }
  /** The money is back, or was never taken. */
  | { readonly _tag: "Refunded" }

/**
 * Write down what became of a charge. One that succeeded pays its order, or is to be refunded where that is no longer
 * a reservation in its time.
 */
export interface Pay {
  readonly _tag: "Pay"
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly result: ChargeResult
}

/** Send off everything that this merchant sells in a paid order. */
export interface Ship {
  readonly _tag: "Ship"
  readonly shipmentId: ShipmentId
  readonly orderId: OrderId
  readonly merchantId: MerchantId
  readonly carrier: string
  readonly trackingNumber: string
}

/** Say that a shipment has arrived. */
export interface Deliver {
  readonly _tag: "Deliver"
  readonly shipmentId: ShipmentId
  readonly orderId: OrderId
}

/** Wait for units of a product. An account has one place a product; another quantity is a new place at the end. */
export interface Join {
  readonly _tag: "Join"
  readonly offerId: OfferId
  readonly productId: ProductId
  readonly accountId: AccountId
  readonly quantity: number
}

/** Give up a place on a waiting list, where there is one. */
export interface Leave {
  readonly _tag: "Leave"
  readonly productId: ProductId
  readonly accountId: AccountId
}

/** Hold what there is of a product for those who wait for it, the earliest whose quantity fits first. */
export interface Offer {
  readonly _tag: "Offer"
  readonly productId: ProductId
}

/** Read anew what is remembered of a merchant's products: orders ahead do not see what changed, those behind do. */
export interface Refresh {
  readonly _tag: "Refresh"
  readonly merchantId: MerchantId
}

/** Under which an offer is held; no request has such a fingerprint. */
const offerFingerprint = "0".repeat(32)

/** The name of the hold that an offer is. */
export const offerHold = (
  offerId: OfferId,
  accountId: AccountId,
): IdempotencyKey & { readonly attempt: AttemptId } => ({
  caller: CallerId.make(accountId),
  key: `offer/${offerId}`,
  fingerprint: offerFingerprint,
  attempt: AttemptId.make(offerId),
})

/** What a merchant may change of a product; what is left out stays. */
export interface ProductChange {
  readonly name?: string
  readonly description?: string
  /** In the product's own currency, which never changes. */
  readonly price?: Money
  readonly limitPerCustomer?: number | null
  readonly saleStartsAtMillis?: number | null
  readonly paused?: boolean
  readonly archived?: boolean
  readonly waitlist?: boolean
  readonly reservationTtlSeconds?: number | null
  readonly imageUrl?: string | null
}

/** Edit a product. Orders ahead of it in the mailbox do not see the change, those behind it do. */
export interface Amend {
  readonly _tag: "Amend"
  readonly productId: ProductId
  /** The version that was edited; null edits whichever there is. */
  readonly expectedVersion: number | null
  readonly change: ProductChange
}

export type Command =
  | Reserve
  | Hold
  | Release
  | Return
  | Restock
  | Cancel
  | Expire
  | Refund
  | Extend
  | Pay
  | Ship
  | Deliver
  | Amend
  | Join
  | Leave
  | Offer
  | Refresh

export interface SoldLine extends PricedLine {
  readonly name: string
  readonly merchantId: MerchantId
}

export type ReserveOutcome =
  | {
      readonly _tag: "Accepted"
      readonly orderId: OrderId
      readonly createdAtMillis: number
      readonly expiresAtMillis: number
      /** The lines of this shard; those of other shards are as their holds answered. */
      readonly lines: ReadonlyArray<SoldLine>
      readonly total: Money
    }
  | { readonly _tag: "Repeated"; readonly orderId: OrderId }
  | { readonly _tag: "Refused"; readonly refusal: OrderRefusal }
  /** A hold this order counted on was gone, or belonged to another attempt: nothing was placed. */
  | { readonly _tag: "HoldMissing" }
  /** The cart was edited or checked out since it was read: nothing was placed. */
  | { readonly _tag: "CartChanged" }

export type HoldOutcome =
  | {
      readonly _tag: "Held"
      readonly currency: string
      readonly lines: ReadonlyArray<SoldLine>
      readonly reservationTtlSeconds: number | null
    }
  | { readonly _tag: "Refused"; readonly refusal: OrderRefusal }
  /** A later attempt of the same request has these units, or the order is being placed: nothing was taken. */
  | { readonly _tag: "Superseded" }

export type RestockOutcome =
  | {
      readonly _tag: "Moved"
      readonly movementId: StockMovementId
      readonly createdAtMillis: number
      /** The product's balance after the batch that carried the movement. */
      readonly stocked: number
      readonly available: number
    }
  | { readonly _tag: "Repeated"; readonly movementId: StockMovementId }
  | { readonly _tag: "Refused"; readonly refusal: MovementRefusal }

export type CancelOutcome =
  /** Cancelled, or refunded where it was paid. */
  | { readonly _tag: "Cancelled" }
  /** It was cancelled or refunded before. */
  | { readonly _tag: "AlreadyCancelled" }
  | { readonly _tag: "Refused"; readonly refusal: CancelRefusal }

export type RefundOutcome =
  | { readonly _tag: "Refunded" }
  | { readonly _tag: "AlreadyRefunded" }
  | { readonly _tag: "Refused"; readonly refusal: RefundRefusal }

export type ExtendOutcome =
  /** `paid` where the payment was made elsewhere, `processing` otherwise. */
  | { readonly _tag: "Begun"; readonly paymentId: PaymentId; readonly createdAtMillis: number }
  | { readonly _tag: "Repeated"; readonly paymentId: PaymentId }
  | { readonly _tag: "Refused"; readonly refusal: PaymentRefusal }

/** What the payment is now; null where there is none of this id. */
export interface PayOutcome {
  readonly _tag: "Settled"
  readonly status: PaymentStatus | null
}

export type ShipOutcome =
  | { readonly _tag: "Shipped"; readonly shipmentId: ShipmentId; readonly createdAtMillis: number }
  | { readonly _tag: "Refused"; readonly refusal: ShipRefusal }

export type DeliverOutcome =
  | { readonly _tag: "Delivered" }
  | { readonly _tag: "Refused"; readonly refusal: DeliverRefusal }

export type JoinOutcome = { readonly _tag: "Joined" } | { readonly _tag: "Refused"; readonly refusal: JoinRefusal }

export type AmendOutcome =
  /** As it is now; archiving what is archived changes nothing. */
  { readonly _tag: "Amended"; readonly version: number } | { readonly _tag: "Refused"; readonly refusal: AmendRefusal }

interface Done {
  readonly _tag: "Done"
}

interface OutcomeByCommand {
  readonly Reserve: ReserveOutcome
  readonly Hold: HoldOutcome
  readonly Restock: RestockOutcome
  readonly Cancel: CancelOutcome
  readonly Amend: AmendOutcome
  readonly Refund: RefundOutcome
  readonly Extend: ExtendOutcome
  readonly Pay: PayOutcome
  readonly Ship: ShipOutcome
  readonly Deliver: DeliverOutcome
  readonly Join: JoinOutcome
  readonly Release: Done
  readonly Return: Done
  readonly Expire: Done
  readonly Leave: Done
  readonly Offer: Done
  readonly Refresh: Done
}

export type OutcomeOf<C extends Command> = OutcomeByCommand[C["_tag"]]

export type Outcome = OutcomeByCommand[Command["_tag"]]

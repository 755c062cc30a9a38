/**
 * What a shard's mailbox may hold, and how each command can end. A command is complete: who asks, what for, under
 * which key, and every id it may need, so that planning it draws on nothing but the shard's state.
 *
 * Quantities are units, amounts minor units, and every collection is within the bounds of `bounds.ts`; the service
 * that makes a command has checked them.
 */
import type { AttemptId, CallerId, MerchantId, OrderId, ProductId, Shard, StockMovementId } from "./ids.ts"
import type { Money } from "./money.ts"
import type { RequestedLine } from "./order.ts"
import type { MovementRefusal, OrderRefusal } from "./refusals.ts"

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

/** The lines another shard holds for an order, as its Hold answered. */
export interface HeldPart {
  readonly shard: Shard
  readonly attempt: AttemptId
  readonly currency: string
  readonly lines: ReadonlyArray<PricedLine>
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

export type Command = Reserve | Hold | Release | Return | Restock

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

export type HoldOutcome =
  | { readonly _tag: "Held"; readonly currency: string; readonly lines: ReadonlyArray<SoldLine> }
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

export type OutcomeOf<C extends Command> = C extends Reserve
  ? ReserveOutcome
  : C extends Hold
    ? HoldOutcome
    : C extends Restock
      ? RestockOutcome
      : { readonly _tag: "Done" }

export type Outcome = ReserveOutcome | HoldOutcome | RestockOutcome | { readonly _tag: "Done" }

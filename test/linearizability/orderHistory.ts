/**
 * What clients saw, as they saw it: every attempt, cancellation, movement and look with the times of its call and its
 * answer. Must stay true: it holds only what a client can know; all times come from one clock, the one `expiresAt` is
 * given in too (or `expiresAt` is lowered by what the clocks may differ). A reading is of the stock itself, not of a cache.
 */

export interface OrderLine {
  readonly productId: string
  readonly quantity: number
}

export interface Shortage {
  readonly productId: string
  readonly requested: number
  readonly available: number
}

export type AttemptAnswer =
  | {
      readonly kind: "placed"
      readonly orderId: string
      /** When the reservation may expire; null where it never does. */
      readonly expiresAt: number | null
      readonly isReplayed: boolean
    }
  /** The service looked the key up, found no order under it, and decided against placing one. */
  | {
      readonly kind: "refused"
      readonly code: string
      readonly lines?: ReadonlyArray<Shortage>
      readonly retryable?: boolean
    }
  /** Nothing happened by this attempt (busy, too many requests, not signed in); of earlier ones it says nothing. */
  | { readonly kind: "notPlaced" }
  /** It may have happened, or may happen yet; not after `overAt`, where the client knows that much. */
  | { readonly kind: "unknown"; readonly overAt?: number }

/** All attempts under one caller's key are one order at most, whatever each of them was told. */
export interface OrderAttempt {
  readonly caller: string
  readonly key: string
  readonly lines: ReadonlyArray<OrderLine>
  readonly invokedAt: number
  /** Null where no answer came. */
  readonly answeredAt: number | null
  readonly answer: AttemptAnswer
  /** Whether it asks for units that were offered to its caller, and so were set aside before it was made. */
  readonly isOffered?: boolean
}

/** Somebody asked to wait for units of a product, and was not told no. */
export interface Wait {
  readonly caller: string
  readonly productId: string
  readonly quantity: number
  readonly invokedAt: number
}

export interface Cancellation {
  readonly orderId: string
  readonly invokedAt: number
  readonly answeredAt: number | null
  readonly answer: "cancelled" | "alreadyCancelled" | "refused" | "notFound" | "unknown"
}

export interface StockMovement {
  readonly productId: string
  readonly key: string
  readonly delta: number
  readonly invokedAt: number
  readonly answeredAt: number | null
  readonly answer:
    | { readonly kind: "moved"; readonly available: number }
    | { readonly kind: "replayed" }
    | { readonly kind: "refused" }
    | { readonly kind: "unknown" }
}

export interface StockReading {
  readonly productId: string
  readonly available: number
  readonly invokedAt: number
  readonly answeredAt: number
}

export interface OrderHistory {
  readonly attempts: ReadonlyArray<OrderAttempt>
  readonly cancellations: ReadonlyArray<Cancellation>
  readonly movements: ReadonlyArray<StockMovement>
  readonly readings: ReadonlyArray<StockReading>
  readonly waits?: ReadonlyArray<Wait>
  /** Which shard each product belongs to. Where it is known, orders within one shard are known never to hold. */
  readonly shards?: ReadonlyMap<string, number>
  /** The least time from placing to expiry. Where it is known, a lost order is known to keep its units that long. */
  readonly reservationAtLeast?: number
}

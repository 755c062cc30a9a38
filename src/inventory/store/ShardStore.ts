/**
 * What the shard's actor asks of a database, and in which words it is answered. The promise rests on this contract,
 * so it is stated here once and held to by one suite for both implementations: PostgreSQL and the in-memory model.
 *
 * Must stay true: `commit` changes everything its write says or nothing, only under the lease's epoch and next batch
 * number, and never says "nothing happened" while it may still happen (that is `StoreUnknown`).
 */
import { Context, type Effect, Schema } from "effect"
import type {
  AmendmentWrite,
  BatchWrite,
  HoldExtension,
  KnownHold,
  OfferWrite,
  ProductState,
  Waiter,
} from "../../domain/batch.ts"
import type { Customer, IdempotencyKey, Release, Return } from "../../domain/commands.ts"
import type {
  CallerId,
  MerchantId,
  OrderId,
  PaymentId,
  ProductId,
  Shard,
  ShipmentId,
  StockMovementId,
} from "../../domain/ids.ts"
import type { OrderStatus, PaymentStatus } from "../../domain/order.ts"

/** Who may write a shard (`epoch`) and the last batch number written. */
export interface Lease {
  readonly epoch: number
  readonly batch: number
}

export interface StockLevel {
  readonly productId: ProductId
  readonly stocked: number
  readonly available: number
}

export interface CustomerUnits {
  readonly productId: ProductId
  readonly customer: Customer
  readonly units: number
}

/** What became of the units of a customer that a batch changed; null where they are not counted in a row of their own. */
export interface ChangedUnits extends Omit<CustomerUnits, "units"> {
  readonly units: number | null
}

/** An order by what ending it needs to know. Its lines and its home never change. */
export interface EndableOrder {
  readonly orderId: OrderId
  readonly caller: CallerId
  readonly homeShard: Shard
  readonly status: OrderStatus
  readonly lines: ReadonlyArray<{ readonly productId: ProductId; readonly shard: Shard }>
}

export interface Applied {
  readonly _tag: "Applied"
  /** PostgreSQL's clock under the lease: when everything in the batch happened. */
  readonly atMillis: number
  /** Orders not inserted: their key existed (guarded form), or a hold or cart they count on was not as they knew it. */
  readonly unplaced: ReadonlyArray<OrderId>
  /** Those of them whose cart was not at their version, or was being changed. */
  readonly cartsChanged: ReadonlyArray<OrderId>
  /** Movements not inserted, since their key existed (guarded form). */
  readonly unmoved: ReadonlyArray<StockMovementId>
  /** Extensions of which at least one row was gone or belonged to a later attempt. */
  readonly unextended: ReadonlyArray<HoldExtension>
  /** Orders that did not end, since they were not in the status, or on the side of their time, that it takes. */
  readonly unended: ReadonlyArray<OrderId>
  /** Edits not made: the product was at another version. */
  readonly unamended: ReadonlyArray<AmendmentWrite>
  /** Payments that the batch began or settled, as they are now. */
  readonly payments: ReadonlyArray<PaymentState>
  /** Shipments not sent: the order was not paid, has no such lines, or they are on their way. */
  readonly unshipped: ReadonlyArray<ShipmentId>
  /** Shipments that did not arrive now: of another order, or arrived before. */
  readonly undelivered: ReadonlyArray<ShipmentId>
  /** Offers not made, since their place on the list was gone. */
  readonly unoffered: ReadonlyArray<OfferWrite>
  /** Every stock row the batch changed, as it is now. */
  readonly stock: ReadonlyArray<StockLevel>
  /** The units of every customer that the batch changed. */
  readonly units: ReadonlyArray<ChangedUnits>
}

/** The lease was not at this epoch and the number before: applied already, or fenced. `inspect` tells which. */
export interface NotApplied {
  readonly _tag: "NotApplied"
}

export interface KnownOrder extends IdempotencyKey {
  readonly orderId: OrderId
  readonly createdAtMillis: number
  readonly expiresAtMillis: number
}

export interface KnownMovement extends IdempotencyKey {
  readonly movementId: StockMovementId
  readonly createdAtMillis: number
}

export interface PaymentState {
  readonly paymentId: PaymentId
  readonly status: PaymentStatus
}

export interface KnownPayment extends IdempotencyKey {
  readonly paymentId: PaymentId
}

export interface KnownShipment {
  readonly shipmentId: ShipmentId
  readonly orderId: OrderId
  readonly merchantId: MerchantId
  readonly carrier: string
  readonly trackingNumber: string
  readonly createdAtMillis: number
}

export interface KeyName {
  readonly caller: CallerId
  readonly key: string
}

export interface FactsRequest {
  readonly orderKeys: ReadonlyArray<KeyName>
  readonly movementKeys: ReadonlyArray<KeyName>
  readonly holds: ReadonlyArray<IdempotencyKey>
  readonly heldProducts: ReadonlyArray<ProductId>
  /** Orders whose status is asked for. */
  readonly statuses: ReadonlyArray<OrderId>
  readonly paymentKeys: ReadonlyArray<KeyName>
  /** Payments whose status is asked for. */
  readonly payments: ReadonlyArray<PaymentId>
  /** Orders whose shipments are asked for. */
  readonly shipmentsOf: ReadonlyArray<OrderId>
}

/** A question that names what it asks for and nothing else. */
export const nothingAsked: FactsRequest = {
  orderKeys: [],
  movementKeys: [],
  holds: [],
  heldProducts: [],
  statuses: [],
  paymentKeys: [],
  payments: [],
  shipmentsOf: [],
}

export interface FactsRead {
  /** The lease at the moment the facts were read. */
  readonly lease: Lease
  readonly orders: ReadonlyArray<KnownOrder>
  readonly movements: ReadonlyArray<KnownMovement>
  readonly holds: ReadonlyArray<KnownHold>
  /** Units under holds for each product asked for; a product without holds may be missing. */
  readonly heldUnits: ReadonlyArray<{ readonly productId: ProductId; readonly units: number }>
  /** A reservation whose time is over counts as expired. */
  readonly statuses: ReadonlyArray<{ readonly orderId: OrderId; readonly status: OrderStatus }>
  readonly paymentKeys: ReadonlyArray<KnownPayment>
  readonly payments: ReadonlyArray<PaymentState>
  readonly shipments: ReadonlyArray<KnownShipment>
}

/** What a question that asks for nothing is answered, without the lease. */
export const nothingRead: Omit<FactsRead, "lease"> = {
  orders: [],
  movements: [],
  holds: [],
  heldUnits: [],
  statuses: [],
  paymentKeys: [],
  payments: [],
  shipments: [],
}

/** What a batch number was used for. */
export interface Inspection {
  readonly lease: Lease
  readonly record: { readonly epoch: number; readonly voided: boolean; readonly committedAtMillis: number } | null
}

/** A definite no: PostgreSQL answered with severity ERROR, and nothing happened. */
export class StoreRejected extends Schema.TaggedError<StoreRejected>()("StoreRejected", {
  sqlState: Schema.String,
  message: Schema.String,
}) {}

/** SQLSTATE of a StoreRejected where no connection could be made: the statement was not sent this time. */
export const connectionFailure = "08001"

/** Connection lost, silence, or FATAL: it happened, will happen, or never did. */
export class StoreUnknown extends Schema.TaggedError<StoreUnknown>()("StoreUnknown", { message: Schema.String }) {}

/** A reading statement got no answer. */
export class StoreUnreachable extends Schema.TaggedError<StoreUnreachable>()("StoreUnreachable", {
  message: Schema.String,
}) {}

export class ShardStore extends Context.Service<
  ShardStore,
  {
    /** Raises the epoch of these shards in a transaction of its own; once per acquisition. */
    readonly acquire: (
      shards: ReadonlyArray<Shard>,
      owner: string,
    ) => Effect.Effect<ReadonlyMap<Shard, Lease>, StoreUnreachable>
    readonly inspect: (shard: Shard, batch: number) => Effect.Effect<Inspection, StoreUnreachable>
    readonly commit: (write: BatchWrite) => Effect.Effect<Applied | NotApplied, StoreRejected | StoreUnknown>
    /** Uses a batch number up for nothing, so that no late attempt under it can be applied. */
    readonly voidBatch: (
      shard: Shard,
      lease: { readonly epoch: number; readonly batch: number },
    ) => Effect.Effect<{ readonly _tag: "Applied" } | NotApplied, StoreRejected | StoreUnknown>
    /** The shard's products among these; unknown ids and those of other shards are left out. */
    readonly products: (
      shard: Shard,
      productIds: ReadonlyArray<ProductId>,
    ) => Effect.Effect<ReadonlyArray<ProductState>, StoreUnreachable>
    readonly facts: (shard: Shard, request: FactsRequest) => Effect.Effect<FactsRead, StoreUnreachable>
    /** The units these customers have of these products, by their row or else by their orders; none may be missing. */
    readonly units: (
      shard: Shard,
      pairs: ReadonlyArray<{ readonly productId: ProductId; readonly customer: Customer }>,
    ) => Effect.Effect<ReadonlyArray<CustomerUnits>, StoreUnreachable>
    /**
     * Those who wait for no more than there is of each product, the earliest first, `sizeMax` a product. Only who waits
     * in this shard.
     */
    readonly waiters: (
      shard: Shard,
      productIds: ReadonlyArray<ProductId>,
      sizeMax: number,
    ) => Effect.Effect<ReadonlyArray<Waiter & { readonly productId: ProductId }>, StoreUnreachable>
    /** The shards among these that have holds or reservations past their time, returns to take back, or offers to make. */
    readonly dueShards: (shards: ReadonlyArray<Shard>) => Effect.Effect<ReadonlyArray<Shard>, StoreUnreachable>
    /** Holds past their time, oldest first, one Release for each hold. */
    readonly expiredHolds: (shard: Shard, sizeMax: number) => Effect.Effect<ReadonlyArray<Release>, StoreUnreachable>
    /** Reservations of this home whose time is over, those that ended first first. */
    readonly expiredOrders: (
      shard: Shard,
      sizeMax: number,
    ) => Effect.Effect<ReadonlyArray<EndableOrder>, StoreUnreachable>
    /** An order, whichever its home; null where there is none. */
    readonly endableOrder: (orderId: OrderId) => Effect.Effect<EndableOrder | null, StoreUnreachable>
    /** Products on sale of which there is as much as somebody waits for. */
    readonly productsToOffer: (
      shard: Shard,
      sizeMax: number,
    ) => Effect.Effect<ReadonlyArray<ProductId>, StoreUnreachable>
    readonly pendingReturns: (shard: Shard, sizeMax: number) => Effect.Effect<ReadonlyArray<Return>, StoreUnreachable>
  }
>()("hedonify/inventory/ShardStore") {}

/**
 * The world of the reference model, in plain rows: everything that the commands of one shard start from and change, and
 * what the commands say of it.
 */
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
} from "../../src/domain/ids.ts"
import type { OrderStatus, PaymentStatus } from "../../src/domain/order.ts"
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
} from "../../src/domain/refusals.ts"

/** The shard whose world this is; every other is elsewhere. */
export const here: Shard = 0

export interface WorldProduct {
  readonly productId: ProductId
  readonly merchantId: MerchantId
  readonly currency: string
  name: string
  price: number
  limitPerCustomer: number | null
  countsUnits: boolean
  saleStartsAtMillis: number | null
  paused: boolean
  archived: boolean
  waitlist: boolean
  reservationTtlSeconds: number | null
  version: number
  stocked: number
  available: number
}

/** An order whose home is here, with its lines wherever they belong. */
export interface WorldOrder {
  readonly caller: CallerId
  readonly key: string
  readonly fingerprint: string
  readonly orderId: OrderId
  readonly customerRef: string | null
  readonly lines: ReadonlyArray<ModelLine & { readonly shard: Shard }>
  status: OrderStatus
  /** Over where it is not after `nowMillis`. */
  expiresAtMillis: number
}

export interface WorldPayment {
  readonly caller: CallerId
  readonly key: string
  readonly fingerprint: string
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly isExternal: boolean
  status: PaymentStatus
}

export interface WorldShipment {
  readonly shipmentId: ShipmentId
  readonly orderId: OrderId
  readonly merchantId: MerchantId
  readonly carrier: string
  readonly trackingNumber: string
  isDelivered: boolean
}

export interface WorldWaiter {
  readonly offerId: OfferId
  readonly productId: ProductId
  readonly accountId: AccountId
  readonly quantity: number
}

export interface WorldHold {
  readonly kind: "order" | "offer"
  readonly caller: CallerId
  readonly key: string
  readonly fingerprint: string
  readonly productId: ProductId
  readonly customer: string
  readonly quantity: number
  readonly unitPrice: number
  attempt: AttemptId
  isExpired: boolean
}

export interface WorldReturn {
  readonly returnId: string
  readonly shard: Shard
  readonly productId: ProductId
  readonly customer: string
  readonly quantity: number
}

export interface World {
  readonly nowMillis: number
  readonly products: Array<WorldProduct>
  readonly orders: Array<WorldOrder>
  readonly payments: Array<WorldPayment>
  readonly shipments: Array<WorldShipment>
  readonly movements: Array<{ caller: CallerId; key: string; fingerprint: string; movementId: StockMovementId }>
  holds: Array<WorldHold>
  returns: Array<WorldReturn>
  /** The earliest first. */
  waiting: Array<WorldWaiter>
  readonly carts: Array<{ readonly caller: CallerId; version: number }>
  /** Units that came back and that nobody may count on yet. */
  readonly withheld: Array<{ readonly productId: ProductId; readonly customer: string; readonly quantity: number }>
}

export interface ModelLine {
  readonly productId: ProductId
  readonly quantity: number
  readonly unitPrice: number
}

export type Verdict =
  | {
      readonly _tag: "Placed"
      readonly orderId: OrderId
      readonly lines: ReadonlyArray<ModelLine>
      readonly total: number
      readonly expiresAtMillis: number
    }
  | {
      readonly _tag: "Held"
      readonly currency: string
      readonly lines: ReadonlyArray<ModelLine>
      readonly reservationTtlSeconds: number | null
    }
  | { readonly _tag: "Superseded" }
  | { readonly _tag: "Repeated"; readonly id: OrderId | StockMovementId | PaymentId }
  | { readonly _tag: "Moved"; readonly movementId: StockMovementId }
  | { readonly _tag: "Cancelled" | "AlreadyCancelled" | "Refunded" | "AlreadyRefunded" }
  | { readonly _tag: "Begun"; readonly paymentId: PaymentId }
  | { readonly _tag: "Settled"; readonly status: PaymentStatus | null }
  | { readonly _tag: "Shipped"; readonly shipmentId: ShipmentId }
  | { readonly _tag: "Delivered" | "Joined" }
  | { readonly _tag: "Amended"; readonly version: number }
  | { readonly _tag: "CartChanged" }
  /** A hold that the order counted on was sold, given back or over. */
  | { readonly _tag: "HoldMissing" }
  | { readonly _tag: "Refused"; readonly refusal: ModelRefusal }
  | { readonly _tag: "Done" }

export type ModelRefusal =
  | OrderRefusal
  | MovementRefusal
  | AmendRefusal
  | CancelRefusal
  | RefundRefusal
  | PaymentRefusal
  | ShipRefusal
  | DeliverRefusal
  | JoinRefusal

export const refused = (refusal: ModelRefusal): Verdict => ({ _tag: "Refused", refusal })

export const isLive = ({ status }: WorldOrder): boolean => !["cancelled", "expired", "refunded"].includes(status)

export const customerOf = ({ caller, customerRef }: WorldOrder): string =>
  customerRef === null ? caller : `ref:${customerRef}`

export const productOf = (world: World, productId: ProductId): WorldProduct | undefined =>
  world.products.find((product) => product.productId === productId)

export const orderOf = (world: World, orderId: OrderId): WorldOrder | undefined =>
  world.orders.find((order) => order.orderId === orderId)

export const isOver = (world: World, order: WorldOrder): boolean => order.expiresAtMillis <= world.nowMillis

/** What a caller is told that an order is: without one, or past its time, it is over. */
export const statusNow = (world: World, orderId: OrderId): OrderStatus => {
  const order = orderOf(world, orderId)
  if (order === undefined) return "expired"
  return order.status === "reserved" && isOver(world, order) ? "expired" : order.status
}

export const sameKey = (one: { caller: string; key: string }, other: { caller: string; key: string }): boolean =>
  one.caller === other.caller && one.key === other.key

/** Units a customer has: in live orders, under holds, and on their way back. */
export const unitsHad = (world: World, productId: ProductId, customer: string): number => {
  const ordered = world.orders.filter((order) => isLive(order) && customerOf(order) === customer)
  const counted = [...world.holds, ...world.returns, ...world.withheld].filter((row) => row.customer === customer)
  return [...ordered.flatMap((order) => order.lines), ...counted]
    .filter((row) => row.productId === productId)
    .reduce((sum, row) => sum + row.quantity, 0)
}

/**
 * Ids of the planner's worlds, by number, so that a counterexample can be read: products, callers and all the rest.
 */
import {
  AccountId,
  AttemptId,
  CallerId,
  MerchantId,
  OfferId,
  OrderId,
  PaymentId,
  ProductId,
  ShipmentId,
  StockMovementId,
} from "../../src/domain/ids.ts"

const uuid = (kind: number, number: number): string =>
  `00000000-0000-7000-8000-${kind.toString(16).padStart(4, "0")}${number.toString(16).padStart(8, "0")}`

export const productId = (number: number): ProductId => ProductId.make(uuid(1, number))
export const callerId = (number: number): CallerId => CallerId.make(uuid(2, number))
export const orderId = (number: number): OrderId => OrderId.make(uuid(3, number))
export const movementId = (number: number): StockMovementId => StockMovementId.make(uuid(4, number))
export const attemptId = (number: number): AttemptId => AttemptId.make(uuid(5, number))
export const returnId = (number: number): string => uuid(6, number)
export const merchantId = (number: number): MerchantId => MerchantId.make(uuid(7, number))
export const paymentId = (number: number): PaymentId => PaymentId.make(uuid(8, number))
export const shipmentId = (number: number): ShipmentId => ShipmentId.make(uuid(9, number))
export const offerId = (number: number): OfferId => OfferId.make(uuid(10, number))
/** The account that buys as this caller. */
export const accountId = (number: number): AccountId => AccountId.make(callerId(number))
export const fingerprint = (number: number): string => number.toString(16).padStart(32, "0")

export const nowMillis = 1_000_000
/** A product of another shard, which only held parts and orders of the past name. */
export const remoteProductId = productId(99)
export const remoteMerchantId = merchantId(1)
export const remoteAttempt = attemptId(9)
/** What every cart is at; checkouts that have read it carry this version. */
export const cartVersion = 1

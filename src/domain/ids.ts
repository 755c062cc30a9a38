/**
 * The names things go by. All ids are UUIDv7 (RFC 9562), made by the service and never by a caller, in lower case;
 * branded, so that a merchant cannot stand where a product belongs.
 */
import { Schema } from "effect"

const uuid = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u, {
    description: "a UUID in lower case",
  }),
)

export const AccountId = uuid.pipe(Schema.brand("AccountId"))
export type AccountId = typeof AccountId.Type

export const SessionId = uuid.pipe(Schema.brand("SessionId"))
export type SessionId = typeof SessionId.Type

export const MerchantId = uuid.pipe(Schema.brand("MerchantId"))
export type MerchantId = typeof MerchantId.Type

export const ApiKeyId = uuid.pipe(Schema.brand("ApiKeyId"))
export type ApiKeyId = typeof ApiKeyId.Type

export const ProductId = uuid.pipe(Schema.brand("ProductId"))
export type ProductId = typeof ProductId.Type

export const OrderId = uuid.pipe(Schema.brand("OrderId"))
export type OrderId = typeof OrderId.Type

export const StockMovementId = uuid.pipe(Schema.brand("StockMovementId"))
export type StockMovementId = typeof StockMovementId.Type

export const PaymentId = uuid.pipe(Schema.brand("PaymentId"))
export type PaymentId = typeof PaymentId.Type

export const ShipmentId = uuid.pipe(Schema.brand("ShipmentId"))
export type ShipmentId = typeof ShipmentId.Type

/** A place on a waiting list, and the offer that comes of it. */
export const OfferId = uuid.pipe(Schema.brand("OfferId"))
export type OfferId = typeof OfferId.Type

/** Names one attempt to place an order over several shards; later attempts sort after earlier ones. */
export const AttemptId = uuid.pipe(Schema.brand("AttemptId"))
export type AttemptId = typeof AttemptId.Type

/** Whose idempotency keys these are: an account, or a merchant where one of its channels calls. */
export const CallerId = uuid.pipe(Schema.brand("CallerId"))
export type CallerId = typeof CallerId.Type

/** A shard's number, from 0. */
export type Shard = number

/**
 * Who is told what of an order's payments and shipments after a commit: what the commit says it did, and for what it
 * did not, why, by the rows as they are now.
 */
import type {
  Command,
  DeliverOutcome,
  Extend,
  ExtendOutcome,
  Outcome,
  PayOutcome,
  Ship,
  ShipOutcome,
} from "../../domain/commands.ts"
import { keyName } from "../../domain/commands.ts"
import type { OrderId, PaymentId, ShipmentId } from "../../domain/ids.ts"
import { isLive, type OrderStatus, type PaymentStatus } from "../../domain/order.ts"
import type { PaymentRefusal } from "../../domain/refusals.ts"
import type { Applied, FactsRead, KnownPayment, KnownShipment } from "../store/ShardStore.ts"

/** What is known of orders' lives now that the batch is in the database. */
export interface Learnt {
  readonly statuses: ReadonlyMap<OrderId, OrderStatus>
  /** Payments by `keyName`. */
  readonly paymentKeys: ReadonlyMap<string, KnownPayment>
  /** Payments that this batch began or settled, and those that were asked for. */
  readonly payments: ReadonlyMap<PaymentId, PaymentStatus>
  readonly begun: ReadonlySet<PaymentId>
  readonly shipments: ReadonlyArray<KnownShipment>
  readonly unshipped: ReadonlySet<ShipmentId>
  readonly undelivered: ReadonlySet<ShipmentId>
}

export const learnt = (
  result: Applied,
  read: Pick<FactsRead, "statuses" | "paymentKeys" | "payments" | "shipments">,
): Learnt => ({
  statuses: new Map(read.statuses.map(({ orderId, status }) => [orderId, status])),
  paymentKeys: new Map(read.paymentKeys.map((payment) => [keyName(payment), payment])),
  payments: new Map([...read.payments, ...result.payments].map(({ paymentId, status }) => [paymentId, status])),
  begun: new Set(result.payments.map((payment) => payment.paymentId)),
  shipments: read.shipments,
  unshipped: new Set(result.unshipped),
  undelivered: new Set(result.undelivered),
})

export const paymentOutcome = (lives: Learnt, command: Command, atMillis: number): Outcome => {
  if (command._tag === "Extend") return begun(lives, command, atMillis)
  const status = command._tag === "Pay" ? (lives.payments.get(command.paymentId) ?? null) : null
  return { _tag: "Settled", status } satisfies PayOutcome
}

const begun = (lives: Learnt, command: Extend, atMillis: number): ExtendOutcome => {
  const { fingerprint, orderId, paymentId } = command
  if (lives.begun.has(paymentId)) return { _tag: "Begun", paymentId, createdAtMillis: atMillis }
  const known = lives.paymentKeys.get(keyName(command))
  if (known === undefined) return { _tag: "Refused", refusal: whyNotPayable(lives.statuses.get(orderId)) }
  if (known.fingerprint === fingerprint) return { _tag: "Repeated", paymentId: known.paymentId }
  return { _tag: "Refused", refusal: { code: "idempotency_key_reused" } }
}

const whyNotPayable = (status: OrderStatus = "expired"): PaymentRefusal => {
  if (status === "expired") return { code: "expired" }
  if (status === "reserved") return { code: "payment_in_progress" }
  return isLive(status) ? { code: "already_paid" } : { code: "not_payable", status }
}

export const shipmentOutcome = (lives: Learnt, command: Command, atMillis: number): Outcome => {
  if (command._tag === "Ship") return shipped(lives, command, atMillis)
  if (command._tag !== "Deliver") return { _tag: "Done" }
  const { orderId, shipmentId } = command
  const isKnown = lives.shipments.some((row) => row.shipmentId === shipmentId && row.orderId === orderId)
  const isDelivered = !lives.undelivered.has(shipmentId) || isKnown
  const refused: DeliverOutcome = { _tag: "Refused", refusal: { code: "unknown_shipment" } }
  return isDelivered ? { _tag: "Delivered" } : refused
}

/** The same shipment said again is the one that is there. */
const shipped = (lives: Learnt, command: Ship, atMillis: number): ShipOutcome => {
  const { carrier, merchantId, orderId, shipmentId, trackingNumber } = command
  if (!lives.unshipped.has(shipmentId)) return { _tag: "Shipped", shipmentId, createdAtMillis: atMillis }
  const known = lives.shipments.find((row) => row.orderId === orderId && row.merchantId === merchantId)
  if (known === undefined) {
    return { _tag: "Refused", refusal: { code: "not_shippable", status: lives.statuses.get(orderId) ?? "expired" } }
  }
  if (known.carrier === carrier && known.trackingNumber === trackingNumber) {
    return { _tag: "Shipped", shipmentId: known.shipmentId, createdAtMillis: known.createdAtMillis }
  }
  return { _tag: "Refused", refusal: { code: "already_shipped", shipmentId: known.shipmentId } }
}

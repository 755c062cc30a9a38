/**
 * What PostgreSQL's statement does to payments and shipments, written plainly. Must stay true: each change starts from
 * the status that it takes, at the time of the batch; an order has one payment at most that has or may get its money.
 */
import type { EndingWrite } from "../../domain/batch.ts"
import { type Extend, keyName, type Pay } from "../../domain/commands.ts"
import type { ShipmentId } from "../../domain/ids.ts"
import type { PaymentStatus } from "../../domain/order.ts"
import type { PaymentState } from "../store/ShardStore.ts"
import type { Progress } from "./memoryProgress.ts"
import type { BatchEvent, OrderRow, PaymentRow } from "./memoryRows.ts"
import type { MemoryTables } from "./memoryTables.ts"

/** An order and its entry in the index of keys. */
export const putOrder = (tables: MemoryTables, order: OrderRow): void => {
  tables.orders.put(order)
  tables.orderKeys.put(order)
}

const putPayment = (tables: MemoryTables, payment: PaymentRow): void => {
  tables.payments.put(payment)
  tables.paymentKeys.put(payment)
}

const holdsMoney = (status: PaymentStatus): boolean => status === "processing" || status === "succeeded"

/** Payments of ended orders, payments that begin and those that settle, with the events that they make. */
export const changePayments = (
  progress: Progress,
  ended: ReadonlyArray<Pick<EndingWrite, "orderId" | "status">>,
): { readonly events: ReadonlyArray<BatchEvent>; readonly changed: ReadonlyArray<PaymentState> } => {
  const { tables, write } = progress
  const events: Array<BatchEvent> = []
  const tell = ({ orderId, paymentId, status }: PaymentRow): void => {
    events.push({ type: `payment.${status}`, orderId, paymentId })
  }
  for (const { orderId, status } of ended) {
    if (status !== "refunded") continue
    for (const payment of tables.paymentsOf(orderId)) {
      if (payment.status !== "succeeded") continue
      const returned = { ...payment, status: payment.method === "external" ? "refunded" : "refunding" } as const
      putPayment(tables, returned)
      tell(returned)
    }
  }
  const changed: Array<PaymentState> = []
  for (const payment of [
    ...write.payments.flatMap((command) => begin(progress, command) ?? []),
    ...write.settlements.flatMap((command) => settle(progress, command) ?? []),
  ]) {
    tell(payment)
    const { paymentId, status } = payment
    changed.push({ paymentId, status })
    if (status === "succeeded") events.push({ type: "order.paid", orderId: payment.orderId })
  }
  return { events, changed }
}

const begin = ({ atMillis, tables, write }: Progress, command: Extend): PaymentRow | null => {
  const { caller, extensionMillis, fingerprint, key, orderId, payment: by, paymentId } = command
  const order = tables.orders.get(orderId)
  if (order === undefined || order.homeShard !== write.shard) return null
  if (order.status !== "reserved" || order.expiresAtMillis <= atMillis) return null
  const earlier = tables.paymentsOf(orderId)
  if (earlier.some(({ status }) => holdsMoney(status)) || tables.paymentKeys.get(keyName(command)) !== undefined) {
    return null
  }
  const isPaid = by._tag === "External"
  const payment: PaymentRow = {
    paymentId,
    orderId,
    caller,
    key,
    fingerprint,
    method: isPaid ? "external" : by.method,
    reference: isPaid ? by.reference : null,
    amount: order.total,
    currency: order.currency,
    status: isPaid ? "succeeded" : "processing",
    declineCode: null,
    createdAtMillis: atMillis,
    settledAtMillis: isPaid ? atMillis : null,
  }
  putPayment(tables, payment)
  if (isPaid) putOrder(tables, { ...order, status: "paid", paidAtMillis: atMillis })
  else if (earlier.length === 0) {
    putOrder(tables, { ...order, expiresAtMillis: Math.max(order.expiresAtMillis, atMillis + extensionMillis) })
  }
  return payment
}

const settle = ({ atMillis, tables, write }: Progress, { orderId, paymentId, result }: Pay): PaymentRow | null => {
  const payment = tables.payments.get(paymentId)
  const order = tables.orders.get(orderId)
  if (payment?.orderId !== orderId || order === undefined || order.homeShard !== write.shard) return null
  if (payment.status !== (result._tag === "Refunded" ? "refunding" : "processing")) return null
  const settledAtMillis = payment.settledAtMillis ?? atMillis
  if (result._tag === "Declined") {
    const declined = { ...payment, status: "declined", declineCode: result.declineCode, settledAtMillis } as const
    putPayment(tables, declined)
    return declined
  }
  const isPaid = result._tag === "Succeeded" && order.status === "reserved" && order.expiresAtMillis > atMillis
  const status = result._tag === "Refunded" ? "refunded" : isPaid ? "succeeded" : "refunding"
  const settled = { ...payment, status, settledAtMillis } as const
  putPayment(tables, settled)
  if (isPaid) putOrder(tables, { ...order, status: "paid", paidAtMillis: atMillis })
  return settled
}

interface Moved {
  readonly events: ReadonlyArray<BatchEvent>
  readonly missed: ReadonlyArray<ShipmentId>
}

/** Shipments that leave and those that arrive. */
export const moveShipments = (progress: Progress): { readonly sent: Moved; readonly delivered: Moved } => ({
  sent: send(progress),
  delivered: deliver(progress),
})

const send = ({ atMillis, tables, write }: Progress): Moved => {
  const events: Array<BatchEvent> = []
  const missed: Array<ShipmentId> = []
  for (const { _tag, ...shipment } of write.shipments) {
    const { merchantId, orderId, shipmentId } = shipment
    const order = tables.orders.get(orderId)
    const sellers = new Set(tables.linesOf(orderId).map((line) => tables.products.get(line.productId)?.merchantId))
    const earlier = tables.shipmentsOf(orderId)
    const isSent = earlier.some((other) => other.merchantId === merchantId)
    const isShippable = order?.status === "paid" || order?.status === "partiallyShipped"
    if (!isShippable || order.homeShard !== write.shard || !sellers.has(merchantId) || isSent) {
      missed.push(shipmentId)
      continue
    }
    tables.shipments.insert({ ...shipment, createdAtMillis: atMillis, deliveredAtMillis: null })
    events.push({ type: "shipment.sent", orderId, shipmentId })
    const status = earlier.length + 1 === sellers.size ? "shipped" : "partiallyShipped"
    if (status === order.status) continue
    putOrder(tables, { ...order, status })
    events.push({ type: `order.${status}`, orderId })
  }
  return { events, missed }
}

const deliver = ({ atMillis, tables, write }: Progress): Moved => {
  const events: Array<BatchEvent> = []
  const missed: Array<ShipmentId> = []
  for (const { orderId, shipmentId } of write.deliveries) {
    const order = tables.orders.get(orderId)
    const shipments = tables.shipmentsOf(orderId)
    const shipment = shipments.find((row) => row.shipmentId === shipmentId)
    if (shipment === undefined || shipment.deliveredAtMillis !== null || order?.homeShard !== write.shard) {
      missed.push(shipmentId)
      continue
    }
    tables.shipments.put({ ...shipment, deliveredAtMillis: atMillis })
    events.push({ type: "shipment.delivered", orderId, shipmentId })
    const isLast = shipments.every((row) => row === shipment || row.deliveredAtMillis !== null)
    if (order.status !== "shipped" || !isLast) continue
    putOrder(tables, { ...order, status: "delivered" })
    events.push({ type: "order.delivered", orderId })
  }
  return { events, missed }
}

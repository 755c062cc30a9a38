/**
 * The reference model of orders that are paid, shipped and delivered, one command at a time.
 */
import type { Deliver, Extend, Pay, Ship } from "../../src/domain/commands.ts"
import type { MerchantId, OrderId } from "../../src/domain/ids.ts"
import { isOver, orderOf, productOf, refused, sameKey, statusNow, type Verdict, type World } from "./referenceWorld.ts"
import { remoteMerchantId, remoteProductId } from "./names.ts"

/** A key is asked first, whatever became of the order it paid; then whether there is anything to pay. */
export const extend = (world: World, command: Extend): Verdict => {
  const { caller, extensionMillis, fingerprint, key, orderId, payment, paymentId } = command
  const earlier = world.payments.find((row) => sameKey(row, command))
  if (earlier !== undefined) {
    if (earlier.fingerprint !== fingerprint) return refused({ code: "idempotency_key_reused" })
    return { _tag: "Repeated", id: earlier.paymentId }
  }
  const order = orderOf(world, orderId)
  const status = statusNow(world, orderId)
  if (order === undefined || status === "expired") return refused({ code: "expired" })
  if (status === "cancelled" || status === "refunded") return refused({ code: "not_payable", status })
  if (status !== "reserved") return refused({ code: "already_paid" })
  const others = world.payments.filter((row) => row.orderId === orderId)
  if (others.some((row) => row.status === "processing")) return refused({ code: "payment_in_progress" })

  const isExternal = payment._tag === "External"
  const name = { caller, key, fingerprint, paymentId, orderId }
  world.payments.push({ ...name, isExternal, status: isExternal ? "succeeded" : "processing" })
  if (isExternal) order.status = "paid"
  else if (others.length === 0) {
    order.expiresAtMillis = Math.max(order.expiresAtMillis, world.nowMillis + extensionMillis)
  }
  return { _tag: "Begun", paymentId }
}

/** Money for an order that is not to be paid any more goes back. */
export const pay = (world: World, { orderId, paymentId, result }: Pay): Verdict => {
  const payment = world.payments.find((row) => row.paymentId === paymentId)
  const order = orderOf(world, orderId)
  if (payment === undefined) return { _tag: "Settled", status: null }
  if (payment.orderId !== orderId || order === undefined) return { _tag: "Settled", status: payment.status }
  if (payment.status === "processing" && result._tag === "Declined") payment.status = "declined"
  else if (payment.status === "processing" && result._tag === "Succeeded") {
    const isInTime = order.status === "reserved" && !isOver(world, order)
    payment.status = isInTime ? "succeeded" : "refunding"
    if (isInTime) order.status = "paid"
  } else if (payment.status === "refunding" && result._tag === "Refunded") payment.status = "refunded"
  return { _tag: "Settled", status: payment.status }
}

/** The merchants who sell something in an order. */
export const sellersOf = (world: World, orderId: OrderId): ReadonlySet<MerchantId> =>
  new Set(
    (orderOf(world, orderId)?.lines ?? []).flatMap(({ productId }) =>
      productId === remoteProductId ? [remoteMerchantId] : (productOf(world, productId)?.merchantId ?? []),
    ),
  )

export const ship = (world: World, command: Ship): Verdict => {
  const { _tag, ...shipment } = command
  const { carrier, merchantId, orderId, shipmentId, trackingNumber } = shipment
  const order = orderOf(world, orderId)
  const others = world.shipments.filter((row) => row.orderId === orderId)
  const earlier = others.find((row) => row.merchantId === merchantId)
  if (earlier !== undefined) {
    const isSame = earlier.carrier === carrier && earlier.trackingNumber === trackingNumber
    if (isSame) return { _tag: "Shipped", shipmentId: earlier.shipmentId }
    return refused({ code: "already_shipped", shipmentId: earlier.shipmentId })
  }
  const sellers = sellersOf(world, orderId)
  const isShippable = order?.status === "paid" || order?.status === "partiallyShipped"
  if (!isShippable || !sellers.has(merchantId)) {
    return refused({ code: "not_shippable", status: statusNow(world, orderId) })
  }
  world.shipments.push({ ...shipment, isDelivered: false })
  order.status = others.length + 1 === sellers.size ? "shipped" : "partiallyShipped"
  return { _tag: "Shipped", shipmentId }
}

export const deliver = (world: World, { orderId, shipmentId }: Deliver): Verdict => {
  const shipments = world.shipments.filter((row) => row.orderId === orderId)
  const shipment = shipments.find((row) => row.shipmentId === shipmentId)
  const order = orderOf(world, orderId)
  if (shipment === undefined || order === undefined) return refused({ code: "unknown_shipment" })
  shipment.isDelivered = true
  if (order.status === "shipped" && shipments.every((row) => row.isDelivered)) order.status = "delivered"
  return { _tag: "Delivered" }
}

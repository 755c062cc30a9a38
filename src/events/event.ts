/**
 * An event as the log has it, as it stands once what it speaks of was looked up, and as one viewer sees it. Must stay
 * true: a merchant sees of an order only its own lines and what they come to, and of other merchants' products nothing;
 * `customerRef` is for the merchant whose channel gave it.
 */
import { Struct } from "effect"
import type { MerchantId, OrderId, ProductId, Shard } from "../domain/ids.ts"
import { eventIdOf } from "./cursor.ts"

/** What there is today; a reader takes types it does not know for news. */
export const eventTypes = [
  "order.reserved",
  "order.paid",
  "order.partiallyShipped",
  "order.shipped",
  "order.delivered",
  "order.cancelled",
  "order.expired",
  "order.refunded",
  "payment.processing",
  "payment.succeeded",
  "payment.declined",
  "payment.refunding",
  "payment.refunded",
  "shipment.sent",
  "shipment.delivered",
  "stock.moved",
  "product.amended",
  "waitlist.joined",
  "waitlist.left",
  "offer.made",
  "offer.accepted",
  "offer.declined",
  "offer.expired",
] as const

export interface LoggedEvent {
  readonly shard: Shard
  readonly batch: number
  /** In its batch, from 0. */
  readonly position: number
  readonly createdAtMillis: number
  readonly type: string
  /** What the log tells of it beside its type. */
  readonly fields: Readonly<Record<string, unknown>>
}

export interface EventOrder {
  readonly id: OrderId
  readonly caller: string
  readonly customerRef: string | null
  readonly currency: string
  readonly lines: ReadonlyArray<{
    readonly productId: ProductId
    readonly merchantId: MerchantId
    readonly quantity: number
    readonly unitPrice: number
  }>
}

export interface EventProduct {
  readonly id: ProductId
  readonly merchantId: MerchantId
}

export interface EventMovement {
  readonly id: string
  readonly productId: ProductId
  readonly merchantId: MerchantId
  readonly kind: string
  readonly delta: number
}

export interface ResolvedEvent extends LoggedEvent {
  readonly order: EventOrder | undefined
  readonly product: EventProduct | undefined
  readonly movement: EventMovement | undefined
}

export type EventViewer = { readonly _tag: "Admin" } | { readonly _tag: "Merchant"; readonly merchantId: MerchantId }

export interface Event {
  readonly id: string
  readonly type: string
  readonly createdAtMillis: number
  /** What it is of: events of one subject are in their order. */
  readonly subject: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Events of orders, of how they are paid and how they travel, are the order's; all others are a product's. */
export const isOfOrder = ({ type }: Pick<LoggedEvent, "type">): boolean => /^(order|payment|shipment)\./.test(type)

export const textField = ({ fields }: LoggedEvent, name: string): string | undefined => {
  const value = fields[name]
  return typeof value === "string" ? value : undefined
}

/** The event as this viewer sees it, or null where it is not for it. */
export const eventFor = (event: ResolvedEvent, viewer: EventViewer): Event | null => {
  const data = isOfOrder(event) ? orderData(event, viewer) : productData(event, viewer)
  if (data === null) return null
  const { batch, createdAtMillis, movement, order, position, product, shard, type } = event
  const id = eventIdOf(shard, batch, position)
  return { id, type, createdAtMillis, subject: (order ?? product)?.id ?? movement?.productId ?? id, data }
}

const sees = (viewer: EventViewer, merchantId: MerchantId | undefined): boolean =>
  viewer._tag === "Admin" || viewer.merchantId === merchantId

/** Of which account it is is the service's business and not the merchant's. */
const withoutPeople = (fields: LoggedEvent["fields"]): LoggedEvent["fields"] => Struct.omit(fields, ["accountId"])

const statusOf = (type: string): string => type.slice(type.indexOf(".") + 1)

const orderData = (event: ResolvedEvent, viewer: EventViewer): Event["data"] | null => {
  const { fields, order, type } = event
  const lines = (order?.lines ?? []).filter((line) => sees(viewer, line.merchantId))
  if (viewer._tag === "Merchant" && lines.length === 0) return null
  if (!type.startsWith("order.") || order === undefined) return { ...fields, status: statusOf(type) }
  const isOwn = viewer._tag === "Merchant" && order.caller === viewer.merchantId
  const money = (amount: number) => ({ amount, currency: order.currency })
  return {
    ...fields,
    status: statusOf(type),
    ...(isOwn && order.customerRef !== null ? { customerRef: order.customerRef } : {}),
    lines: lines.map(({ productId, quantity, unitPrice }) => ({ productId, quantity, unitPrice: money(unitPrice) })),
    total: money(lines.reduce((total, line) => total + line.quantity * line.unitPrice, 0)),
  }
}

const productData = (event: ResolvedEvent, viewer: EventViewer): Event["data"] | null => {
  const { fields, movement, product } = event
  if (!sees(viewer, (movement ?? product)?.merchantId)) return null
  const seen = viewer._tag === "Admin" ? fields : withoutPeople(fields)
  return movement === undefined
    ? seen
    : { ...seen, productId: movement.productId, kind: movement.kind, delta: movement.delta }
}

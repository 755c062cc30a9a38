/**
 * Shipping what was paid: one shipment for each merchant of an order, sent by that merchant and said to have arrived by
 * it. The order's home shard decides, as it does everything about an order.
 *
 * Must stay true: a merchant ships its own lines and no others; the same shipment said twice is one.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { type MerchantId, type OrderId, ShipmentId } from "../domain/ids.ts"
import type { Shipment } from "../domain/order.ts"
import type { DeliverRefusal, ShipRefusal } from "../domain/refusals.ts"
import { Inventory } from "../inventory/Inventory.ts"
import { stillRefused } from "../inventory/laterStatus.ts"
import { type CommandError, OutcomeUnknown } from "../inventory/shard/mailboxEntry.ts"
import { OrderReads } from "./OrderReads.ts"

export interface NewShipment {
  readonly carrier: string
  readonly trackingNumber: string
  /** Required of somebody who acts for several merchants of the order. */
  readonly merchantId: MerchantId | null
}

export type Sent =
  | { readonly _tag: "Sent"; readonly shipment: Shipment }
  | { readonly _tag: "Refused"; readonly refusal: ShipRefusal | { readonly code: "merchant_required" } }

export type Arrived =
  | { readonly _tag: "Arrived"; readonly shipment: Shipment }
  | { readonly _tag: "Refused"; readonly refusal: DeliverRefusal }

export class Shipments extends Context.Service<
  Shipments,
  {
    /**
     * Sends what these merchants sell in the order; null where they sell nothing in it. Fails as `Orders.place` does.
     */
    readonly send: (
      merchantIds: ReadonlyArray<MerchantId>,
      orderId: OrderId,
      wanted: NewShipment,
    ) => Effect.Effect<Sent | null, CommandError>
    /** Says that a shipment of these merchants, or of anybody where null, has arrived; null where there is none. */
    readonly deliver: (
      merchantIds: ReadonlyArray<MerchantId> | null,
      shipmentId: ShipmentId,
    ) => Effect.Effect<Arrived | null, CommandError>
  }
>()("hedonify/orders/Shipments") {
  static readonly layer = (settings: { readonly orderDeadlineMillis: number }) =>
    Layer.effect(Shipments, make(settings))
}

const make = Effect.fnUntraced(function* (settings: { readonly orderDeadlineMillis: number }) {
  const inventory = yield* Inventory
  const reads = yield* OrderReads
  const random = yield* SecureRandom.SecureRandom
  const deadline = Effect.map(Clock.currentTimeMillis, (nowMillis) => nowMillis + settings.orderDeadlineMillis)

  const send = Effect.fn("Shipments.send")(function* (
    merchantIds: ReadonlyArray<MerchantId>,
    orderId: OrderId,
    { carrier, merchantId: named, trackingNumber }: NewShipment,
  ): Effect.fn.Return<Sent | null, CommandError> {
    const deadlineMillis = yield* deadline
    const order = yield* reads.byId(orderId)
    if (order === null) return null
    const sellers = new Set(order.lines.map((line) => line.merchantId))
    const theirs = merchantIds.filter((id) => sellers.has(id) && (named === null || named === id))
    const [merchantId] = theirs
    if (merchantId === undefined) return null
    if (theirs.length > 1) return { _tag: "Refused", refusal: { code: "merchant_required" } }
    const shipmentId = ShipmentId.make(yield* random.uuidV7())
    const shipment = { shipmentId, orderId, merchantId, carrier, trackingNumber }
    const outcome = yield* inventory.submit(order.homeShard, { _tag: "Ship" as const, ...shipment }, deadlineMillis)
    if (outcome._tag === "Refused") return yield* stillRefused(outcome, ["shipped"])
    return (yield* sent(outcome.shipmentId)) ?? (yield* new OutcomeUnknown())
  })

  /** It is on its way by now, whatever keeps it from being shown. */
  const sent = (shipmentId: ShipmentId) =>
    reads.shipment(shipmentId).pipe(
      Effect.mapError(() => new OutcomeUnknown()),
      Effect.map((found) => (found === null ? null : ({ _tag: "Sent", shipment: found.shipment } as const))),
    )

  const deliver = Effect.fn("Shipments.deliver")(function* (
    merchantIds: ReadonlyArray<MerchantId> | null,
    shipmentId: ShipmentId,
  ): Effect.fn.Return<Arrived | null, CommandError> {
    const deadlineMillis = yield* deadline
    const known = yield* reads.shipment(shipmentId)
    if (known === null || merchantIds?.includes(known.shipment.merchantId) === false) return null
    const { homeShard, orderId } = known
    const outcome = yield* inventory.submit(
      homeShard,
      { _tag: "Deliver" as const, orderId, shipmentId },
      deadlineMillis,
    )
    if (outcome._tag === "Refused") return outcome
    const found = yield* Effect.mapError(reads.shipment(shipmentId), () => new OutcomeUnknown())
    return found === null ? null : { _tag: "Arrived", shipment: found.shipment }
  })

  return Shipments.of({ send, deliver })
})

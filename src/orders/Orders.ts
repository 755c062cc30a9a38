/**
 * Placing orders, looking at them, cancelling and refunding them. Placing is the one way a unit is ever sold: from lines
 * that the caller names, or by checking out its cart.
 *
 * Must stay true: a reader sees its own orders, a merchant its own lines, everybody else nothing; only whoever placed
 * an order cancels it, and only who sells all of it refunds it.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { Carts } from "../carts/Carts.ts"
import { CallerId, type MerchantId, type OrderId } from "../domain/ids.ts"
import type { Money } from "../domain/money.ts"
import { mergeLines, type Order, type RequestedLine } from "../domain/order.ts"
import type { CancelRefusal, RefundRefusal } from "../domain/refusals.ts"
import { orderFingerprint } from "../inventory/fingerprint.ts"
import { type Busy, type CommandError, OutcomeUnknown } from "../inventory/shard/mailboxEntry.ts"
import { OrderCoordinator } from "../inventory/OrderCoordinator.ts"
import { OrderEnding } from "../inventory/OrderEnding.ts"
import { spanned } from "../platform/tracing/spans.ts"
import { type CheckedOut, type CheckOut, makeCheckout } from "./checkout.ts"
import type { OrderFilter, OrderPage } from "./orderLists.ts"
import { OrderReads } from "./OrderReads.ts"
import { type Buyer, makePlacing, type OrderSettings, type Placed } from "./placing.ts"

/** Lines may name a product twice; merged, each must be within `lineQuantityMax`, which the edge checks. */
export interface PlaceOrder {
  readonly idempotencyKey: string
  readonly lines: ReadonlyArray<RequestedLine>
  readonly expectedTotal: Money | null
}

/** Who looks: its own orders as a caller, its merchants' lines of others, everything as an admin. */
export interface Viewer {
  readonly caller: CallerId
  readonly merchantIds: ReadonlyArray<MerchantId>
  readonly isAdmin: boolean
}

export type Cancelled =
  /** The order as it is now, cancelled by this request or before. */
  { readonly _tag: "Cancelled"; readonly order: Order } | { readonly _tag: "Refused"; readonly refusal: CancelRefusal }

export type Refunded =
  /** The order as it is now, refunded by this request or before. */
  | { readonly _tag: "Refunded"; readonly order: Order }
  | { readonly _tag: "Refused"; readonly refusal: RefundRefusal }
  /** The viewer may see the order and not refund it. */
  | { readonly _tag: "NotTheirs" }

export class Orders extends Context.Service<
  Orders,
  {
    /**
     * Places an order or says why not. Fails with `Busy` (nothing happened, try again), `OutcomeUnknown` (ask again
     * with the same key) or `CommandFailed` (ours), within the order deadline. Interruption gives up what still waits.
     */
    readonly place: (buyer: Buyer, wanted: PlaceOrder) => Effect.Effect<Placed, CommandError>
    /** Places an order of what is in the buyer's cart and empties it, or says why not. Fails as `place` does. */
    readonly checkout: (buyer: Buyer, wanted: CheckOut) => Effect.Effect<CheckedOut, CommandError>
    /**
     * Cancels the caller's own reservation, or refunds it where it is paid and nothing was shipped; null where it has no
     * order of this id. Fails as `place` does.
     */
    readonly cancel: (caller: CallerId, orderId: OrderId) => Effect.Effect<Cancelled | null, CommandError>
    /** Refunds a paid order of which nothing was shipped, for the merchant of all its lines or an admin; null where there is none. */
    readonly refund: (viewer: Viewer, orderId: OrderId) => Effect.Effect<Refunded | null, CommandError>
    /** The order as this viewer may see it, or null. Fails with `Busy` where PostgreSQL cannot be asked. */
    readonly get: (viewer: Viewer, orderId: OrderId) => Effect.Effect<Order | null, Busy>
    /** What the viewer placed and what its merchants sell in, each as `get` shows it, the newest first. */
    readonly list: (viewer: Viewer, filter: OrderFilter) => Effect.Effect<OrderPage, Busy>
  }
>()("hedonify/orders/Orders") {
  static readonly layer = (settings: OrderSettings) => Layer.effect(Orders, make(settings))
}

const make = Effect.fnUntraced(function* (settings: OrderSettings) {
  const coordinator = yield* OrderCoordinator
  const ending = yield* OrderEnding
  const carts = yield* Carts
  const random = yield* SecureRandom.SecureRandom
  const reads = yield* OrderReads
  const placing = makePlacing({ coordinator, random, reads, settings })

  const place = Effect.fnUntraced(function* (
    buyer: Buyer,
    { expectedTotal, idempotencyKey: key, lines: wanted }: PlaceOrder,
  ): Effect.fn.Return<Placed, CommandError> {
    const lines = mergeLines(wanted)
    const deadlineMillis = (yield* Clock.currentTimeMillis) + settings.orderDeadlineMillis
    const fingerprint = orderFingerprint(lines, buyer.customerRef)
    const named = { key, fingerprint, holdFingerprint: fingerprint, lines, expectedTotal, cartVersion: null }
    const placed = yield* placing(buyer, named, deadlineMillis)
    return placed._tag === "CartChanged" ? yield* Effect.die("an order without a cart found it changed") : placed
  }, spanned("Orders.place"))

  const cancel = Effect.fn("Orders.cancel")(function* (
    caller: CallerId,
    orderId: OrderId,
  ): Effect.fn.Return<Cancelled | null, CommandError> {
    const outcome = yield* ending.cancel(caller, orderId)
    if (outcome === null || outcome._tag === "Refused") return outcome
    // It is cancelled by now, whatever keeps it from being shown.
    const order = yield* Effect.mapError(reads.byId(orderId), () => new OutcomeUnknown())
    return order === null ? null : { _tag: "Cancelled", order }
  })

  const refund = Effect.fn("Orders.refund")(function* (
    viewer: Viewer,
    orderId: OrderId,
  ): Effect.fn.Return<Refunded | null, CommandError> {
    const order = yield* reads.byId(orderId)
    if (order === null || seenBy(viewer, order) === null) return null
    const sellsAll = order.lines.every((line) => viewer.merchantIds.includes(line.merchantId))
    if (!viewer.isAdmin && !sellsAll) return { _tag: "NotTheirs" }
    const outcome = yield* ending.refund(orderId)
    if (outcome === null || outcome._tag === "Refused") return outcome
    const now = yield* Effect.mapError(reads.byId(orderId), () => new OutcomeUnknown())
    const seen = now === null ? null : seenBy(viewer, now)
    return seen === null ? null : { _tag: "Refunded", order: seen }
  })

  const get = Effect.fn("Orders.get")(function* (viewer: Viewer, orderId: OrderId) {
    const order = yield* reads.byId(orderId)
    return order === null ? null : seenBy(viewer, order)
  })

  const list = Effect.fn("Orders.list")(function* (viewer: Viewer, filter: OrderFilter) {
    const { isAdmin, merchantIds } = viewer
    const page = yield* reads.list({ callers: callersOf(viewer), sellers: isAdmin ? "everybody" : merchantIds }, filter)
    return { ...page, data: page.data.flatMap((order) => seenBy(viewer, order) ?? []) }
  })

  const checkout = makeCheckout({ carts, place: placing, reads, settings })
  return Orders.of({ place, checkout, cancel, refund, get, list })
})

/** As whom a viewer orders: as itself, and through the channels of its merchants. */
const callersOf = ({ caller, merchantIds }: Viewer): ReadonlyArray<CallerId> => [
  caller,
  ...merchantIds.map((merchantId) => CallerId.make(merchantId)),
]

/** As an admin sees it, or whoever placed it. */
export const isSeenInFull = (viewer: Viewer, order: Pick<Order, "caller">): boolean =>
  viewer.isAdmin || callersOf(viewer).includes(order.caller)

/** Of what others placed a merchant sees its own lines and shipments, and of the money only what these cost. */
const seenBy = (viewer: Viewer, order: Order): Order | null => {
  if (isSeenInFull(viewer, order)) return order
  const isTheirs = ({ merchantId }: { readonly merchantId: MerchantId }) => viewer.merchantIds.includes(merchantId)
  const lines = order.lines.filter(isTheirs)
  if (lines.length === 0) return null
  const amount = lines.reduce((sum, line) => sum + line.lineTotal.amount, 0)
  const total = { amount, currency: order.total.currency }
  return { ...order, customerRef: null, lines, total, payments: [], shipments: order.shipments.filter(isTheirs) }
}

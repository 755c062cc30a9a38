/**
 * Ending orders: cancelled by their caller, refunded by their merchant, or expired when nobody paid. The order's home
 * decides under its own clock; units of other shards travel as returns, which are handed to those shards at once and by
 * the sweeper where that is missed.
 *
 * Must stay true: the lines that go with the command are the order's own, all of them, since the home gives back what
 * they name; whoever is told "cancelled" finds the units back wherever their shards could be reached in time.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import type { CancelOutcome, EndingLine, EndingOrder, RefundOutcome } from "../domain/commands.ts"
import type { CallerId, OrderId, Shard } from "../domain/ids.ts"
import { stillRefused } from "./laterStatus.ts"
import { Inventory } from "./Inventory.ts"
import { Busy, type CommandError } from "./shard/mailboxEntry.ts"
import { type EndableOrder, ShardStore } from "./store/ShardStore.ts"

export class OrderEnding extends Context.Service<
  OrderEnding,
  {
    /** Cancels the caller's order; null where it has none of this id. Fails as `ShardActor.submit` does. */
    readonly cancel: (caller: CallerId, orderId: OrderId) => Effect.Effect<CancelOutcome | null, CommandError>
    /** Refunds an order that was paid and of which nothing was shipped; null where there is none. Fails as `cancel` does. */
    readonly refund: (orderId: OrderId) => Effect.Effect<RefundOutcome | null, CommandError>
    /** Ends a reservation whose time is over; one that may not end any more is left as it is. */
    readonly expire: (order: EndableOrder) => Effect.Effect<void, CommandError>
  }
>()("hedonify/inventory/OrderEnding") {
  static readonly layer = (settings: { readonly orderDeadlineMillis: number }) =>
    Layer.effect(OrderEnding, make(settings))
}

const make = Effect.fnUntraced(function* (settings: { readonly orderDeadlineMillis: number }) {
  const inventory = yield* Inventory
  const store = yield* ShardStore
  const random = yield* SecureRandom.SecureRandom

  const ending = Effect.fnUntraced(function* ({ lines, orderId }: EndableOrder): Effect.fn.Return<EndingOrder> {
    const named = yield* Effect.forEach(lines, (line) =>
      Effect.map(random.uuidV7(), (returnId): EndingLine => ({ ...line, returnId })),
    )
    return { orderId, lines: named }
  })
  const deadline = Effect.map(Clock.currentTimeMillis, (nowMillis) => nowMillis + settings.orderDeadlineMillis)

  /** A return that its shard does not get here is left to the sweeper. */
  const takeBack = (homeShard: Shard, { lines }: EndingOrder, deadlineMillis: number) =>
    Effect.forEach(
      lines.filter((line) => line.shard !== homeShard),
      ({ productId, returnId, shard }) =>
        Effect.option(inventory.submit(shard, { _tag: "Return", productId, returnId }, deadlineMillis)),
      { concurrency: "unbounded", discard: true },
    )

  const cancel = Effect.fn("OrderEnding.cancel")(function* (
    caller: CallerId,
    orderId: OrderId,
  ): Effect.fn.Return<CancelOutcome | null, CommandError> {
    const deadlineMillis = yield* deadline
    const order = yield* store.endableOrder(orderId).pipe(Effect.mapError(() => new Busy()))
    if (order === null || order.caller !== caller) return null
    // Every other status stays what it is to a cancellation, so nobody has to be asked.
    if (order.status === "cancelled" || order.status === "refunded") return { _tag: "AlreadyCancelled" }
    if (order.status !== "reserved" && order.status !== "paid") {
      return { _tag: "Refused", refusal: { code: "not_cancellable", status: order.status } }
    }
    const command = yield* ending(order)
    const outcome = yield* inventory.submit(order.homeShard, { ...command, _tag: "Cancel" as const }, deadlineMillis)
    if (outcome._tag === "Cancelled") yield* takeBack(order.homeShard, command, deadlineMillis)
    return outcome._tag === "Refused" ? yield* stillRefused(outcome, ["cancelled", "refunded"]) : outcome
  })

  const refund = Effect.fn("OrderEnding.refund")(function* (
    orderId: OrderId,
  ): Effect.fn.Return<RefundOutcome | null, CommandError> {
    const deadlineMillis = yield* deadline
    const order = yield* store.endableOrder(orderId).pipe(Effect.mapError(() => new Busy()))
    if (order === null) return null
    if (order.status === "refunded") return { _tag: "AlreadyRefunded" }
    const command = yield* ending(order)
    const outcome = yield* inventory.submit(order.homeShard, { ...command, _tag: "Refund" as const }, deadlineMillis)
    if (outcome._tag === "Refunded") yield* takeBack(order.homeShard, command, deadlineMillis)
    return outcome._tag === "Refused" ? yield* stillRefused(outcome, ["refunded"]) : outcome
  })

  const expire = Effect.fnUntraced(function* (order: EndableOrder): Effect.fn.Return<void, CommandError> {
    const deadlineMillis = yield* deadline
    const command = yield* ending(order)
    yield* inventory.submit(order.homeShard, { ...command, _tag: "Expire" as const }, deadlineMillis)
    yield* takeBack(order.homeShard, command, deadlineMillis)
  })

  return OrderEnding.of({ cancel, refund, expire })
})

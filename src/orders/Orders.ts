/**
 * Placing orders and looking at them. Placing is the one way a unit is ever sold: it makes the command, lets the
 * inventory decide, and shows the order as it is.
 *
 * Must stay true: what an order costs, who it is for and when it was placed come from the inventory's answer or from
 * the rows, never from the request; a reader sees its own orders, a merchant its own lines, everybody else nothing.
 */
import { PgClient } from "@effect/sql-pg"
import { Clock, Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import type { Customer, SoldLine } from "../domain/commands.ts"
import { type CallerId, type MerchantId, OrderId } from "../domain/ids.ts"
import type { Money } from "../domain/money.ts"
import { mergeLines, type Order, type OrderLine, type RequestedLine } from "../domain/order.ts"
import type { Page } from "../domain/page.ts"
import type { OrderRefusal } from "../domain/refusals.ts"
import { orderFingerprint } from "../inventory/fingerprint.ts"
import { Busy, type CommandError } from "../inventory/mailboxEntry.ts"
import { OrderCoordinator } from "../inventory/OrderCoordinator.ts"
import { spanned } from "../platform/spans.ts"
import { type OrderFilter, readOrders } from "./orderReads.ts"

/** Who places an order: whose keys count, and who the units are counted for. */
export interface Buyer {
  readonly caller: CallerId
  readonly customer: Customer
  readonly customerRef: string | null
}

/** A customer buying for itself. */
export const accountBuyer = (caller: CallerId): Buyer => ({ caller, customer: caller, customerRef: null })

/** Lines may name a product twice; merged, each must be within `lineQuantityMax`, which the edge checks. */
export interface PlaceOrder {
  readonly idempotencyKey: string
  readonly lines: ReadonlyArray<RequestedLine>
  readonly expectedTotal: Money | null
}

export type Placed =
  /** `isReplayed`: the key was known, and this is its order as it is now. */
  | { readonly _tag: "Placed"; readonly order: Order; readonly isReplayed: boolean }
  | { readonly _tag: "Refused"; readonly refusal: OrderRefusal }

/** Who looks: its own orders as a caller, its merchants' lines of others, everything as an admin. */
export interface Viewer {
  readonly caller: CallerId
  readonly merchantIds: ReadonlyArray<MerchantId>
  readonly isAdmin: boolean
}

export interface OrderSettings {
  readonly orderDeadlineMillis: number
  readonly reservationTtlMillis: number
}

export class Orders extends Context.Service<
  Orders,
  {
    /**
     * Places an order or says why not. Fails with `Busy` (nothing happened, try again), `OutcomeUnknown` (ask again
     * with the same key) or `CommandFailed` (ours), within the order deadline. Interruption gives up what still waits.
     */
    readonly place: (buyer: Buyer, wanted: PlaceOrder) => Effect.Effect<Placed, CommandError>
    /** The order as this viewer may see it, or null. Fails with `Busy` where PostgreSQL cannot be asked. */
    readonly get: (viewer: Viewer, orderId: OrderId) => Effect.Effect<Order | null, Busy>
    /** The caller's own orders, newest first. */
    readonly list: (caller: CallerId, filter: OrderFilter) => Effect.Effect<Page<Order>, Busy>
  }
>()("hedonify/orders/Orders") {
  static readonly layer = (settings: OrderSettings) => Layer.effect(Orders, make(settings))
}

const make = Effect.fnUntraced(function* (settings: OrderSettings) {
  const coordinator = yield* OrderCoordinator
  const random = yield* SecureRandom.SecureRandom
  const sql = yield* PgClient.PgClient
  const reads = readOrders(sql)

  const place = Effect.fnUntraced(function* (
    { caller, customer, customerRef }: Buyer,
    { expectedTotal, idempotencyKey, lines: wanted }: PlaceOrder,
  ): Effect.fn.Return<Placed, CommandError> {
    const lines = mergeLines(wanted)
    const orderId = OrderId.make(yield* random.uuidV7())
    const { orderDeadlineMillis, reservationTtlMillis } = settings
    const deadlineMillis = (yield* Clock.currentTimeMillis) + orderDeadlineMillis
    const fingerprint = orderFingerprint(lines, customerRef)
    const request = { caller, customer, customerRef, key: idempotencyKey, fingerprint, orderId, lines, expectedTotal }
    const outcome = yield* coordinator.place({ ...request, reservationTtlMillis }, deadlineMillis)
    switch (outcome._tag) {
      case "Refused":
        return outcome
      case "Repeated": {
        const order = yield* reads.byId(outcome.orderId)
        // It is there, since its key is: only a database that went away can hide it.
        return order === null ? yield* new Busy() : { _tag: "Placed", order, isReplayed: true }
      }
      case "Accepted": {
        const { createdAtMillis, expiresAtMillis, homeShard, total } = outcome
        const order: Order = {
          id: outcome.orderId,
          caller,
          customerRef,
          homeShard,
          status: "reserved",
          lines: outcome.lines.map((line) => orderLine(line, total.currency)).sort(byProduct),
          total,
          createdAtMillis,
          expiresAtMillis,
          paidAtMillis: null,
        }
        return { _tag: "Placed", order, isReplayed: false }
      }
    }
  }, spanned("Orders.place"))

  const get = Effect.fn("Orders.get")(function* (viewer: Viewer, orderId: OrderId) {
    const order = yield* reads.byId(orderId)
    if (order === null || viewer.isAdmin || order.caller === viewer.caller) return order
    const lines = order.lines.filter((line) => viewer.merchantIds.includes(line.merchantId))
    if (lines.length === 0) return null
    const amount = lines.reduce((sum, line) => sum + line.lineTotal.amount, 0)
    return { ...order, customerRef: null, lines, total: { amount, currency: order.total.currency } }
  })

  return Orders.of({ place, get, list: Effect.fn("Orders.list")(reads.list) })
})

const byProduct = (left: OrderLine, right: OrderLine): number => (left.productId < right.productId ? -1 : 1)

const orderLine = ({ merchantId, name, productId, quantity, unitPrice }: SoldLine, currency: string): OrderLine => ({
  productId,
  name,
  quantity,
  unitPrice: { amount: unitPrice, currency },
  lineTotal: { amount: unitPrice * quantity, currency },
  merchantId,
})

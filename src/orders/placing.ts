/**
 * Placing, whatever an order was made from: makes the command, lets the inventory decide, and shows the order as it is.
 *
 * Must stay true: what an order costs, who it is for and when it was placed come from the inventory's answer or from
 * the rows, never from the request.
 */
import { Effect } from "effect"
import type { SecureRandom } from "effect/crypto"
import type { Customer, SoldLine } from "../domain/commands.ts"
import { type CallerId, OrderId } from "../domain/ids.ts"
import type { Money } from "../domain/money.ts"
import type { Order, OrderLine, RequestedLine } from "../domain/order.ts"
import type { OrderRefusal } from "../domain/refusals.ts"
import { Busy, type CommandError } from "../inventory/shard/mailboxEntry.ts"
import type { CoordinatedOutcome } from "../inventory/askedOrders.ts"
import type { OrderCoordinator } from "../inventory/OrderCoordinator.ts"
import { noted, noteOnRequest } from "../platform/tracing/spans.ts"
import type { OrderReads } from "./OrderReads.ts"

/** Who places an order: whose keys count, and who the units are counted for. */
export interface Buyer {
  readonly caller: CallerId
  readonly customer: Customer
  readonly customerRef: string | null
}

/** A customer buying for itself. */
export const accountBuyer = (caller: CallerId): Buyer => ({ caller, customer: caller, customerRef: null })

/** A channel buying for the customer that it names. */
export const channelBuyer = (caller: CallerId, customerRef: string): Buyer => ({
  caller,
  customer: `ref:${customerRef}`,
  customerRef,
})

export type Placed =
  /** `isReplayed`: the key was known, and this is its order as it is now. */
  | { readonly _tag: "Placed"; readonly order: Order; readonly isReplayed: boolean }
  | { readonly _tag: "Refused"; readonly refusal: OrderRefusal }

export interface OrderSettings {
  readonly orderDeadlineMillis: number
  readonly reservationTtlMillis: number
}

/** `lines` as `mergeLines` leaves them; the rest as in `OrderRequest`. */
export interface ToPlace {
  readonly key: string
  readonly fingerprint: string
  readonly holdFingerprint: string
  readonly lines: ReadonlyArray<RequestedLine>
  readonly expectedTotal: Money | null
  readonly cartVersion: number | null
}

/** The parts of the inventory and of the rows that placing stands on. */
export interface PlacingParts {
  readonly coordinator: OrderCoordinator["Service"]
  readonly random: SecureRandom.SecureRandom["Service"]
  readonly reads: OrderReads["Service"]
  readonly settings: OrderSettings
}

type CartChanged = Extract<CoordinatedOutcome, { readonly _tag: "CartChanged" }>

export const makePlacing = ({ coordinator, random, reads, settings }: PlacingParts) =>
  Effect.fnUntraced(function* (
    buyer: Buyer,
    wanted: ToPlace,
    deadlineMillis: number,
  ): Effect.fn.Return<Placed | CartChanged, CommandError> {
    const orderId = OrderId.make(yield* random.uuidV7())
    const { reservationTtlMillis } = settings
    const outcome = yield* coordinator.place({ ...buyer, ...wanted, orderId, reservationTtlMillis }, deadlineMillis)
    yield* noteOutcome(outcome)
    switch (outcome._tag) {
      case "CartChanged":
      case "Refused":
        return outcome
      case "Repeated": {
        const order = yield* reads.byId(outcome.orderId)
        // It is there, since its key is: only a database that went away can hide it.
        return order === null ? yield* new Busy() : { _tag: "Placed", order, isReplayed: true }
      }
      case "Accepted":
        return { _tag: "Placed", order: orderOf(buyer, outcome), isReplayed: false }
    }
  })

/** What came of it, for the order's trace and the request's line. */
const noteOutcome = (outcome: CoordinatedOutcome): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    if (outcome._tag === "Accepted" || outcome._tag === "Repeated") {
      noteOnRequest(fiber, "hedonify.order.id", outcome.orderId)
    }
    if (outcome._tag === "Accepted") noteOnRequest(fiber, "hedonify.shard", outcome.homeShard)
    return noted(() => ({
      "hedonify.outcome": outcome._tag,
      ...("orderId" in outcome ? { "hedonify.order.id": outcome.orderId } : {}),
      ...(outcome._tag === "Refused" ? { "hedonify.refusal.code": outcome.refusal.code } : {}),
    }))
  })

/** An order as it was placed just now. */
export const orderOf = (
  { caller, customerRef }: Buyer,
  accepted: Extract<CoordinatedOutcome, { readonly _tag: "Accepted" }>,
): Order => {
  const { createdAtMillis, expiresAtMillis, homeShard, lines, orderId, total } = accepted
  return {
    id: orderId,
    caller,
    customerRef,
    homeShard,
    status: "reserved",
    lines: lines.map((line) => orderLine(line, total.currency)).sort(byProduct),
    total,
    createdAtMillis,
    expiresAtMillis,
    paidAtMillis: null,
    payments: [],
    shipments: [],
  }
}

const byProduct = (left: OrderLine, right: OrderLine): number => (left.productId < right.productId ? -1 : 1)

const orderLine = ({ merchantId, name, productId, quantity, unitPrice }: SoldLine, currency: string): OrderLine => ({
  productId,
  name,
  quantity,
  unitPrice: { amount: unitPrice, currency },
  lineTotal: { amount: unitPrice * quantity, currency },
  merchantId,
})

/**
 * What a plan is made of while it is made: the products as the batch leaves them so far, and everything that a later
 * command of the same batch has to know of the earlier ones.
 */
import type {
  AmendmentWrite,
  EndingWrite,
  HoldExtension,
  HoldWrite,
  KnownHold,
  OfferWrite,
  OrderWrite,
  ProductState,
  Waiter,
} from "../../domain/batch.ts"
import type {
  Deliver,
  Extend,
  Join,
  Leave,
  Outcome,
  Pay,
  Release,
  Restock,
  Return,
  Ship,
  SoldLine,
} from "../../domain/commands.ts"
import type { CallerId, MerchantId, OrderId, ProductId, Shard, StockMovementId } from "../../domain/ids.ts"

/** What the planner may know beyond the stock. */
export interface Facts {
  /** Orders by `keyName`. */
  readonly orders: ReadonlyMap<string, { readonly orderId: OrderId; readonly fingerprint: string }>
  /** Movements by `keyName`. */
  readonly movements: ReadonlyMap<string, { readonly movementId: StockMovementId; readonly fingerprint: string }>
  /** Rows of existing holds by `holdName`. */
  readonly holds: ReadonlyMap<string, ReadonlyArray<KnownHold>>
  /** Units under holds, for products that may have any. */
  readonly heldUnits: ReadonlyMap<ProductId, number>
  /** Units customers have of products that count them, by `unitsName`: every such pair of the batch. */
  readonly units: ReadonlyMap<string, number>
  /**
   * For products that are to be offered: those who wait for no more than there is, the earliest first, and no more than
   * `offersMax` and one.
   */
  readonly waiters: ReadonlyMap<ProductId, ReadonlyArray<Waiter>>
}

/** How one command of the batch ends if the commit goes as planned. */
export type Decision =
  /** Written as the order, movement, ending, edit or so of this index in the plan's write. */
  | { readonly _tag: "Order"; readonly order: number; readonly lines: ReadonlyArray<SoldLine> }
  | {
      readonly _tag: "Hold"
      readonly extension: HoldExtension | null
      readonly currency: string
      readonly lines: ReadonlyArray<SoldLine>
      readonly reservationTtlSeconds: number | null
    }
  | { readonly _tag: "Movement"; readonly movement: number }
  | { readonly _tag: "Ending"; readonly ending: number }
  | { readonly _tag: "Amendment"; readonly amendment: number }
  | { readonly _tag: "Payment"; readonly payment: number }
  | { readonly _tag: "Settlement"; readonly settlement: number }
  | { readonly _tag: "Shipment"; readonly shipment: number }
  | { readonly _tag: "Delivery"; readonly delivery: number }
  | { readonly _tag: "Join" }
  | { readonly _tag: "Offers"; readonly offers: ReadonlyArray<OfferWrite> }
  | { readonly _tag: "Done" }
  /** Asks for the same as an earlier command of this batch that takes effect: ends as a repeat of it. */
  | { readonly _tag: "Same"; readonly as: number }
  /** Known already; nothing is written for it. */
  | { readonly _tag: "Answered"; readonly outcome: Outcome }

/** The plan ends before this command: it needs what the batch itself gives back, takes away or changes. */
export const later = Symbol("later")

export interface Draft {
  readonly shard: Shard
  readonly products: ReadonlyMap<ProductId, ProductState>
  readonly facts: Facts
  readonly nowMillis: number
  readonly available: Map<ProductId, number>
  readonly stocked: Map<ProductId, number>
  readonly units: Map<string, number>
  /** Units that holds of this batch take. */
  readonly heldUnits: Map<ProductId, number>
  /** Products that this batch gives units back to, whose gain is not known before the commit. */
  readonly gains: Set<ProductId>
  /** Keys that take effect in this batch, with the position of their command. */
  readonly orderKeys: Map<string, number>
  readonly movementKeys: Map<string, number>
  /** Holds that this batch makes, extends, releases or sells: each once, since its statement knows no order. */
  readonly holdNames: Set<string>
  /** Callers whose cart this batch sells. */
  readonly carts: Set<CallerId>
  /** Orders whose status or payments this batch changes, each once, with the position of their command. */
  readonly changed: Map<OrderId, { readonly at: number; readonly ending: EndingWrite | null }>
  readonly paymentKeys: Set<string>
  /** Products whose waiting list this batch offers to, and whether it may go on after this batch. */
  readonly offered: Map<ProductId, { readonly mayGoOn: boolean }>
  /** Places on waiting lists that this batch gives or takes, by `unitsName`, and their products. */
  readonly places: Set<string>
  readonly joined: Set<ProductId>
  /** Merchants whose products are read anew after this batch. */
  readonly refreshed: Set<MerchantId>
  /** Products that this batch edits: what comes after the edit is decided on what it left. */
  readonly amended: Set<ProductId>
  readonly orders: Array<OrderWrite>
  readonly holds: Array<HoldWrite>
  readonly extensions: Array<HoldExtension>
  readonly releases: Array<Release>
  readonly returns: Array<Return>
  readonly movements: Array<Restock>
  readonly endings: Array<EndingWrite>
  readonly amendments: Array<AmendmentWrite>
  readonly payments: Array<Extend>
  readonly settlements: Array<Pay>
  readonly shipments: Array<Ship>
  readonly deliveries: Array<Deliver>
  readonly joins: Array<Join>
  readonly leaves: Array<Leave>
  readonly offers: Array<OfferWrite>
}

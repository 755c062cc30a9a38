/**
 * The pure heart: what a batch of commands comes to, decided in their order exactly as if one at a time. No Effect, no
 * clock, no randomness, no I/O; the same input gives the same plan.
 *
 * Must stay true: no plan sells more than `available`, keeps part of an order, or spends stock that the same batch
 * gives back (the statement alone knows what really comes back). Where a command would need such stock, or meets a
 * product that the batch edits, an order that it ends or a cart that it sells, the plan ends before it and the rest
 * waits for the next batch, so that the order of the mailbox still decides.
 */
import type { PlannedWrite, ProductState } from "../../domain/batch.ts"
import { type Command, holdName } from "../../domain/commands.ts"
import type { ProductId, Shard } from "../../domain/ids.ts"
import { type Decision, type Draft, type Facts, later } from "./draft.ts"
import { decideDeliver, decideEnding, decideExtend, decidePay, decideShip } from "./planLives.ts"
import { decideHold, decideReserve } from "./planOrders.ts"
import { decideAmend, decideRestock } from "./planProducts.ts"
import { decideJoin, decideLeave, decideOffer } from "./planWaitingLists.ts"

export interface Plan {
  /** One for each command of the batch that this plan covers; the rest belongs to the next batch. */
  readonly decisions: ReadonlyArray<Decision>
  /** Whether anything was refused, so that facts must be known and the lease read before anybody is answered. */
  readonly refuses: boolean
  readonly write: PlannedWrite
  /** What `available` becomes for each product taken from, except those the batch also gives units back to. */
  readonly expected: ReadonlyMap<ProductId, number>
  /** Products that were offered to all who wait for them, and those that are to be offered to more of them. */
  readonly offered: ReadonlyMap<ProductId, { readonly mayGoOn: boolean }>
}

/**
 * Plans a batch. `products` holds every product of the batch that exists in this shard; `facts.units` every pair of a
 * product that counts units and a customer in it.
 */
export const plan = (
  shard: Shard,
  products: ReadonlyMap<ProductId, ProductState>,
  facts: Facts,
  batch: ReadonlyArray<Command>,
  nowMillis: number,
): Plan => {
  const draft: Draft = {
    shard,
    products,
    facts,
    nowMillis,
    available: new Map(),
    stocked: new Map(),
    units: new Map(),
    heldUnits: new Map(),
    gains: new Set(),
    orderKeys: new Map(),
    movementKeys: new Map(),
    holdNames: new Set(),
    carts: new Set(),
    changed: new Map(),
    paymentKeys: new Set(),
    offered: new Map(),
    places: new Set(),
    joined: new Set(),
    refreshed: new Set(),
    amended: new Set(),
    orders: [],
    holds: [],
    extensions: [],
    releases: [],
    returns: [],
    movements: [],
    endings: [],
    amendments: [],
    payments: [],
    settlements: [],
    shipments: [],
    deliveries: [],
    joins: [],
    leaves: [],
    offers: [],
  }
  const decisions: Array<Decision> = []
  let refuses = false
  for (const [at, command] of batch.entries()) {
    const decision = decide(draft, command, at)
    if (decision === later) break
    if (decision._tag === "Answered" && decision.outcome._tag === "Refused") refuses = true
    decisions.push(decision)
  }
  const expected = new Map<ProductId, number>()
  for (const [productId, available] of draft.available) {
    if (!draft.gains.has(productId)) expected.set(productId, available)
  }
  const { amendments, endings, extensions, holds, movements, orders, releases, returns } = draft
  const { deliveries, joins, leaves, offered, offers, payments, settlements, shipments } = draft
  const stock = { orders, holds, extensions, releases, returns, movements, endings, amendments }
  const write = { ...stock, payments, settlements, shipments, deliveries, joins, leaves, offers }
  return { decisions, refuses, write, expected, offered }
}

/** Whether a plan writes anything at all. */
export const writes = ({ write }: Plan): boolean => Object.values(write).some((rows) => rows.length > 0)

const decide = (draft: Draft, command: Command, at: number): Decision | typeof later => {
  switch (command._tag) {
    case "Reserve":
      return decideReserve(draft, command, at)
    case "Hold":
      return decideHold(draft, command)
    case "Restock":
      return decideRestock(draft, command, at)
    case "Release": {
      if (draft.holdNames.has(holdName(command))) return later
      draft.holdNames.add(holdName(command))
      for (const productId of command.productIds) draft.gains.add(productId)
      draft.releases.push(command)
      return { _tag: "Done" }
    }
    case "Return":
      draft.gains.add(command.productId)
      draft.returns.push(command)
      return { _tag: "Done" }
    case "Cancel":
      return decideEnding(draft, command, "cancelled", at)
    case "Expire":
      return decideEnding(draft, command, "expired", at)
    case "Refund":
      return decideEnding(draft, command, "refunded", at)
    case "Extend":
      return decideExtend(draft, command, at)
    case "Pay":
      return decidePay(draft, command, at)
    case "Ship":
      return decideShip(draft, command, at)
    case "Deliver":
      return decideDeliver(draft, command, at)
    case "Join":
      return decideJoin(draft, command)
    case "Leave":
      return decideLeave(draft, command)
    case "Offer":
      return decideOffer(draft, command)
    case "Refresh":
      draft.refreshed.add(command.merchantId)
      return { _tag: "Answered", outcome: { _tag: "Done" } }
    case "Amend":
      return decideAmend(draft, command)
  }
}

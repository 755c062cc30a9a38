/**
 * The pure heart: what a batch of commands comes to, decided in their order exactly as if one at a time. No Effect, no
 * clock, no randomness, no I/O; the same input gives the same plan.
 *
 * Must stay true: no plan sells more than `available`, keeps part of an order, or spends stock that the same batch
 * gives back (the statement alone knows what really comes back). Where a command would need such stock, or meets a
 * product that the batch edits, an order that it ends or a cart that it sells, the plan ends before it and the rest
 * waits for the next batch, so that the order of the mailbox still decides.
 */
import { productUnitsMax } from "../domain/bounds.ts"
import {
  type Amend,
  type Cancel,
  type Command,
  type Expire,
  type HeldPart,
  type Hold,
  type Outcome,
  type PricedLine,
  type Release,
  type Reserve,
  type Restock,
  type Return,
  type SoldLine,
  holdName,
  keyName,
  unitsName,
} from "../domain/commands.ts"
import type { CallerId, OrderId, ProductId, Shard, StockMovementId } from "../domain/ids.ts"
import type { RequestedLine } from "../domain/order.ts"
import type { AmendRefusal, LineShortage, MovementRefusal, OrderRefusal } from "../domain/refusals.ts"
import type {
  AmendmentWrite,
  BatchWrite,
  EndingWrite,
  HoldExtension,
  HoldWrite,
  KnownHold,
  LineWrite,
  OrderWrite,
  ProductState,
} from "../domain/batch.ts"

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
  /** Units customers have of limited products, by `unitsName`; absent means none. */
  readonly units: ReadonlyMap<string, number>
}

/** How one command of the batch ends if the commit goes as planned. */
export type Decision =
  /** Written as the order, hold or movement of this index in the plan's write. */
  | { readonly _tag: "Order"; readonly order: number; readonly lines: ReadonlyArray<SoldLine> }
  | {
      readonly _tag: "Hold"
      readonly extension: HoldExtension | null
      readonly currency: string
      readonly lines: ReadonlyArray<SoldLine>
    }
  | { readonly _tag: "Movement"; readonly movement: number }
  | { readonly _tag: "Ending"; readonly ending: number }
  | { readonly _tag: "Amendment"; readonly amendment: number }
  | { readonly _tag: "Done" }
  /** The same key as an earlier command of this batch that takes effect: ends as that one does. */
  | { readonly _tag: "Same"; readonly as: number }
  /** Known already; nothing is written for it. */
  | { readonly _tag: "Answered"; readonly outcome: Outcome }

export interface Plan {
  /** One for each command of the batch that this plan covers; the rest belongs to the next batch. */
  readonly decisions: ReadonlyArray<Decision>
  /** Whether anything was refused, so that facts must be known and the lease read before anybody is answered. */
  readonly refuses: boolean
  readonly write: Omit<BatchWrite, "shard" | "epoch" | "batch" | "form">
  /** What `available` becomes for each product taken from, except those the batch also gives units back to. */
  readonly expected: ReadonlyMap<ProductId, number>
}

/** The plan ends before this command: it needs what the batch itself gives back, takes away or changes. */
const later = Symbol("later")

interface Draft {
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
  /** Holds that this batch makes, extends or releases: each only once a batch. */
  readonly holdNames: Set<string>
  /** Callers whose cart this batch sells. */
  readonly carts: Set<CallerId>
  /** Orders that this batch ends. */
  readonly ended: Set<OrderId>
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
    ended: new Set(),
    amended: new Set(),
    orders: [],
    holds: [],
    extensions: [],
    releases: [],
    returns: [],
    movements: [],
    endings: [],
    amendments: [],
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
  const write = { orders, holds, extensions, releases, returns, movements, endings, amendments }
  return { decisions, refuses, write, expected }
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
      return decideEnding(draft, command, "cancelled")
    case "Expire":
      return decideEnding(draft, command, "expired")
    case "Amend":
      return decideAmend(draft, command)
  }
}

const decideReserve = (draft: Draft, command: Reserve, at: number): Decision | typeof later => {
  const name = keyName(command)
  const known = draft.facts.orders.get(name)
  if (known !== undefined) {
    return known.fingerprint === command.fingerprint
      ? { _tag: "Answered", outcome: { _tag: "Repeated", orderId: known.orderId } }
      : refuse({ code: "idempotency_key_reused" })
  }
  const same = draft.orderKeys.get(name)
  if (same !== undefined) return { _tag: "Same", as: same }
  if (command.cartVersion !== null && draft.carts.has(command.caller)) return later

  const sale = openSale(draft, command.lines, command.held)
  if (sale === later) return later
  if (sale._tag === "Refused") return refuse(sale.refusal)
  const { currency, lines } = sale
  const total = totalOf(lines) + command.held.reduce((sum, part) => sum + totalOf(part.lines), 0)
  const expected = command.expectedTotal
  if (expected !== null && (expected.amount !== total || expected.currency !== currency)) {
    return refuse({ code: "price_changed", total: { amount: total, currency } })
  }
  const obstacle = takeUnits(draft, lines, command.customer)
  if (obstacle === later) return later
  if (obstacle !== null) return refuse(obstacle)

  draft.orderKeys.set(name, at)
  if (command.cartVersion !== null) draft.carts.add(command.caller)
  draft.orders.push({ command, lines: linesWrite(draft, lines, command.customer), currency, total })
  return { _tag: "Order", order: draft.orders.length - 1, lines: lines.map(soldLine) }
}

/** Rows that an earlier attempt of the same request left are taken over; only what is missing takes units. */
const decideHold = (draft: Draft, command: Hold): Decision | typeof later => {
  const name = holdName(command)
  if (draft.holdNames.has(name)) return later
  const rows = new Map((draft.facts.holds.get(name) ?? []).map((row) => [row.productId, row]))
  for (const row of rows.values()) {
    if (row.attempt > command.attempt) return { _tag: "Answered", outcome: { _tag: "Superseded" } }
  }
  const sale = openSale(draft, command.lines, [])
  if (sale === later) return later
  if (sale._tag === "Refused") return refuse(sale.refusal)
  const lines = sale.lines.map((line) => {
    const row = rows.get(line.productId)
    return row === undefined ? line : { ...line, quantity: row.quantity, unitPrice: row.unitPrice }
  })
  const missing = lines.filter((line) => !rows.has(line.productId))
  const obstacle = takeUnits(draft, missing, command.customer)
  if (obstacle === later) return later
  if (obstacle !== null) return refuse(obstacle)

  draft.holdNames.add(name)
  for (const { productId, quantity } of missing) {
    draft.heldUnits.set(productId, (draft.heldUnits.get(productId) ?? 0) + quantity)
  }
  if (missing.length > 0) {
    draft.holds.push({ command, lines: linesWrite(draft, missing, command.customer), currency: sale.currency })
  }
  const extension = rows.size === 0 ? null : { command, productIds: [...rows.keys()] }
  if (extension !== null) draft.extensions.push(extension)
  return { _tag: "Hold", extension, currency: sale.currency, lines: lines.map(soldLine) }
}

const decideRestock = (draft: Draft, command: Restock, at: number): Decision | typeof later => {
  const name = keyName(command)
  const known = draft.facts.movements.get(name)
  if (known !== undefined) {
    return known.fingerprint === command.fingerprint
      ? { _tag: "Answered", outcome: { _tag: "Repeated", movementId: known.movementId } }
      : refuseMovement({ code: "idempotency_key_reused" })
  }
  const same = draft.movementKeys.get(name)
  if (same !== undefined) return { _tag: "Same", as: same }

  const { delta, productId } = command
  const product = draft.products.get(productId)
  if (product === undefined) return refuseMovement({ code: "unknown_product", productIds: [productId] })
  const stocked = (draft.stocked.get(productId) ?? product.stocked) + delta
  if (stocked > productUnitsMax) return refuseMovement({ code: "stock_too_large", productId, stocked: stocked - delta })
  const available = draft.available.get(productId) ?? product.available
  if (delta < 0 && available + delta < 0) {
    return draft.gains.has(productId) ? later : refuseMovement({ code: "stock_is_sold", productId, available })
  }
  draft.stocked.set(productId, stocked)
  if (delta < 0) draft.available.set(productId, available + delta)
  else draft.gains.add(productId)
  draft.movementKeys.set(name, at)
  draft.movements.push(command)
  return { _tag: "Movement", movement: draft.movements.length - 1 }
}

/** Whether the order may still end, only the statement knows: a paid one, or one out of time, stays as it is. */
const decideEnding = (
  draft: Draft,
  { lines, orderId }: Cancel | Expire,
  status: EndingWrite["status"],
): Decision | typeof later => {
  if (draft.ended.has(orderId)) return later
  draft.ended.add(orderId)
  for (const line of lines) if (line.shard === draft.shard) draft.gains.add(line.productId)
  draft.endings.push({ orderId, lines, status })
  return { _tag: "Ending", ending: draft.endings.length - 1 }
}

const decideAmend = (draft: Draft, { change, expectedVersion, productId }: Amend): Decision | typeof later => {
  if (draft.amended.has(productId)) return later
  const product = draft.products.get(productId)
  if (product === undefined) return refuseAmend({ code: "unknown_product", productIds: [productId] })
  const { currency, version } = product
  const isArchival = change.archived === true && Object.keys(change).length === 1
  if (isArchival && product.archived) return { _tag: "Answered", outcome: { _tag: "Amended", version } }
  if (expectedVersion !== null && expectedVersion !== version) return refuseAmend({ code: "version_mismatch", version })
  if (change.price !== undefined && change.price.currency !== currency) {
    return refuseAmend({ code: "currency_fixed", currency })
  }
  draft.amended.add(productId)
  draft.amendments.push({ productId, change, version })
  return { _tag: "Amendment", amendment: draft.amendments.length - 1 }
}

interface SaleLine extends PricedLine {
  readonly product: ProductState
}

type Sale =
  | { readonly _tag: "Open"; readonly currency: string; readonly lines: ReadonlyArray<SaleLine> }
  | { readonly _tag: "Refused"; readonly refusal: OrderRefusal }

/** The checks of an order that do not depend on the crowd, in the order of `orderRefusalOrder`. */
const openSale = (
  draft: Draft,
  requested: ReadonlyArray<RequestedLine>,
  held: ReadonlyArray<HeldPart>,
): Sale | typeof later => {
  if (requested.some((line) => draft.amended.has(line.productId))) return later
  const lines: Array<SaleLine> = []
  const unknown: Array<ProductId> = []
  for (const { productId, quantity } of requested) {
    const product = draft.products.get(productId)
    if (product === undefined || product.archived) unknown.push(productId)
    else lines.push({ productId, quantity, unitPrice: product.price, product })
  }
  if (unknown.length > 0) return { _tag: "Refused", refusal: { code: "unknown_product", productIds: unknown } }
  const currencies = [...new Set([...lines.map((line) => line.product.currency), ...held.map((part) => part.currency)])]
  const [currency = ""] = currencies
  if (currencies.length > 1) return { _tag: "Refused", refusal: { code: "currency_mix", currencies } }
  for (const { product } of lines) {
    const { productId, paused, saleStartsAtMillis } = product
    const early = saleStartsAtMillis !== null && saleStartsAtMillis > draft.nowMillis
    if (paused || early) {
      const start = paused ? null : saleStartsAtMillis
      return { _tag: "Refused", refusal: { code: "not_on_sale", productId, saleStartsAtMillis: start } }
    }
  }
  return { _tag: "Open", currency, lines }
}

/** Takes every line's units or none: limits first, then stock. Null when taken. */
const takeUnits = (
  draft: Draft,
  lines: ReadonlyArray<SaleLine>,
  customer: string,
): OrderRefusal | typeof later | null => {
  for (const { product, productId, quantity } of lines) {
    const allowed = product.limitPerCustomer
    if (allowed === null) continue
    const had = customerUnits(draft, productId, customer)
    if (had + quantity <= allowed) continue
    return draft.gains.has(productId) ? later : { code: "limit_exceeded", productId, allowed, had }
  }
  const short: Array<LineShortage> = []
  for (const { product, productId, quantity } of lines) {
    const available = draft.available.get(productId) ?? product.available
    if (available < quantity) short.push({ productId, requested: quantity, available })
  }
  if (short.length > 0) {
    if (short.some((line) => draft.gains.has(line.productId))) return later
    const retryable = short.every((line) => line.available + unitsUnderHolds(draft, line.productId) >= line.requested)
    return { code: "out_of_stock", lines: short, retryable }
  }
  for (const { product, productId, quantity } of lines) {
    draft.available.set(productId, (draft.available.get(productId) ?? product.available) - quantity)
    if (product.countsUnits) {
      draft.units.set(unitsName(productId, customer), customerUnits(draft, productId, customer) + quantity)
    }
  }
  return null
}

const customerUnits = (draft: Draft, productId: ProductId, customer: string): number => {
  const name = unitsName(productId, customer)
  return draft.units.get(name) ?? draft.facts.units.get(name) ?? 0
}

const unitsUnderHolds = (draft: Draft, productId: ProductId): number =>
  (draft.facts.heldUnits.get(productId) ?? 0) + (draft.heldUnits.get(productId) ?? 0)

const totalOf = (lines: ReadonlyArray<PricedLine>): number =>
  lines.reduce((sum, line) => sum + line.quantity * line.unitPrice, 0)

const linesWrite = (draft: Draft, lines: ReadonlyArray<SaleLine>, customer: string): ReadonlyArray<LineWrite> =>
  lines.map(({ product, productId, quantity, unitPrice }) => {
    const unitsBefore = product.countsUnits ? (draft.facts.units.get(unitsName(productId, customer)) ?? 0) : null
    return { productId, quantity, unitPrice, unitsBefore }
  })

const soldLine = ({ product, productId, quantity, unitPrice }: SaleLine): SoldLine => ({
  productId,
  quantity,
  unitPrice,
  name: product.name,
  merchantId: product.merchantId,
})

const refuse = (refusal: OrderRefusal): Decision => ({ _tag: "Answered", outcome: { _tag: "Refused", refusal } })

const refuseMovement = (refusal: MovementRefusal): Decision => ({
  _tag: "Answered",
  outcome: { _tag: "Refused", refusal },
})

const refuseAmend = (refusal: AmendRefusal): Decision => ({ _tag: "Answered", outcome: { _tag: "Refused", refusal } })

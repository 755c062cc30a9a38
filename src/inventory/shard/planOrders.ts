/**
 * The part of the planner that decides about new orders: placed, or held for another shard. Must stay true: every line's
 * units are taken or none; what was checked is checked in the order of `orderRefusalOrder`.
 */
import type { LineWrite, ProductState } from "../../domain/batch.ts"
import {
  type HeldPart,
  type Hold,
  holdName,
  keyName,
  type PricedLine,
  type Reserve,
  type SoldLine,
  unitsName,
} from "../../domain/commands.ts"
import type { ProductId } from "../../domain/ids.ts"
import type { RequestedLine } from "../../domain/order.ts"
import type { LineShortage, OrderRefusal } from "../../domain/refusals.ts"
import { type Decision, type Draft, later } from "./draft.ts"

export const decideReserve = (draft: Draft, command: Reserve, at: number): Decision | typeof later => {
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
  const { caller } = command
  const holds = command.held.map(({ fingerprint, key }) => holdName({ caller, fingerprint, key }))
  if (holds.some((hold) => draft.holdNames.has(hold))) return later

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
  for (const hold of holds) draft.holdNames.add(hold)
  if (command.cartVersion !== null) draft.carts.add(caller)
  const ttlMillis = ttlOf(command, lines)
  draft.orders.push({ command, lines: linesWrite(draft, lines, command.customer), currency, total, ttlMillis })
  return { _tag: "Order", order: draft.orders.length - 1, lines: lines.map(soldLine) }
}

/** Rows that an earlier attempt of the same request left are taken over; only what is missing takes units. */
export const decideHold = (draft: Draft, command: Hold): Decision | typeof later => {
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
  const reservationTtlSeconds = shortestTtl(lines)
  return { _tag: "Hold", extension, currency: sale.currency, lines: lines.map(soldLine), reservationTtlSeconds }
}

/** The shortest time that any of its products sets; what the command says where none does. */
const ttlOf = ({ held, reservationTtlMillis }: Reserve, lines: ReadonlyArray<SaleLine>): number => {
  const set = [shortestTtl(lines), ...held.map((part) => part.reservationTtlSeconds)].filter((ttl) => ttl !== null)
  return set.length === 0 ? reservationTtlMillis : Math.min(...set) * 1000
}

const shortestTtl = (lines: ReadonlyArray<SaleLine>): number | null => {
  let shortest: number | null = null
  for (const { product } of lines) {
    const ttl = product.reservationTtlSeconds
    if (ttl !== null && (shortest === null || ttl < shortest)) shortest = ttl
  }
  return shortest
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
  if (requested.some((line) => isOpen(draft, line.productId))) return later
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

/** Whether this batch leaves open what the product is from here on, or who is to have it. */
const isOpen = (draft: Draft, productId: ProductId): boolean => {
  if (draft.amended.has(productId) || draft.offered.get(productId)?.mayGoOn === true) return true
  if (draft.refreshed.size === 0) return false
  const product = draft.products.get(productId)
  return product !== undefined && draft.refreshed.has(product.merchantId)
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

export const customerUnits = (draft: Draft, productId: ProductId, customer: string): number => {
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

/**
 * The promise, taken at its word: commands decided one at a time, each on everything the ones before it did. It is the
 * measure of the planner and knows nothing of it: no batch, no draft, no facts read ahead; a whole world in plain rows.
 */
import type { Command, Hold, Release, Reserve, Restock, RestockOutcome, Return } from "../../src/domain/commands.ts"
import type { AttemptId, CallerId, OrderId, ProductId, StockMovementId } from "../../src/domain/ids.ts"
import type { OrderRefusal } from "../../src/domain/refusals.ts"

export interface WorldProduct {
  readonly productId: ProductId
  readonly price: number
  readonly currency: string
  readonly limitPerCustomer: number | null
  readonly saleStartsAtMillis: number | null
  readonly paused: boolean
  readonly archived: boolean
  stocked: number
  available: number
}

export interface WorldHold {
  readonly caller: CallerId
  readonly key: string
  readonly fingerprint: string
  readonly productId: ProductId
  readonly customer: string
  readonly quantity: number
  readonly unitPrice: number
  attempt: AttemptId
  isExpired: boolean
}

export interface WorldReturn {
  readonly returnId: string
  readonly productId: ProductId
  readonly customer: string
  readonly quantity: number
}

export interface World {
  readonly nowMillis: number
  readonly products: Array<WorldProduct>
  readonly orders: Array<{ caller: CallerId; key: string; fingerprint: string; orderId: OrderId }>
  readonly movements: Array<{ caller: CallerId; key: string; fingerprint: string; movementId: StockMovementId }>
  holds: Array<WorldHold>
  returns: Array<WorldReturn>
  readonly units: Array<{ productId: ProductId; customer: string; units: number }>
}

export interface ModelLine {
  readonly productId: ProductId
  readonly quantity: number
  readonly unitPrice: number
}

export type Verdict =
  | {
      readonly _tag: "Placed"
      readonly orderId: OrderId
      readonly lines: ReadonlyArray<ModelLine>
      readonly total: number
    }
  | { readonly _tag: "Held"; readonly currency: string; readonly lines: ReadonlyArray<ModelLine> }
  | { readonly _tag: "Superseded" }
  | { readonly _tag: "Repeated"; readonly id: OrderId | StockMovementId }
  | { readonly _tag: "Moved"; readonly movementId: StockMovementId }
  | { readonly _tag: "Refused"; readonly refusal: OrderRefusal | (RestockOutcome & { _tag: "Refused" })["refusal"] }
  | { readonly _tag: "Done" }

/**
 * Decides one command and changes the world by it. With `withholdsGains`, what comes back is not given to anybody yet:
 * the least that any writer can count on before its batch is committed.
 */
export const decideAlone = (world: World, command: Command, withholdsGains: boolean): Verdict => {
  switch (command._tag) {
    case "Reserve":
      return reserve(world, command)
    case "Hold":
      return hold(world, command)
    case "Release":
      return release(world, command, withholdsGains)
    case "Return":
      return giveBack(world, command, withholdsGains)
    case "Restock":
      return restock(world, command, withholdsGains)
  }
}

const refused = (refusal: OrderRefusal): Verdict => ({ _tag: "Refused", refusal })
const productOf = (world: World, productId: ProductId): WorldProduct | undefined =>
  world.products.find((product) => product.productId === productId)
const sameKey = (one: { caller: string; key: string }, other: { caller: string; key: string }): boolean =>
  one.caller === other.caller && one.key === other.key
const countOf = (world: World, productId: ProductId, customer: string) =>
  world.units.find((row) => row.productId === productId && row.customer === customer)

const reserve = (world: World, command: Reserve): Verdict => {
  const earlier = world.orders.find((order) => sameKey(order, command))
  if (earlier !== undefined) {
    if (earlier.fingerprint !== command.fingerprint) return refused({ code: "idempotency_key_reused" })
    return { _tag: "Repeated", id: earlier.orderId }
  }
  const heldCurrencies = command.held.map((part) => part.currency)
  const closed = whyClosed(world, command.lines, heldCurrencies)
  if (closed !== null) return refused(closed)
  const lines = priced(world, command.lines)
  let total = 0
  for (const line of [...lines, ...command.held.flatMap((part) => part.lines)]) total += line.quantity * line.unitPrice
  const currency = currencyOf(world, command.lines)
  if (command.expectedTotal !== null) {
    const { amount, currency: expected } = command.expectedTotal
    if (amount !== total || expected !== currency)
      return refused({ code: "price_changed", total: { amount: total, currency } })
  }
  const obstacle = whyNotTaken(world, lines, command.customer)
  if (obstacle !== null) return refused(obstacle)
  take(world, lines, command.customer)
  const { caller, fingerprint, key, orderId } = command
  world.orders.push({ caller, key, fingerprint, orderId })
  return { _tag: "Placed", orderId, lines, total }
}

const hold = (world: World, command: Hold): Verdict => {
  const rows = world.holds.filter((row) => sameKey(row, command) && row.fingerprint === command.fingerprint)
  if (rows.some((row) => row.attempt > command.attempt)) return { _tag: "Superseded" }
  const closed = whyClosed(world, command.lines, [])
  if (closed !== null) return refused(closed)
  const wanted = priced(world, command.lines)
  const isHeld = (line: ModelLine): boolean => rows.some((row) => row.productId === line.productId)
  const fresh = wanted.filter((line) => !isHeld(line))
  const obstacle = whyNotTaken(world, fresh, command.customer)
  if (obstacle !== null) return refused(obstacle)
  take(world, fresh, command.customer)
  for (const row of rows) {
    row.attempt = command.attempt
    row.isExpired = false
  }
  const { attempt, caller, customer, fingerprint, key } = command
  for (const line of fresh) world.holds.push({ ...line, caller, key, fingerprint, customer, attempt, isExpired: false })
  const lines = wanted.map((line) => rows.find((row) => row.productId === line.productId) ?? line)
  return {
    _tag: "Held",
    currency: currencyOf(world, command.lines),
    lines: lines.map(({ productId, quantity, unitPrice }) => ({ productId, quantity, unitPrice })),
  }
}

const release = (world: World, command: Release, withholdsGains: boolean): Verdict => {
  const isMeant = (row: WorldHold): boolean =>
    sameKey(row, command) &&
    row.fingerprint === command.fingerprint &&
    row.attempt === command.attempt &&
    (row.isExpired || !command.onlyExpired)
  const gone = world.holds.filter(isMeant)
  world.holds = world.holds.filter((row) => !isMeant(row))
  if (!withholdsGains) for (const row of gone) putBack(world, row)
  return { _tag: "Done" }
}

const giveBack = (world: World, command: Return, withholdsGains: boolean): Verdict => {
  const row = world.returns.find(({ returnId }) => returnId === command.returnId)
  world.returns = world.returns.filter(({ returnId }) => returnId !== command.returnId)
  if (row !== undefined && !withholdsGains) putBack(world, row)
  return { _tag: "Done" }
}

const restock = (world: World, command: Restock, withholdsGains: boolean): Verdict => {
  const earlier = world.movements.find((movement) => sameKey(movement, command))
  if (earlier !== undefined) {
    if (earlier.fingerprint !== command.fingerprint) return refused({ code: "idempotency_key_reused" })
    return { _tag: "Repeated", id: earlier.movementId }
  }
  const { caller, delta, fingerprint, key, movementId, productId } = command
  const product = productOf(world, productId)
  if (product === undefined) return { _tag: "Refused", refusal: { code: "unknown_product", productIds: [productId] } }
  const { available, stocked } = product
  if (stocked + delta > 2 ** 31 - 1)
    return { _tag: "Refused", refusal: { code: "stock_too_large", productId, stocked } }
  if (available + delta < 0 && delta < 0) {
    return { _tag: "Refused", refusal: { code: "stock_is_sold", productId, available } }
  }
  product.stocked += delta
  if (delta < 0 || !withholdsGains) product.available += delta
  world.movements.push({ caller, key, fingerprint, movementId })
  return { _tag: "Moved", movementId }
}

/** What is wrong with an order whoever else is there. */
const whyClosed = (
  world: World,
  requested: ReadonlyArray<{ readonly productId: ProductId }>,
  heldCurrencies: ReadonlyArray<string>,
): OrderRefusal | null => {
  const productIds = requested.map(({ productId }) => productId)
  const strange = productIds.filter((productId) => productOf(world, productId)?.archived ?? true)
  if (strange.length > 0) return { code: "unknown_product", productIds: strange }
  const currencies: Array<string> = []
  for (const currency of [...productIds.map((id) => productOf(world, id)?.currency ?? ""), ...heldCurrencies]) {
    if (!currencies.includes(currency)) currencies.push(currency)
  }
  if (currencies.length > 1) return { code: "currency_mix", currencies }
  for (const productId of productIds) {
    const product = productOf(world, productId)
    if (product?.paused === true) return { code: "not_on_sale", productId, saleStartsAtMillis: null }
    const start = product?.saleStartsAtMillis ?? null
    if (start !== null && world.nowMillis < start) return { code: "not_on_sale", productId, saleStartsAtMillis: start }
  }
  return null
}

/** What the crowd left too little of: the customer's own share first, then the stock. */
const whyNotTaken = (world: World, lines: ReadonlyArray<ModelLine>, customer: string): OrderRefusal | null => {
  for (const { productId, quantity } of lines) {
    const allowed = productOf(world, productId)?.limitPerCustomer ?? null
    const had = countOf(world, productId, customer)?.units ?? 0
    if (allowed !== null && had + quantity > allowed) return { code: "limit_exceeded", productId, allowed, had }
  }
  const short = lines
    .map(({ productId, quantity }) => ({
      productId,
      requested: quantity,
      available: productOf(world, productId)?.available ?? 0,
    }))
    .filter((line) => line.available < line.requested)
  if (short.length === 0) return null
  const enoughWithoutHolds = (line: { productId: ProductId; requested: number; available: number }): boolean => {
    const held = world.holds.filter((row) => row.productId === line.productId)
    return held.reduce((sum, row) => sum + row.quantity, line.available) >= line.requested
  }
  return { code: "out_of_stock", lines: short, retryable: short.every(enoughWithoutHolds) }
}

/** Of lines that have one currency. */
const currencyOf = (world: World, lines: ReadonlyArray<{ readonly productId: ProductId }>): string =>
  lines.map(({ productId }) => productOf(world, productId)?.currency ?? "").at(0) ?? ""

const priced = (
  world: World,
  requested: ReadonlyArray<{ readonly productId: ProductId; readonly quantity: number }>,
): ReadonlyArray<ModelLine> =>
  requested.map(({ productId, quantity }) => ({
    productId,
    quantity,
    unitPrice: productOf(world, productId)?.price ?? 0,
  }))

const take = (world: World, lines: ReadonlyArray<ModelLine>, customer: string): void => {
  for (const { productId, quantity } of lines) {
    const product = productOf(world, productId)
    if (product === undefined) continue
    product.available -= quantity
    if (product.limitPerCustomer === null) continue
    const count = countOf(world, productId, customer)
    if (count === undefined) world.units.push({ productId, customer, units: quantity })
    else count.units += quantity
  }
}

const putBack = (
  world: World,
  { customer, productId, quantity }: { productId: ProductId; customer: string; quantity: number },
): void => {
  const product = productOf(world, productId)
  if (product !== undefined) product.available += quantity
  const count = countOf(world, productId, customer)
  if (count !== undefined) count.units -= quantity
}

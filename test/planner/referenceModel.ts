/**
 * The promise, taken at its word: commands decided one at a time, each on everything the ones before it did. It is the
 * measure of the planner and knows nothing of it: no batch, no draft, no facts read ahead; a whole world in plain rows.
 */
import type {
  Amend,
  Cancel,
  Command,
  Expire,
  Hold,
  Refund,
  Release,
  Reserve,
  Restock,
  Return,
} from "../../src/domain/commands.ts"
import type { AttemptId, CallerId, OrderId, ProductId, Shard, StockMovementId } from "../../src/domain/ids.ts"
import type { OrderStatus } from "../../src/domain/order.ts"
import type { AmendRefusal, MovementRefusal, OrderRefusal } from "../../src/domain/refusals.ts"

/** The shard whose world this is; every other is elsewhere. */
export const here: Shard = 0

export interface WorldProduct {
  readonly productId: ProductId
  readonly currency: string
  name: string
  price: number
  limitPerCustomer: number | null
  countsUnits: boolean
  saleStartsAtMillis: number | null
  paused: boolean
  archived: boolean
  version: number
  stocked: number
  available: number
}

/** An order whose home is here, with its lines wherever they belong. */
export interface WorldOrder {
  readonly caller: CallerId
  readonly key: string
  readonly fingerprint: string
  readonly orderId: OrderId
  readonly customerRef: string | null
  readonly lines: ReadonlyArray<ModelLine & { readonly shard: Shard }>
  status: OrderStatus
  /** Whether its time was over when the batch began. */
  readonly isOver: boolean
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
  readonly shard: Shard
  readonly productId: ProductId
  readonly customer: string
  readonly quantity: number
}

export interface World {
  readonly nowMillis: number
  readonly products: Array<WorldProduct>
  readonly orders: Array<WorldOrder>
  readonly movements: Array<{ caller: CallerId; key: string; fingerprint: string; movementId: StockMovementId }>
  holds: Array<WorldHold>
  returns: Array<WorldReturn>
  readonly carts: Array<{ readonly caller: CallerId; version: number }>
  /** Units that came back and that nobody may count on yet. */
  readonly withheld: Array<{ readonly productId: ProductId; readonly customer: string; readonly quantity: number }>
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
  /** Whether the order really ends is in its row. */
  | { readonly _tag: "Ending"; readonly orderId: OrderId }
  | { readonly _tag: "Amended"; readonly version: number }
  | { readonly _tag: "CartChanged" }
  | { readonly _tag: "Refused"; readonly refusal: OrderRefusal | MovementRefusal | AmendRefusal }
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
    case "Cancel":
      return end(world, command, "cancelled", withholdsGains)
    case "Expire":
      return end(world, command, "expired", withholdsGains)
    case "Refund":
      return end(world, command, "refunded", withholdsGains)
    case "Amend":
      return amend(world, command)
    default:
      throw new Error(`the model knows no ${command._tag}`)
  }
}

/** Units a customer has: in live orders, under holds, and on their way back. */
export const unitsHad = (world: World, productId: ProductId, customer: string): number => {
  const ordered = world.orders.filter((order) => isLive(order) && customerOf(order) === customer)
  const counted = [...world.holds, ...world.returns, ...world.withheld].filter((row) => row.customer === customer)
  return [...ordered.flatMap((order) => order.lines), ...counted]
    .filter((row) => row.productId === productId)
    .reduce((sum, row) => sum + row.quantity, 0)
}

const isLive = (order: WorldOrder): boolean => order.status === "reserved" || order.status === "paid"
const customerOf = ({ caller, customerRef }: WorldOrder): string =>
  customerRef === null ? caller : `ref:${customerRef}`
const refused = (refusal: OrderRefusal): Verdict => ({ _tag: "Refused", refusal })
const productOf = (world: World, productId: ProductId): WorldProduct | undefined =>
  world.products.find((product) => product.productId === productId)
const sameKey = (one: { caller: string; key: string }, other: { caller: string; key: string }): boolean =>
  one.caller === other.caller && one.key === other.key

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
  const { caller, cartVersion, customerRef, fingerprint, key, orderId } = command
  if (cartVersion !== null) {
    const cart = world.carts.find((row) => row.caller === caller)
    if (cart?.version !== cartVersion) return { _tag: "CartChanged" }
    cart.version += 1
  }
  take(world, lines)
  const own = lines.map((line) => ({ ...line, shard: here }))
  const others = command.held.flatMap((part) => part.lines.map((line) => ({ ...line, shard: part.shard })))
  const name = { caller, key, fingerprint, orderId, customerRef }
  world.orders.push({ ...name, lines: [...own, ...others], status: "reserved", isOver: false })
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
  take(world, fresh)
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
  for (const row of gone) putBack(world, row, withholdsGains)
  return { _tag: "Done" }
}

const giveBack = (world: World, command: Return, withholdsGains: boolean): Verdict => {
  const row = world.returns.find(({ returnId, shard }) => returnId === command.returnId && shard === here)
  world.returns = world.returns.filter((other) => other !== row)
  if (row !== undefined) putBack(world, row, withholdsGains)
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

/**
 * A reservation is cancelled while its time runs and expires when it is over; a paid order is refunded, whoever asks;
 * each only with all of its lines.
 */
const end = (
  world: World,
  { lines, orderId }: Cancel | Expire | Refund,
  wanted: "cancelled" | "expired" | "refunded",
  withholdsGains: boolean,
): Verdict => {
  const order = world.orders.find((row) => row.orderId === orderId)
  if (order === undefined || order.lines.length !== lines.length) return { _tag: "Ending", orderId }
  const canEnd =
    order.status === "paid"
      ? wanted !== "expired"
      : order.status === "reserved" && wanted === (order.isOver ? "expired" : "cancelled")
  if (!canEnd) return { _tag: "Ending", orderId }
  order.status = order.status === "paid" ? "refunded" : wanted
  for (const { productId, returnId, shard } of lines) {
    const quantity = order.lines.find((line) => line.productId === productId)?.quantity ?? 0
    const row = { productId, customer: customerOf(order), quantity }
    if (shard === here) putBack(world, row, withholdsGains)
    else world.returns.push({ ...row, returnId, shard })
  }
  return { _tag: "Ending", orderId }
}

const amend = (world: World, { change, expectedVersion, productId }: Amend): Verdict => {
  const product = productOf(world, productId)
  if (product === undefined) return { _tag: "Refused", refusal: { code: "unknown_product", productIds: [productId] } }
  const { currency, version } = product
  const onlyArchives = change.archived === true && Object.keys(change).length === 1
  if (onlyArchives && product.archived) return { _tag: "Amended", version }
  if (expectedVersion !== null && expectedVersion !== version) {
    return { _tag: "Refused", refusal: { code: "version_mismatch", version } }
  }
  const { price, ...others } = change
  if (price !== undefined && price.currency !== currency) {
    return { _tag: "Refused", refusal: { code: "currency_fixed", currency } }
  }
  Object.assign(product, others)
  if (price !== undefined) product.price = price.amount
  if (product.limitPerCustomer !== null) product.countsUnits = true
  product.version += 1
  return { _tag: "Amended", version: product.version }
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
    const had = unitsHad(world, productId, customer)
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

const take = (world: World, lines: ReadonlyArray<ModelLine>): void => {
  for (const { productId, quantity } of lines) {
    const product = productOf(world, productId)
    if (product !== undefined) product.available -= quantity
  }
}

const putBack = (world: World, row: World["withheld"][number], isWithheld: boolean): void => {
  const { customer, productId, quantity } = row
  const product = productOf(world, productId)
  if (isWithheld) world.withheld.push({ productId, customer, quantity })
  else if (product !== undefined) product.available += quantity
}

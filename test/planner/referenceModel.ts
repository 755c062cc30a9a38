/**
 * The promise, taken at its word: commands decided one at a time, each on everything the ones before it did. It is the
 * measure of the planner and knows nothing of it: no batch, no draft, no facts read ahead; a whole world in plain rows.
 */
import type {
  Amend,
  Cancel,
  Command,
  Expire,
  HeldPart,
  Hold,
  Refund,
  Release,
  Reserve,
  Restock,
  Return,
} from "../../src/domain/commands.ts"
import type { ProductId } from "../../src/domain/ids.ts"
import type { OrderRefusal } from "../../src/domain/refusals.ts"
import { deliver, extend, pay, ship } from "./referenceLives.ts"
import { join, leave, offer } from "./referenceWaitingLists.ts"
import {
  customerOf,
  here,
  isOver,
  type ModelLine,
  orderOf,
  productOf,
  refused,
  sameKey,
  statusNow,
  unitsHad,
  type Verdict,
  type World,
  type WorldHold,
} from "./referenceWorld.ts"

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
    case "Extend":
      return extend(world, command)
    case "Pay":
      return pay(world, command)
    case "Ship":
      return ship(world, command)
    case "Deliver":
      return deliver(world, command)
    case "Join":
      return join(world, command)
    case "Leave":
      return leave(world, command)
    case "Offer":
      return offer(world, command)
    case "Refresh":
      return { _tag: "Done" }
    case "Amend":
      return amend(world, command)
  }
}

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
  const rows = command.held.flatMap((part) => rowsHeld(world, command, part))
  const heldHere = command.held.filter((part) => part.shard === here)
  if (rows.length < heldHere.reduce((count, part) => count + part.lines.length, 0)) return { _tag: "HoldMissing" }
  world.holds = world.holds.filter((row) => !rows.includes(row))
  take(world, lines)
  const own = lines.map((line) => ({ ...line, shard: here }))
  const others = command.held.flatMap((part) => part.lines.map((line) => ({ ...line, shard: part.shard })))
  const name = { caller, key, fingerprint, orderId, customerRef }
  const seconds = [shortestTtl(world, lines), ...command.held.map((part) => part.reservationTtlSeconds)]
  const shortest = Math.min(...seconds.filter((ttl) => ttl !== null))
  const ttlMillis = Number.isFinite(shortest) ? shortest * 1000 : command.reservationTtlMillis
  const expiresAtMillis = world.nowMillis + ttlMillis
  world.orders.push({ ...name, lines: [...own, ...others], status: "reserved", expiresAtMillis })
  return { _tag: "Placed", orderId, lines, total, expiresAtMillis }
}

/** What an order has under a hold of this very shard, as it counts on it. */
const rowsHeld = (world: World, { caller }: Reserve, part: HeldPart): ReadonlyArray<WorldHold> =>
  part.shard !== here
    ? []
    : world.holds.filter(
        (row) =>
          sameKey(row, { caller, key: part.key }) &&
          row.fingerprint === part.fingerprint &&
          row.attempt === part.attempt &&
          !row.isExpired &&
          part.lines.some(
            ({ productId, quantity, unitPrice }) =>
              row.productId === productId && row.quantity === quantity && row.unitPrice === unitPrice,
          ),
      )

const shortestTtl = (world: World, lines: ReadonlyArray<ModelLine>): number | null => {
  const set = lines.flatMap(({ productId }) => productOf(world, productId)?.reservationTtlSeconds ?? [])
  return set.length === 0 ? null : Math.min(...set)
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
  const name = { kind: "order", caller, key, fingerprint, customer, attempt, isExpired: false } as const
  for (const line of fresh) world.holds.push({ ...line, ...name })
  const lines = wanted.map((line) => rows.find((row) => row.productId === line.productId) ?? line)
  return {
    _tag: "Held",
    currency: currencyOf(world, command.lines),
    lines: lines.map(({ productId, quantity, unitPrice }) => ({ productId, quantity, unitPrice })),
    reservationTtlSeconds: shortestTtl(world, wanted),
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
 * each only with all of its lines. What was paid goes back.
 */
const end = (
  world: World,
  { _tag, lines, orderId }: Cancel | Expire | Refund,
  wanted: "cancelled" | "expired" | "refunded",
  withholdsGains: boolean,
): Verdict => {
  const order = orderOf(world, orderId)
  const isWhole = order !== undefined && order.lines.length === lines.length
  const isReserved = order?.status === "reserved" && wanted === (isOver(world, order) ? "expired" : "cancelled")
  const isPaid = order?.status === "paid" && wanted !== "expired"
  if (!isWhole || !(isReserved || isPaid))
    return _tag === "Expire" ? { _tag: "Done" } : whyNotEnded(world, orderId, _tag)
  order.status = isPaid ? "refunded" : wanted
  for (const payment of world.payments) {
    if (!isPaid || payment.orderId !== orderId || payment.status !== "succeeded") continue
    payment.status = payment.isExternal ? "refunded" : "refunding"
  }
  for (const { productId, returnId, shard } of lines) {
    const quantity = order.lines.find((line) => line.productId === productId)?.quantity ?? 0
    const row = { productId, customer: customerOf(order), quantity }
    if (shard === here) putBack(world, row, withholdsGains)
    else world.returns.push({ ...row, returnId, shard })
  }
  return { _tag: _tag === "Expire" ? "Done" : _tag === "Refund" ? "Refunded" : "Cancelled" }
}

const whyNotEnded = (world: World, orderId: Cancel["orderId"], asked: "Cancel" | "Refund"): Verdict => {
  const status = statusNow(world, orderId)
  if (asked === "Refund") {
    return status === "refunded" ? { _tag: "AlreadyRefunded" } : refused({ code: "not_refundable", status })
  }
  const isOut = status === "cancelled" || status === "refunded"
  return isOut ? { _tag: "AlreadyCancelled" } : refused({ code: "not_cancellable", status })
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

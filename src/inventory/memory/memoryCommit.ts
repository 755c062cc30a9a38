/**
 * What PostgreSQL's one statement does to the rows of a shard, written plainly: the fence, the orders whose holds are
 * all there, holds, releases, returns and movements, and at the end stock and units, moved by what really happened.
 *
 * Must stay true: nothing here is decided again that the planner decided; stock moves only for rows inserted or deleted
 * by this very batch, in one step a product, and the checks of the tables have the last word.
 */
import { type HeldPart, keyName, type Release, type Restock, type Return, unitsName } from "../../domain/commands.ts"
import { OfferId, type OrderId, type Shard, type StockMovementId } from "../../domain/ids.ts"
import { changePayments, moveShipments, putOrder } from "./memoryLives.ts"
import { type BatchEvent, customerOf, type HoldRow, type OrderRow } from "./memoryRows.ts"
import { holdKey, type MemoryTables, violation } from "./memoryTables.ts"
import { add, addUnits, type Progress } from "./memoryProgress.ts"
import { acceptedOffers, changeWaitingLists } from "./memoryWaitingLists.ts"
import type {
  AmendmentWrite,
  BatchWrite,
  EndingWrite,
  HoldExtension,
  HoldWrite,
  OrderWrite,
} from "../../domain/batch.ts"
import type { Applied, NotApplied } from "../store/ShardStore.ts"

const notApplied: NotApplied = { _tag: "NotApplied" }

/** Whether the lease is at this epoch and at the number before; if so it moves on to this number. */
const pass = (tables: MemoryTables, shard: Shard, epoch: number, batch: number): boolean => {
  const lease = tables.leases.get(`${shard}`)
  if (lease === undefined || lease.epoch !== epoch || lease.batch !== batch - 1) return false
  tables.leases.put({ ...lease, batch })
  return true
}

export const applyVoid = (
  tables: MemoryTables,
  shard: Shard,
  { batch, epoch }: { readonly epoch: number; readonly batch: number },
  atMillis: number,
): { readonly _tag: "Applied" } | NotApplied => {
  if (!pass(tables, shard, epoch, batch)) return notApplied
  tables.batches.insert({ shard, batch, epoch, committedAtMillis: atMillis, voided: true, events: [] })
  return { _tag: "Applied" }
}

export const applyBatch = (tables: MemoryTables, write: BatchWrite, atMillis: number): Applied | NotApplied => {
  const { batch, epoch, shard } = write
  if (!pass(tables, shard, epoch, batch)) return notApplied
  const progress: Progress = { tables, write, atMillis, available: new Map(), stocked: new Map(), units: new Map() }

  const placed: Array<OrderId> = []
  const unplaced: Array<OrderId> = []
  const cartsChanged = write.orders.filter((order) => !hasItsCart(tables, order)).map((order) => order.command.orderId)
  for (const order of write.orders) (placeOrder(progress, order) ? placed : unplaced).push(order.command.orderId)
  const unextended = write.extensions.filter((extension) => !extendHold(progress, extension))
  const released = write.releases.flatMap((release) => releaseHold(progress, release))
  for (const hold of write.holds) insertHold(progress, hold)
  const ended = write.endings.flatMap((ending) => endOrder(progress, ending) ?? [])
  for (const command of write.returns) applyReturn(progress, command)
  const payments = changePayments(progress, ended)
  const { delivered, sent } = moveShipments(progress)
  const { joined, left, offered } = changeWaitingLists(progress)
  const moved: Array<StockMovementId> = []
  const unmoved: Array<StockMovementId> = []
  for (const movement of write.movements) {
    ;(insertMovement(progress, movement) ? moved : unmoved).push(movement.movementId)
  }
  const amended = write.amendments.filter((amendment) => amendProduct(progress, amendment))

  const stock = moveStock(progress)
  const units = moveUnits(progress)
  const events: ReadonlyArray<BatchEvent> = [
    ...placed.map((orderId) => ({ type: "order.reserved", orderId }) as const),
    ...acceptedOffers(write, placed),
    ...ended.map(({ orderId, status }) => ({ type: `order.${status}`, orderId }) as const),
    ...payments.events,
    ...sent.events,
    ...delivered.events,
    ...moved.map((movementId) => ({ type: "stock.moved", movementId }) as const),
    ...amended.map(({ productId, version }) => ({ type: "product.amended", productId, version: version + 1 }) as const),
    ...released,
    ...left.map(({ offerId, productId }) => ({ type: "waitlist.left", offerId, productId }) as const),
    ...joined.map(({ offerId, productId }) => ({ type: "waitlist.joined", offerId, productId }) as const),
    ...offered.map(({ offerId, productId }) => ({ type: "offer.made", offerId, productId }) as const),
  ]
  tables.batches.insert({ shard, batch, epoch, committedAtMillis: atMillis, voided: false, events })
  const hasEnded = new Set(ended.map((ending) => ending.orderId))
  const unended = write.endings.flatMap(({ orderId }) => (hasEnded.has(orderId) ? [] : [orderId]))
  const unamended = write.amendments.filter((amendment) => !amended.includes(amendment))
  const missed = { unplaced, cartsChanged, unmoved, unextended, unended, unamended }
  const lives = { payments: payments.changed, unshipped: sent.missed, undelivered: delivered.missed }
  const unoffered = write.offers.filter((offer) => !offered.includes(offer))
  return { _tag: "Applied", atMillis, ...missed, ...lives, unoffered, stock, units }
}

/** Whether an order that sells a cart finds it at the version it has read. */
const hasItsCart = (tables: MemoryTables, { command }: OrderWrite): boolean =>
  command.cartVersion === null || tables.carts.get(command.caller)?.version === command.cartVersion

const placeOrder = ({ atMillis, available, tables, units, write }: Progress, order: OrderWrite): boolean => {
  const { command, currency, lines, total } = order
  const { caller, customer, customerRef, fingerprint, key, orderId } = command
  const held = command.held.flatMap((part) => heldRows(tables, order, part, atMillis))
  if (held.length < command.held.reduce((count, part) => count + part.lines.length, 0)) return false
  if (!hasItsCart(tables, order)) return false
  if (tables.orderKeys.get(keyName(command)) !== undefined) {
    if (write.form === "plain") throw violation("23505", "orders_key")
    return false
  }
  const expiresAtMillis = atMillis + order.ttlMillis
  const times = { createdAtMillis: atMillis, expiresAtMillis, paidAtMillis: null }
  const name = { caller, key, fingerprint, orderId, customerRef }
  tables.orders.insert({ ...name, ...times, homeShard: write.shard, status: "reserved", total, currency })
  tables.orderKeys.insert({ ...name, ...times, homeShard: write.shard, status: "reserved", total, currency })
  if (command.cartVersion !== null) tables.carts.put({ caller, version: command.cartVersion + 1, lines: [] })
  for (const row of held) tables.holds.remove(row)
  for (const { productId, quantity, unitPrice } of [...lines, ...held]) {
    tables.orderLines.insert({ orderId, productId, quantity, unitPrice })
  }
  for (const { productId, quantity, unitsBefore } of lines) {
    add(available, productId, -quantity)
    if (unitsBefore !== null) addUnits(units, productId, customer, quantity, unitsBefore)
  }
  return true
}

/** The hold rows of a part that are as the order counts on: of its attempt, its quantity and price, and in time. */
const heldRows = (
  tables: MemoryTables,
  { command }: OrderWrite,
  part: HeldPart,
  atMillis: number,
): ReadonlyArray<HoldRow> =>
  part.lines.flatMap(({ productId, quantity, unitPrice }) => {
    const { fingerprint, key } = part
    const row = tables.holds.get(holdKey(part.shard, { caller: command.caller, key, fingerprint }, productId))
    const live = row !== undefined && row.attempt === part.attempt && row.expiresAtMillis > atMillis
    return live && row.quantity === quantity && row.unitPrice === unitPrice ? [row] : []
  })

const insertHold = (
  { atMillis, available, tables, units, write }: Progress,
  { command, currency, lines }: HoldWrite,
) => {
  const { attempt, caller, customer, fingerprint, holdTtlMillis, key } = command
  const hold = { shard: write.shard, caller, key, fingerprint, attempt, kind: "order" as const, customer, currency }
  for (const { productId, quantity, unitPrice, unitsBefore } of lines) {
    tables.holds.insert({ ...hold, productId, quantity, unitPrice, expiresAtMillis: atMillis + holdTtlMillis })
    add(available, productId, -quantity)
    if (unitsBefore !== null) addUnits(units, productId, customer, quantity, unitsBefore)
  }
}

/** Moves the rows to the command's attempt, but none of a later one; false where a row could not be moved. */
const extendHold = ({ atMillis, tables, write }: Progress, { command, productIds }: HoldExtension): boolean => {
  let whole = true
  for (const productId of productIds) {
    const row = tables.holds.get(holdKey(write.shard, command, productId))
    if (row === undefined || row.attempt > command.attempt) whole = false
    else tables.holds.put({ ...row, attempt: command.attempt, expiresAtMillis: atMillis + command.holdTtlMillis })
  }
  return whole
}

/** Gives back every row of the release's own attempt; its list of products is for the planner. */
const releaseHold = (
  { atMillis, available, tables, units, write }: Progress,
  command: Release,
): ReadonlyArray<BatchEvent> => {
  const offersReleased: Array<BatchEvent> = []
  for (const row of tables.holds.all()) {
    if (holdKey(row.shard, row, row.productId) !== holdKey(write.shard, command, row.productId)) continue
    if (row.attempt !== command.attempt || (command.onlyExpired && row.expiresAtMillis > atMillis)) continue
    tables.holds.remove(row)
    add(available, row.productId, row.quantity)
    addUnits(units, row.productId, row.customer, -row.quantity, null)
    if (row.kind === "order") continue
    const type = command.onlyExpired ? "offer.expired" : "offer.declined"
    offersReleased.push({ type, productId: row.productId, offerId: OfferId.make(row.attempt) })
  }
  return offersReleased
}

const applyReturn = ({ available, tables, units, write }: Progress, { returnId }: Return): void => {
  const row = tables.pendingReturns.get(returnId)
  if (row === undefined || row.shard !== write.shard) return
  tables.pendingReturns.remove(row)
  add(available, row.productId, row.quantity)
  addUnits(units, row.productId, row.customer, -row.quantity, null)
}

/**
 * A reservation is cancelled while its time runs and expires when it is over, a paid order is refunded, each only with
 * all of its lines; what it became, or null where it stays as it is.
 */
const endOrder = (
  { atMillis, available, tables, units, write }: Progress,
  ending: EndingWrite,
): Pick<EndingWrite, "orderId" | "status"> | null => {
  const { lines, orderId } = ending
  const order = tables.orders.get(orderId)
  if (order === undefined || order.homeShard !== write.shard) return null
  const status = endOf(order, ending.status, atMillis)
  if (status === null) return null
  const rows = tables.linesOf(orderId)
  const endings = new Map(lines.map((line) => [line.productId, line]))
  if (!rows.every((row) => endings.has(row.productId))) return null
  putOrder(tables, { ...order, status })
  const customer = customerOf(order)
  for (const { productId, quantity } of rows) {
    const line = endings.get(productId)
    if (line === undefined) continue
    if (line.shard === write.shard) {
      add(available, productId, quantity)
      addUnits(units, productId, customer, -quantity, null)
    } else {
      tables.pendingReturns.insert({ ...line, orderId, customer, quantity })
    }
  }
  return { orderId, status }
}

const endOf = (order: OrderRow, wanted: EndingWrite["status"], atMillis: number): EndingWrite["status"] | null => {
  if (order.status === "paid") return wanted === "expired" ? null : "refunded"
  if (order.status !== "reserved") return null
  if ((wanted === "expired") !== order.expiresAtMillis <= atMillis) return null
  return wanted === "refunded" ? null : wanted
}

const amendProduct = ({ tables }: Progress, { change, productId, version }: AmendmentWrite): boolean => {
  const product = tables.products.get(productId)
  if (product === undefined || product.version !== version) return false
  const limitPerCustomer = change.limitPerCustomer === undefined ? product.limitPerCustomer : change.limitPerCustomer
  const start = change.saleStartsAtMillis
  tables.products.put({
    ...product,
    name: change.name ?? product.name,
    price: change.price?.amount ?? product.price,
    limitPerCustomer,
    countsUnits: product.countsUnits || limitPerCustomer !== null,
    saleStartsAtMillis: start === undefined ? product.saleStartsAtMillis : start,
    paused: change.paused ?? product.paused,
    archived: change.archived ?? product.archived,
    waitlist: change.waitlist ?? product.waitlist,
    reservationTtlSeconds:
      change.reservationTtlSeconds === undefined ? product.reservationTtlSeconds : change.reservationTtlSeconds,
    version: version + 1,
  })
  return true
}

const insertMovement = ({ atMillis, available, stocked, tables, write }: Progress, command: Restock): boolean => {
  if (tables.movementKeys.get(keyName(command)) !== undefined) {
    if (write.form === "plain") throw violation("23505", "stock_movements_key")
    return false
  }
  const { caller, delta, fingerprint, key, kind, movementId, productId, reason } = command
  const row = { movementId, productId, caller, key, fingerprint, kind, delta, reason, createdAtMillis: atMillis }
  tables.movements.insert(row)
  tables.movementKeys.insert(row)
  add(available, productId, delta)
  add(stocked, productId, delta)
  return true
}

const moveStock = ({ available, stocked, tables }: Progress): Applied["stock"] =>
  [...available].flatMap(([productId, delta]) => {
    const row = tables.stock.get(productId)
    if (row === undefined) return []
    const moved = { productId, stocked: row.stocked + (stocked.get(productId) ?? 0), available: row.available + delta }
    tables.stock.put(moved)
    return [moved]
  })

/** A count that is there moves; one that is not begins, where units were taken, from what its customer had before. */
const moveUnits = ({ tables, units }: Progress): Applied["units"] =>
  [...units.values()].map(({ before, customer, productId, units: delta }) => {
    const row = tables.customerUnits.get(unitsName(productId, customer))
    if (row === undefined && (delta <= 0 || before === null)) return { productId, customer, units: null }
    const moved = { productId, customer, units: (row?.units ?? before ?? 0) + delta }
    tables.customerUnits.put(moved)
    return moved
  })

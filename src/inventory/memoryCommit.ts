/**
 * What PostgreSQL's one statement does to the rows of a shard, written plainly: the fence, the orders whose holds are
 * all there, holds, releases, returns and movements, and at the end stock and units, moved by what really happened.
 *
 * Must stay true: nothing here is decided again that the planner decided; stock moves only for rows inserted or deleted
 * by this very batch, in one step a product, and the checks of the tables have the last word.
 */
import { type HeldPart, keyName, type Release, type Restock, type Return, unitsName } from "../domain/commands.ts"
import type { OrderId, ProductId, Shard, StockMovementId } from "../domain/ids.ts"
import { holdKey, type HoldRow, type MemoryTables, violation } from "./memoryTables.ts"
import type { BatchWrite, HoldExtension, HoldWrite, OrderWrite } from "../domain/batch.ts"
import type { Applied, CustomerUnits, NotApplied } from "./ShardStore.ts"

const notApplied: NotApplied = { _tag: "NotApplied" }

/** One batch on its way through the tables. */
interface Progress {
  readonly tables: MemoryTables
  readonly write: BatchWrite
  readonly atMillis: number
  readonly available: Map<ProductId, number>
  readonly stocked: Map<ProductId, number>
  readonly units: Map<string, CustomerUnits>
}

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
  for (const order of write.orders) (placeOrder(progress, order) ? placed : unplaced).push(order.command.orderId)
  const unextended = write.extensions.filter((extension) => !extendHold(progress, extension))
  for (const release of write.releases) releaseHold(progress, release)
  for (const hold of write.holds) insertHold(progress, hold)
  for (const command of write.returns) applyReturn(progress, command)
  const moved: Array<StockMovementId> = []
  const unmoved: Array<StockMovementId> = []
  for (const movement of write.movements) {
    ;(insertMovement(progress, movement) ? moved : unmoved).push(movement.movementId)
  }

  const stock = moveStock(progress)
  const units = moveUnits(progress)
  const events = [
    ...placed.map((orderId) => ({ type: "order.reserved", orderId }) as const),
    ...moved.map((movementId) => ({ type: "stock.moved", movementId }) as const),
  ]
  tables.batches.insert({ shard, batch, epoch, committedAtMillis: atMillis, voided: false, events })
  return { _tag: "Applied", atMillis, unplaced, unmoved, unextended, stock, units }
}

const placeOrder = ({ atMillis, available, tables, units, write }: Progress, order: OrderWrite): boolean => {
  const { command, currency, lines, total } = order
  const { caller, customer, customerRef, fingerprint, key, orderId } = command
  const held = command.held.flatMap((part) => heldRows(tables, order, part, atMillis))
  if (held.length < command.held.reduce((count, part) => count + part.lines.length, 0)) return false
  if (tables.orderKeys.get(keyName(command)) !== undefined) {
    if (write.form === "plain") throw violation("23505", "orders_key")
    return false
  }
  const expiresAtMillis = atMillis + command.reservationTtlMillis
  const times = { createdAtMillis: atMillis, expiresAtMillis }
  const name = { caller, key, fingerprint, orderId, customerRef }
  tables.orders.insert({ ...name, ...times, homeShard: write.shard, status: "reserved", total, currency })
  tables.orderKeys.insert({ ...name, ...times, homeShard: write.shard, status: "reserved", total, currency })
  for (const row of held) tables.holds.remove(row)
  for (const { productId, quantity, unitPrice } of [...lines, ...held]) {
    tables.orderLines.insert({ orderId, productId, quantity, unitPrice })
  }
  for (const { limited, productId, quantity } of lines) {
    add(available, productId, -quantity)
    if (limited) addUnits(units, productId, customer, quantity)
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
    const row = tables.holds.get(holdKey(part.shard, command, productId))
    const live = row !== undefined && row.attempt === part.attempt && row.expiresAtMillis > atMillis
    return live && row.quantity === quantity && row.unitPrice === unitPrice ? [row] : []
  })

const insertHold = (
  { atMillis, available, tables, units, write }: Progress,
  { command, currency, lines }: HoldWrite,
) => {
  const { attempt, caller, customer, fingerprint, holdTtlMillis, key } = command
  const hold = { shard: write.shard, caller, key, fingerprint, attempt, customer, currency }
  for (const { limited, productId, quantity, unitPrice } of lines) {
    tables.holds.insert({ ...hold, productId, quantity, unitPrice, expiresAtMillis: atMillis + holdTtlMillis })
    add(available, productId, -quantity)
    if (limited) addUnits(units, productId, customer, quantity)
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
const releaseHold = ({ atMillis, available, tables, units, write }: Progress, command: Release): void => {
  for (const row of tables.holds.all()) {
    if (holdKey(row.shard, row, row.productId) !== holdKey(write.shard, command, row.productId)) continue
    if (row.attempt !== command.attempt || (command.onlyExpired && row.expiresAtMillis > atMillis)) continue
    tables.holds.remove(row)
    add(available, row.productId, row.quantity)
    addUnits(units, row.productId, row.customer, -row.quantity)
  }
}

const applyReturn = ({ available, tables, units, write }: Progress, { returnId }: Return): void => {
  const row = tables.pendingReturns.get(returnId)
  if (row === undefined || row.shard !== write.shard) return
  tables.pendingReturns.remove(row)
  add(available, row.productId, row.quantity)
  addUnits(units, row.productId, row.customer, -row.quantity)
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

/** Counts go up for anybody, and down only where there is a count: other units were never counted. */
const moveUnits = ({ tables, units }: Progress): Applied["units"] =>
  [...units.values()].flatMap(({ customer, productId, units: delta }) => {
    const row = tables.customerUnits.get(unitsName(productId, customer))
    if (delta === 0 || (row === undefined && delta < 0)) return []
    const moved = { productId, customer, units: (row?.units ?? 0) + delta }
    tables.customerUnits.put(moved)
    return [moved]
  })

const add = (deltas: Map<ProductId, number>, productId: ProductId, delta: number): void => {
  deltas.set(productId, (deltas.get(productId) ?? 0) + delta)
}

const addUnits = (deltas: Progress["units"], productId: ProductId, customer: string, delta: number): void => {
  const name = unitsName(productId, customer)
  deltas.set(name, { productId, customer, units: (deltas.get(name)?.units ?? 0) + delta })
}

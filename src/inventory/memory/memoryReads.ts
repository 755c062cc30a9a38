/**
 * What a shard reads from the in-memory tables: products, facts, units, and what the sweeper looks for. Nothing here
 * changes a row.
 */
import { holdName, keyName, type Release, type Return, unitsName } from "../../domain/commands.ts"
import type { OrderId, ProductId, Shard } from "../../domain/ids.ts"
import { isLive, type OrderStatus } from "../../domain/order.ts"
import { customerOf, type OrderRow, type WaiterRow } from "./memoryRows.ts"
import { lineKey, type MemoryTables } from "./memoryTables.ts"
import type { ProductState, Waiter } from "../../domain/batch.ts"
import type { CustomerUnits, EndableOrder, FactsRead, FactsRequest, Lease } from "../store/ShardStore.ts"

export const readProducts = (
  tables: MemoryTables,
  shard: Shard,
  productIds: ReadonlyArray<ProductId>,
): ReadonlyArray<ProductState> => {
  const held = new Set(tables.holds.all().map((row) => row.productId))
  const waited = new Set(tables.waitingList.all().map((row) => row.productId))
  return [...new Set(productIds)].flatMap((productId) => {
    const product = tables.products.get(productId)
    const stock = tables.stock.get(productId)
    if (product === undefined || stock === undefined || product.shard !== shard) return []
    const { shard: _, ...state } = product
    const { available, stocked } = stock
    return [{ ...state, stocked, available, mayHaveHolds: held.has(productId), mayHaveWaiters: waited.has(productId) }]
  })
}

export const readLease = (tables: MemoryTables, shard: Shard): Lease => {
  const row = tables.leases.get(`${shard}`)
  if (row === undefined) throw new Error(`the database has no shard ${shard}`)
  return { epoch: row.epoch, batch: row.batch }
}

export const readFacts = (tables: MemoryTables, shard: Shard, request: FactsRequest, atMillis: number): FactsRead => {
  const wanted = new Set(request.holds.map(holdName))
  const heldUnits = new Map<ProductId, number>()
  for (const { productId, quantity } of tables.holds.all()) {
    heldUnits.set(productId, (heldUnits.get(productId) ?? 0) + quantity)
  }
  return {
    lease: readLease(tables, shard),
    orders: request.orderKeys.flatMap((name) => tables.orderKeys.get(keyName(name)) ?? []),
    movements: request.movementKeys.flatMap((name) => tables.movementKeys.get(keyName(name)) ?? []),
    holds: tables.holds.all().filter((row) => row.shard === shard && wanted.has(holdName(row))),
    heldUnits: request.heldProducts.map((productId) => ({ productId, units: heldUnits.get(productId) ?? 0 })),
    statuses: request.statuses.flatMap((orderId) => {
      const order = tables.orders.get(orderId)
      return order === undefined ? [] : [{ orderId, status: statusAt(order, atMillis) }]
    }),
    paymentKeys: request.paymentKeys.flatMap((name) => tables.paymentKeys.get(keyName(name)) ?? []),
    payments: request.payments.flatMap((paymentId) => tables.payments.get(paymentId) ?? []),
    shipments: request.shipmentsOf.flatMap((orderId) => tables.shipmentsOf(orderId)),
  }
}

const inOrder = (left: WaiterRow, right: WaiterRow): number => left.batch - right.batch || left.number - right.number

export const readWaiters = (
  tables: MemoryTables,
  shard: Shard,
  productIds: ReadonlyArray<ProductId>,
  sizeMax: number,
): ReadonlyArray<Waiter & { readonly productId: ProductId }> =>
  productIds.flatMap((productId) => {
    const available = tables.stock.get(productId)?.available ?? 0
    return tables.waitingList
      .all()
      .filter((row) => row.shard === shard && row.productId === productId && row.quantity <= available)
      .toSorted(inOrder)
      .slice(0, sizeMax)
      .map(({ accountId, offerId, quantity }) => ({ accountId, offerId, productId, quantity }))
  })

/** Every product here has a merchant who sells. */
export const readProductsToOffer = (
  tables: MemoryTables,
  shard: Shard,
  sizeMax: number,
  atMillis: number,
): ReadonlyArray<ProductId> =>
  tables.products
    .all()
    .filter((product) => {
      const { archived, paused, productId, saleStartsAtMillis, waitlist } = product
      const isOffered = waitlist && !paused && !archived && (saleStartsAtMillis ?? 0) <= atMillis
      return product.shard === shard && isOffered && readWaiters(tables, shard, [productId], 1).length > 0
    })
    .map((product) => product.productId)
    .slice(0, sizeMax)

/** A reservation whose time is over counts as expired, whether or not the sweeper has been there. */
const statusAt = (order: OrderRow, atMillis: number): OrderStatus =>
  order.status === "reserved" && order.expiresAtMillis <= atMillis ? "expired" : order.status

const endable = (tables: MemoryTables, order: OrderRow, atMillis: number): EndableOrder => ({
  orderId: order.orderId,
  caller: order.caller,
  homeShard: order.homeShard,
  status: statusAt(order, atMillis),
  lines: tables.linesOf(order.orderId).flatMap(({ productId }) => {
    const product = tables.products.get(productId)
    return product === undefined ? [] : [{ productId, shard: product.shard }]
  }),
})

export const readEndableOrder = (tables: MemoryTables, orderId: OrderId, atMillis: number): EndableOrder | null => {
  const order = tables.orders.get(orderId)
  return order === undefined ? null : endable(tables, order, atMillis)
}

export const readExpiredOrders = (
  tables: MemoryTables,
  shard: Shard,
  sizeMax: number,
  atMillis: number,
): ReadonlyArray<EndableOrder> =>
  tables.orders
    .all()
    .filter((row) => row.homeShard === shard && row.status === "reserved" && row.expiresAtMillis <= atMillis)
    .toSorted((left, right) => left.expiresAtMillis - right.expiresAtMillis)
    .slice(0, sizeMax)
    .map((row) => endable(tables, row, atMillis))

/** By their row, or where there is none by live orders, holds and returns under way. */
export const readUnits = (
  tables: MemoryTables,
  pairs: ReadonlyArray<{ readonly productId: ProductId; readonly customer: string }>,
): ReadonlyArray<CustomerUnits> =>
  pairs.map(({ customer, productId }) => {
    const row = tables.customerUnits.get(unitsName(productId, customer))
    return row ?? { productId, customer, units: countUnits(tables, productId, customer) }
  })

const countUnits = (tables: MemoryTables, productId: ProductId, customer: string): number => {
  let units = 0
  for (const order of tables.orders.all()) {
    if (!isLive(order.status) || customerOf(order) !== customer) continue
    units += tables.orderLines.get(lineKey(order.orderId, productId))?.quantity ?? 0
  }
  for (const row of [...tables.holds.all(), ...tables.pendingReturns.all()]) {
    if (row.productId === productId && row.customer === customer) units += row.quantity
  }
  return units
}

/** The rows whose time ended first, as one Release for each hold and attempt. */
export const readExpiredHolds = (
  tables: MemoryTables,
  shard: Shard,
  sizeMax: number,
  atMillis: number,
): ReadonlyArray<Release> => {
  const expired = tables.holds
    .all()
    .filter((row) => row.shard === shard && row.expiresAtMillis <= atMillis)
    .toSorted((left, right) => left.expiresAtMillis - right.expiresAtMillis)
    .slice(0, sizeMax)
  return [...Map.groupBy(expired, (row) => `${row.attempt}/${holdName(row)}`).values()].flatMap((rows) =>
    rows.slice(0, 1).map(({ attempt, caller, fingerprint, key }) => {
      const productIds = rows.map((row) => row.productId)
      return { _tag: "Release", caller, key, fingerprint, attempt, productIds, onlyExpired: true } as const
    }),
  )
}

export const readPendingReturns = (tables: MemoryTables, shard: Shard, sizeMax: number): ReadonlyArray<Return> =>
  tables.pendingReturns
    .all()
    .filter((row) => row.shard === shard)
    .toSorted((left, right) => (left.returnId < right.returnId ? -1 : 1))
    .slice(0, sizeMax)
    .map(({ productId, returnId }) => ({ _tag: "Return", returnId, productId }))

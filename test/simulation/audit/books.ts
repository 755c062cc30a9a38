/**
 * What the rows alone must say at any instant, whoever wrote them: the balance of every product, one order a key, sums
 * that are sums, units that are counted right. The same checks for the in-memory tables and for what PostgreSQL holds.
 */
import assert from "node:assert/strict"
import type { ProductId } from "../../../src/domain/ids.ts"
import { isLive, type OrderStatus } from "../../../src/domain/order.ts"

interface Units {
  readonly productId: ProductId
  readonly quantity: number
}

export interface Books {
  readonly products: ReadonlyArray<{ readonly productId: ProductId; readonly countsUnits: boolean }>
  readonly stock: ReadonlyArray<{ readonly productId: ProductId; readonly stocked: number; readonly available: number }>
  readonly movements: ReadonlyArray<{ readonly productId: ProductId; readonly delta: number }>
  readonly orders: ReadonlyArray<{
    readonly orderId: string
    readonly caller: string
    readonly key: string
    readonly status: OrderStatus
    readonly total: number
  }>
  readonly orderLines: ReadonlyArray<Units & { readonly orderId: string; readonly unitPrice: number }>
  readonly holds: ReadonlyArray<Units & { readonly customer: string }>
  readonly pendingReturns: ReadonlyArray<Units & { readonly customer: string }>
  readonly customerUnits: ReadonlyArray<{
    readonly productId: ProductId
    readonly customer: string
    readonly units: number
  }>
}

const addUp = (rows: ReadonlyArray<Units>): ReadonlyMap<ProductId, number> => {
  const sums = new Map<ProductId, number>()
  for (const { productId, quantity } of rows) sums.set(productId, (sums.get(productId) ?? 0) + quantity)
  return sums
}

export const assertBooks = (books: Books): void => {
  const live = new Set(books.orders.filter((order) => isLive(order.status)).map((order) => order.orderId))
  const sold = addUp(books.orderLines.filter((line) => live.has(line.orderId)))
  const held = addUp(books.holds)
  const returning = addUp(books.pendingReturns)
  const moved = addUp(books.movements.map(({ delta, productId }) => ({ productId, quantity: delta })))
  for (const { available, productId, stocked } of books.stock) {
    const units = (of: ReadonlyMap<ProductId, number>): number => of.get(productId) ?? 0
    assert.ok(available >= 0 && available <= stocked, `oversold: ${available} of ${stocked} of ${productId}`)
    assert.strictEqual(available + units(sold) + units(held) + units(returning), stocked, `balance of ${productId}`)
    assert.strictEqual(units(moved), stocked, `movements of ${productId}`)
  }
  const keys = new Set(books.orders.map((order) => `${order.caller}/${order.key}`))
  assert.strictEqual(keys.size, books.orders.length, "two orders under one key")
  const totals = new Map<string, number>()
  for (const { orderId, quantity, unitPrice } of books.orderLines) {
    totals.set(orderId, (totals.get(orderId) ?? 0) + quantity * unitPrice)
  }
  for (const { orderId, total } of books.orders) {
    assert.strictEqual(totals.get(orderId), total, `the total of order ${orderId} is not that of its lines`)
  }
}

/** Units that are counted for customers, against orders, holds and returns; `customerOf` an order's id. */
export const assertUnits = (books: Books, customerOf: (orderId: string) => string): void => {
  const live = new Set(books.orders.filter((order) => isLive(order.status)).map((order) => order.orderId))
  const counted = new Set(books.products.flatMap((product) => (product.countsUnits ? [product.productId] : [])))
  const had = new Map<string, number>()
  const count = (productId: ProductId, customer: string, units: number): void =>
    void had.set(`${productId}/${customer}`, (had.get(`${productId}/${customer}`) ?? 0) + units)
  for (const { orderId, productId, quantity } of books.orderLines) {
    if (live.has(orderId)) count(productId, customerOf(orderId), quantity)
  }
  for (const row of [...books.holds, ...books.pendingReturns]) count(row.productId, row.customer, row.quantity)
  for (const { customer, productId, units } of books.customerUnits) {
    assert.ok(counted.has(productId), `units of ${productId} are counted, which never had a limit`)
    assert.strictEqual(units, had.get(`${productId}/${customer}`) ?? 0, `units of ${productId} that ${customer} has`)
  }
}

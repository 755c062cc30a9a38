/**
 * What is counted in a run, each under a name: units in stock, units a customer has, and what a product's own data say,
 * as numbers. Whatever takes effect moves some of them by some amount, so that what a refusal names can be looked up
 * where the order of the mailbox puts it.
 */
import type { MerchantId, OrderId, ProductId } from "../../../src/domain/ids.ts"
import { OrderStatus } from "../../../src/domain/order.ts"
import type { ProductRow } from "../../../src/inventory/memory/memoryRows.ts"
import type { MemoryTables } from "../../../src/inventory/memory/memoryTables.ts"

export const stockCount = (productId: ProductId): string => `stock ${productId}`
export const unitsCount = (productId: ProductId, customer: string): string => `units ${productId} ${customer}`

/** What an order is: its status by its number, and the end of its time as a reservation. */
export const statusCount = (orderId: OrderId): string => `status ${orderId}`
export const expiryCount = (orderId: OrderId): string => `expiry ${orderId}`
/** How many payments of an order are under way, and whether a merchant has sent its part of it. */
export const processingCount = (orderId: OrderId): string => `processing ${orderId}`
export const sentCount = (orderId: OrderId, merchantId: MerchantId): string => `sent ${orderId} ${merchantId}`
/** How many units somebody waits for. */
export const placeCount = (productId: ProductId, customer: string): string => `place ${productId} ${customer}`

/** 0 is an order that is not there. */
export const statusNumber = (status: OrderStatus): number => OrderStatus.literals.indexOf(status) + 1

type Fact = "version" | "price" | "limit" | "paused" | "archived" | "sale start" | "waiting list"
export const factCount = (fact: Fact, productId: ProductId): string => `${fact} ${productId}`

/** A product's data; no limit and no sale start are 0, which neither can be. */
export const factsOf = (product: ProductRow): ReadonlyMap<string, number> => {
  const { productId } = product
  return new Map([
    [factCount("version", productId), product.version],
    [factCount("price", productId), product.price],
    [factCount("limit", productId), product.limitPerCustomer ?? 0],
    [factCount("paused", productId), product.paused ? 1 : 0],
    [factCount("archived", productId), product.archived ? 1 : 0],
    [factCount("sale start", productId), product.saleStartsAtMillis ?? 0],
    [factCount("waiting list", productId), product.waitlist ? 1 : 0],
  ])
}

/** Every count before anything has happened; those of customers' units are 0. */
export const firstCounts = ({ products, stock }: MemoryTables): ReadonlyMap<string, number> =>
  new Map([
    ...stock.all().map((row) => [stockCount(row.productId), row.available] as const),
    ...products.all().flatMap((product) => [...factsOf(product)]),
  ])

export const add = (counts: Map<string, number>, name: string, by: number): void => {
  counts.set(name, (counts.get(name) ?? 0) + by)
}

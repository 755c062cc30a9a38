/**
 * The end of every run: what buyers were told against the orders of their accounts, and those orders against the stock
 * of each product. Must stay true: the accounts and products were made for this run, so that nobody else's orders are
 * among them, and every buyer has had its last answer.
 */
import { check } from "k6"
import type { World } from "../src/load/world.ts"
import { ask } from "./ask.ts"
import { type Order, unitsOf } from "./press.ts"
import { type Call, tokenCount, tokenOf, unitsUnaccounted } from "./shop.ts"

/** Accounts, or products, asked for at once. */
const atOnce = 10
const pageSize = 100
/** k6's own minute is too short for the lists of a long run. */
export const booksMaxMinutes = 10

const gone = new Set(["cancelled", "expired", "refunded"])

const get = async <A>(world: World, path: string, route: string, token?: string): Promise<A | undefined> => {
  const call: Call = { method: "GET", path, route, ...(token === undefined ? {} : { token }) }
  const answer = await ask(world, call, 200)
  return answer === undefined ? undefined : JSON.parse(answer.body)
}

interface OrderPage {
  readonly data: ReadonlyArray<Order>
  readonly hasMore: boolean
}

const ordersOf = async (world: World, token: string): Promise<ReadonlyArray<Order>> => {
  const orders: Array<Order> = []
  for (let hasMore = true; hasMore;) {
    const after = orders.length === 0 ? "" : `&starting_after=${orders.at(-1)?.id}`
    const page = await get<OrderPage>(world, `/v1/orders?limit=${pageSize}${after}`, "/v1/orders", token)
    orders.push(...(page?.data ?? []))
    hasMore = page?.hasMore ?? false
  }
  return orders
}

const inGroups = async <A, B>(items: ReadonlyArray<A>, work: (item: A) => Promise<B>): Promise<ReadonlyArray<B>> => {
  const results: Array<B> = []
  for (let first = 0; first < items.length; first += atOnce) {
    results.push(...(await Promise.all(items.slice(first, first + atOnce).map(work))))
  }
  return results
}

interface Stock {
  readonly stocked: number
  readonly available: number
}

/** Checks everything and says how many units are left of the whole. */
export const closeBooks = async (world: World): Promise<number> => {
  const live = new Map<string, number>()
  let units = 0
  const everybody = Array.from({ length: tokenCount }, (_, index) => tokenOf(index))
  for (const order of (await inGroups(everybody, (token) => ordersOf(world, token))).flat()) {
    units += unitsOf(order)
    if (gone.has(order.status)) continue
    for (const { productId, quantity } of order.lines) live.set(productId, (live.get(productId) ?? 0) + quantity)
  }
  unitsUnaccounted.add(-units)
  const stocks = await inGroups(world.wares, async (ware) => {
    const stock = await get<Stock>(world, `/v1/products/${ware.id}`, "/v1/products/{id}")
    if (stock === undefined) return 0
    check(stock, {
      "no unit was sold twice": () => stock.stocked === ware.units && stock.available >= 0,
      "what left the stock is what orders hold": () => stock.stocked - stock.available === (live.get(ware.id) ?? 0),
    })
    return stock.available
  })
  return stocks.reduce((sum, available) => sum + available, 0)
}

/**
 * What most visitors do: search, turn pages, look at products twice, fill a cart and change their mind, check out, look
 * at the order, and one in four cancels it. Some check out twice at once, later again, or hang up: each gets its one
 * order although the cart is empty by then.
 *
 * Must stay true: each virtual user has an account of its own, so that its cart is exactly what it put in.
 */
import { check } from "k6"
import exec from "k6/execution"
import { Counter } from "k6/metrics"
import type { Options } from "k6/options"
import type { BrowseAndBuyWorld } from "../src/load/world.ts"
import { ask } from "./ask.ts"
import { booksMaxMinutes, closeBooks } from "./books.ts"
import { checkOneOrder, checkOrder, countPurchase, type Order, press, type Press, type Told } from "./press.ts"
import { type Call, counted, countFromZero, pause, readWorld, thresholdsOf, tokenOf, trendStats } from "./shop.ts"
import { countOf, digits, latencies, summaryOf, type SummaryData } from "./summary.ts"

const world = readWorld<BrowseAndBuyWorld>()

const visits = new Counter("visits")
const visitsEnded = new Counter("visits_ended")
const notModified = new Counter("not_modified")
const ordersCancelled = new Counter("orders_cancelled")

export const options: Options = {
  scenarios: {
    shoppers: {
      executor: "constant-vus",
      exec: "shop",
      vus: world.shoppers,
      duration: `${Math.ceil(world.durationSeconds)}s`,
      // Longer than any visit, so that none is cut off with an order it was not told of.
      gracefulStop: "2m",
    },
  },
  thresholds: { ...thresholdsOf(world), visits_ended: ["count>0"] },
  summaryTrendStats: trendStats,
  teardownTimeout: `${booksMaxMinutes}m`,
}

export const setup = (): void => countFromZero(visits, visitsEnded, notModified, ordersCancelled)

const pageSize = 25
/** More than there are, so that a list without an end is an error and not a hang. */
const pagesMax = 20
const hangUpMillis = 3

interface Shopper {
  readonly token: string
  /** Of this visit in the whole run: what it buys and how it behaves come from it. */
  readonly index: number
}

interface Line {
  readonly productId: string
  readonly quantity: number
}

interface ProductPage {
  readonly data: ReadonlyArray<{ readonly id: string; readonly name: string }>
  /** Where the next page begins; null after the last. */
  readonly next: string | null
}

interface Cart {
  readonly lines: ReadonlyArray<Line & { readonly unitPrice: { readonly amount: number } }>
  readonly total: { readonly amount: number; readonly currency: string } | null
  readonly problems: ReadonlyArray<unknown>
}

/** A look at a page or two; one visit in ten turns them all, and must have seen each product once. */
const browse = async ({ index }: Shopper): Promise<void> => {
  const turnsAll = index % 10 === 0
  const seen: Array<string> = []
  let next: string | null = ""
  for (let turned = 0; next !== null && turned < (turnsAll ? pagesMax : 2); turned++) {
    const path = `/v1/products?q=${world.run}&limit=${pageSize}${next === "" ? "" : `&starting_after=${next}`}`
    const answer = await ask(world, { method: "GET", path, route: "/v1/products" }, 200)
    if (answer === undefined) return
    const page: ProductPage = JSON.parse(answer.body)
    check(page, {
      "a search finds only what it asked for": () => page.data.every(({ name }) => name.endsWith(world.run)),
    })
    seen.push(...page.data.map(({ id }) => id))
    next = page.next
  }
  const distinct = new Set(seen)
  check(seen, { "pages hold no product twice": () => distinct.size === seen.length })
  if (turnsAll) check(seen, { "all pages together hold every product": () => distinct.size === world.wares.length })
}

/** Looked at again, a product is unchanged or says so by another tag. */
const look = async (productId: string): Promise<void> => {
  const call: Call = { method: "GET", path: `/v1/products/${productId}`, route: "/v1/products/{id}" }
  const first = await ask(world, call, 200)
  if (first === undefined) return
  const tag = first.headers["Etag"] ?? ""
  check(tag, { "a product has a tag of its version and stock": () => /^"\d+\.\d+\.\d+"$/.test(tag) })
  const again = await ask(world, { ...call, headers: { "If-None-Match": tag } }, 200, 304)
  if (again === undefined) return
  if (again.status === 304) notModified.add(1)
  else check(again, { "a product that changed has another tag": () => again.headers["Etag"] !== tag })
}

/** Two or three products next to each other on the list. */
const linesOf = ({ index }: Shopper): ReadonlyArray<Line> =>
  Array.from({ length: 2 + (index % 2) }, (_, position) => ({
    productId: world.wares[(index * 7 + position) % world.wares.length]?.id ?? "",
    quantity: 1 + ((index + position) % 4),
  }))

const cartOf = async ({ token }: Shopper): Promise<Cart | undefined> => {
  const answer = await ask(world, { method: "GET", path: "/v1/cart", route: "/v1/cart", token }, 200)
  return answer === undefined ? undefined : JSON.parse(answer.body)
}

/** Puts the lines in, the first with too many before it is set right, and one more that is taken out again. */
const fillCart = async (shopper: Shopper, lines: ReadonlyArray<Line>): Promise<Cart | undefined> => {
  const { index, token } = shopper
  const regretted = world.wares[(index * 7 + lines.length) % world.wares.length]?.id ?? ""
  const call = (productId: string) => ({ path: `/v1/cart/lines/${productId}`, route: "/v1/cart/lines/{id}", token })
  const put = ({ productId, quantity }: Line) =>
    ask(world, { method: "PUT", ...call(productId), body: { quantity } }, 200)
  const tooMany = lines.slice(0, 1).map(({ productId, quantity }) => ({ productId, quantity: quantity + 5 }))
  for (const line of [...tooMany, { productId: regretted, quantity: 1 }, ...lines]) await put(line)
  await ask(world, { method: "DELETE", ...call(regretted) }, 204)
  const cart = await cartOf(shopper)
  if (cart === undefined) return undefined
  const total = cart.lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice.amount, 0)
  check(cart, {
    "a cart holds what was put in it": () =>
      cart.lines.length === lines.length &&
      lines.every((line) =>
        cart.lines.some(({ productId, quantity }) => productId === line.productId && quantity === line.quantity),
      ),
    "a cart costs what its lines cost": () => cart.total?.amount === total,
    "a cart of plenty has no problems": () => cart.problems.length === 0,
  })
  return cart
}

/** One in five checks out twice at once, one later again, one hangs up first; each of the three is one order. */
const checkOut = async ({ index, token }: Shopper, cart: Cart): Promise<ReadonlyArray<Told>> => {
  const body = index % 2 === 0 && cart.total !== null ? { expectedTotal: cart.total } : {}
  const path = "/v1/cart/checkout"
  const wanted: Press = { call: { method: "POST", path, route: path, token, key: `${world.run}-${index}`, body } }
  const temper = index % 5
  if (temper === 0) return Promise.all([press(world, wanted), press(world, wanted)])
  if (temper === 1) return [await press(world, { ...wanted, hangsUpAfterMillis: [hangUpMillis] })]
  const told = await press(world, wanted)
  if (temper !== 2) return [told]
  const again = await press(world, wanted)
  check(again, { "a key used again later is told so": () => again.kind === "bought" && again.wasReplayed })
  return [told, again]
}

/** The order is there as it was told; whoever cancels it twice is told the same twice. */
const lookAtOrder = async ({ index, token }: Shopper, placed: Order): Promise<void> => {
  const path = `/v1/orders/${placed.id}`
  const answer = await ask(world, { method: "GET", path, route: "/v1/orders/{id}", token }, 200)
  if (answer === undefined) return
  const order: Order = JSON.parse(answer.body)
  check(order, {
    "an order is there as it was told": () =>
      order.id === placed.id && order.status === "reserved" && order.total.amount === placed.total.amount,
  })
  if (index % 4 !== 0) return
  const cancel: Call = { method: "POST", path: `${path}/cancel`, route: "/v1/orders/{id}/cancel", token }
  for (let time = 0; time < 2; time++) {
    const cancelled = await ask(world, cancel, 200)
    if (cancelled === undefined) return
    const { status }: Order = JSON.parse(cancelled.body)
    check(status, { "an order that was cancelled says so, however often": () => status === "cancelled" })
  }
  ordersCancelled.add(1)
}

/** People read before they press; spread, so that shoppers do not march in step. */
const readMillis = (index: number): number => 50 + ((index * 37) % 150)

export const shop = counted(async () => {
  visits.add(1)
  const index = exec.scenario.iterationInTest
  const shopper = { token: tokenOf(exec.vu.idInTest - 1), index }
  const lines = linesOf(shopper)
  await browse(shopper)
  await pause(readMillis(index))
  for (const { productId } of lines) await look(productId)
  await pause(readMillis(index + 1))
  const cart = await fillCart(shopper, lines)
  if (cart === undefined) return
  const told = await checkOut(shopper, cart)
  checkOneOrder(told)
  const bought = told.find((each) => each.kind === "bought")
  if (bought === undefined) return
  checkOrder(world, bought.order, lines)
  countPurchase(bought.order)
  const left = await cartOf(shopper)
  check(left, { "a cart that was bought is empty": () => left?.lines.length === 0 })
  await lookAtOrder(shopper, bought.order)
  visitsEnded.add(1)
})

export const teardown = async (): Promise<void> => {
  await closeBooks(world)
}

export const handleSummary = (data: SummaryData) =>
  summaryOf(
    `Browse and buy: ${digits(world.shoppers)} shoppers for ${digits(world.durationSeconds)} s`,
    data,
    [
      ["visits", `${digits(countOf(data, "visits_ended"))} of ${digits(countOf(data, "visits"))} to their end`],
      ["orders", `${digits(countOf(data, "orders_placed"))} with ${digits(countOf(data, "units_sold"))} units`],
      ["cancelled", digits(countOf(data, "orders_cancelled"))],
      ["looked again, unchanged", digits(countOf(data, "not_modified"))],
      ["hung up, pressed again", digits(countOf(data, "hang_ups"))],
      ["same order, told again", digits(countOf(data, "replays"))],
      ["any request", latencies(data, "http_req_duration")],
    ],
    world,
  )

/**
 * Orders as they come on any day: one by one, over many products and accounts, at a rate that rises and then holds. A
 * share of buyers presses again with the key it has (twice at once, later, or after hanging up) and must get the same
 * order; one in ten buys two products, which as a rule have two writers.
 *
 * The rate is offered, not negotiated: k6 begins an order when its time has come, whatever became of those before. What
 * it could not begin, because all its virtual users were waiting, is said in the summary and fails nothing.
 */
import { check } from "k6"
import exec from "k6/execution"
import type { Options } from "k6/options"
import type { OrderCreationWorld } from "../src/load/world.ts"
import { booksMaxMinutes, closeBooks } from "./books.ts"
import { checkOneOrder, checkOrder, countPurchase, press, type Press, type Told } from "./press.ts"
import { counted, countFromZero, readWorld, thresholdsOf, tokenOf, trendStats } from "./shop.ts"
import { countOf, digits, summaryOf, type SummaryData } from "./summary.ts"

const world = readWorld<OrderCreationWorld>()
const { durationSeconds, ordersPerSecondMax } = world

/** Three quarters of the time it rises, from a tenth of the rate. */
const riseSeconds = Math.ceil(durationSeconds * 0.75)
const holdSeconds = Math.max(1, Math.floor(durationSeconds) - riseSeconds)
/** Enough where an order takes a fifth of a second; past two seconds an order k6 is late. Each costs a megabyte. */
const usersAtStart = Math.min(400, Math.max(10, Math.ceil(ordersPerSecondMax / 5)))
const usersMax = Math.min(2_000, Math.max(usersAtStart, ordersPerSecondMax * 2))

export const options: Options = {
  scenarios: {
    orders: {
      executor: "ramping-arrival-rate",
      exec: "order",
      startRate: Math.ceil(ordersPerSecondMax / 10),
      timeUnit: "1s",
      stages: [
        { target: ordersPerSecondMax, duration: `${riseSeconds}s` },
        { target: ordersPerSecondMax, duration: `${holdSeconds}s` },
      ],
      preAllocatedVUs: usersAtStart,
      maxVUs: usersMax,
      // Longer than any buyer goes on, so that none is cut off before its last answer.
      gracefulStop: "2m",
    },
  },
  thresholds: { ...thresholdsOf(world), orders_placed: ["count>0"] },
  summaryTrendStats: trendStats,
  teardownTimeout: `${booksMaxMinutes}m`,
}

export const setup = (): void => countFromZero()

const hangUpMinMillis = 1
const hangUpMaxMillis = 20

/** Neighbours on the list, so that any two are bought together some time. */
const linesOf = (index: number) => {
  const wares = index % 10 === 9 ? [index, index + 1 + (index % 7)] : [index]
  return wares.map((ware, position) => ({
    productId: world.wares[ware % world.wares.length]?.id ?? "",
    quantity: 1 + ((index + position) % 3),
  }))
}

/** One in twenty presses twice at once, one later, one hangs up first; each of the three must be the same order. */
const pressed = async (index: number, wanted: Press): Promise<ReadonlyArray<Told>> => {
  const temper = Math.floor(index / 10) % 20
  if (temper === 0) return Promise.all([press(world, wanted), press(world, wanted)])
  if (temper === 1) {
    const hangsUpAfterMillis = [hangUpMinMillis + (index % (hangUpMaxMillis - hangUpMinMillis))]
    return [await press(world, { ...wanted, hangsUpAfterMillis })]
  }
  const told = await press(world, wanted)
  if (temper !== 2) return [told]
  const again = await press(world, wanted)
  check(again, { "a key used again later is told so": () => again.kind === "bought" && again.wasReplayed })
  return [told, again]
}

export const order = counted(async () => {
  const index = exec.scenario.iterationInTest
  const lines = linesOf(index)
  const told = await pressed(index, {
    call: {
      method: "POST",
      path: "/v1/orders",
      route: "/v1/orders",
      // A stride of its own, so that no account keeps to the same products.
      token: tokenOf(index * 7 + Math.floor(index / 100)),
      key: `${world.run}-${index}`,
      body: { lines },
    },
  })
  checkOneOrder(told)
  const bought = told.find((each) => each.kind === "bought")
  if (bought === undefined) return
  checkOrder(world, bought.order, lines)
  countPurchase(bought.order)
})

export const teardown = async (): Promise<void> => {
  await closeBooks(world)
}

export const handleSummary = (data: SummaryData) =>
  summaryOf(
    `Order creation: up to ${digits(ordersPerSecondMax)} orders a second over ${digits(durationSeconds)} s`,
    data,
    [
      ["orders", `${digits(countOf(data, "orders_placed"))} of ${digits(countOf(data, "iterations"))} begun`],
      ["units", digits(countOf(data, "units_sold"))],
      ["hung up, pressed again", digits(countOf(data, "hang_ups"))],
      ["same order, told again", digits(countOf(data, "replays"))],
    ],
    world,
  )

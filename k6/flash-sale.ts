/**
 * Thousands of buyers for a few hundred units, all at once and far past "sold out": most wait for their answer, some
 * hang up and press again, some press twice at once, some come back later with the key they had. Must end with every
 * unit sold and not one more, and with everybody told the truth.
 *
 * A virtual user of k6 costs a megabyte before it does anything, so each is twenty buyers: what counts is how many
 * orders are in flight, and 250 of them keep 5,000 in flight with less than half a gigabyte.
 */
import { check } from "k6"
import exec from "k6/execution"
import { Counter, Gauge } from "k6/metrics"
import type { Options } from "k6/options"
import type { FlashSaleWorld } from "../src/load/world.ts"
import { booksMaxMinutes, closeBooks } from "./books.ts"
import { checkOneOrder, checkOrder, countPurchase, press, type Press, type Told } from "./press.ts"
import { counted, countFromZero, readWorld, thresholdsOf, tokenOf, trendStats } from "./shop.ts"
import { countOf, digits, summaryOf, type SummaryData } from "./summary.ts"

const world = readWorld<FlashSaleWorld>()
const [ware] = world.wares
if (ware === undefined) throw new Error("A flash sale needs something to sell.")

const buyersOfOneUser = 20
const usersMax = 250
const groups = Math.ceil(world.buyers / buyersOfOneUser)

const soldOut = new Counter("sold_out")
const buyersServed = new Counter("buyers_served")
const unitsLeft = new Gauge("units_left")

/** Most want one or two; the few who want many make the last units hard to sell. */
const quantities = [1, 2, 1, 3, 1, 2, 6, 1, 2, 4] as const
/** Two in five want a single unit: where there are more of them than units, all units must go. */
const singles = quantities.filter((quantity) => quantity === 1).length / quantities.length
if (world.buyers * singles <= ware.units) throw new Error("A flash sale needs more buyers than that to sell out.")

const winners = quantities
  .filter((quantity, index) => quantities.indexOf(quantity) === index)
  .toSorted((left, right) => left - right)
  .map((quantity) => ({ quantity, counter: new Counter(`buyers_with_${quantity}`) }))

const tempers = [
  "patient",
  "impatient",
  "patient",
  "twice",
  "patient",
  "forgetful",
  "patient",
  "impatient",
  "patient",
  "veryImpatient",
] as const
const hangUpMinMillis = 2
const hangUpMaxMillis = 150

export const options: Options = {
  scenarios: {
    crowd: {
      executor: "shared-iterations",
      exec: "crowd",
      vus: Math.min(usersMax, groups),
      iterations: groups,
      maxDuration: "10m",
    },
  },
  thresholds: {
    ...thresholdsOf(world),
    units_sold: [`count==${ware.units}`],
    units_left: ["value==0"],
    buyers_served: [`count==${world.buyers}`],
  },
  // Connections kept by each virtual user: one a buyer.
  batchPerHost: buyersOfOneUser,
  summaryTrendStats: trendStats,
  teardownTimeout: `${booksMaxMinutes}m`,
}

export const setup = (): void => countFromZero(soldOut, buyersServed, ...winners.map(({ counter }) => counter))

/** Spread over the range, the same in every run. */
const hangUp = (index: number): number => hangUpMinMillis + ((index * 37) % (hangUpMaxMillis - hangUpMinMillis))

/** Everything one buyer does. */
const visit = async (index: number): Promise<void> => {
  const quantity = quantities[index % quantities.length] ?? 1
  const temper = tempers[(index * 3 + Math.floor(index / tempers.length)) % tempers.length]
  const lines = [{ productId: ware.id, quantity }]
  const wanted: Press = {
    call: {
      method: "POST",
      path: "/v1/orders",
      route: "/v1/orders",
      token: tokenOf(index),
      key: `${world.run}-${index}`,
      body: { lines },
    },
    refusals: ["out_of_stock"],
  }
  const told: Array<Told> = []
  if (temper === "twice") told.push(...(await Promise.all([press(world, wanted), press(world, wanted)])))
  else if (temper === "impatient") told.push(await press(world, { ...wanted, hangsUpAfterMillis: [hangUp(index)] }))
  else if (temper === "veryImpatient") {
    told.push(
      await press(world, { ...wanted, hangsUpAfterMillis: [hangUp(index), hangUp(index + 1), hangUp(index + 2)] }),
    )
  } else told.push(await press(world, wanted))
  if (temper === "forgetful" && told[0]?.kind === "bought") {
    const again = await press(world, wanted)
    told.push(again)
    check(again, { "a key used again later is told so": () => again.kind === "bought" && again.wasReplayed })
  }
  settle(told, lines)
}

const settle = (
  told: ReadonlyArray<Told>,
  lines: ReadonlyArray<{ readonly productId: string; readonly quantity: number }>,
) => {
  checkOneOrder(told)
  const bought = told.find((each) => each.kind === "bought")
  if (bought !== undefined) {
    checkOrder(world, bought.order, lines)
    countPurchase(bought.order)
    winners.find(({ quantity }) => quantity === lines[0]?.quantity)?.counter.add(1)
  } else if (told.some(({ kind }) => kind === "refused")) soldOut.add(1)
  if (told.every(({ kind }) => kind !== "nothing")) buyersServed.add(1)
}

export const crowd = counted(async () => {
  const first = exec.scenario.iterationInTest * buyersOfOneUser
  const count = Math.min(buyersOfOneUser, world.buyers - first)
  await Promise.all(Array.from({ length: count }, (_, index) => visit(first + index)))
})

export const teardown = async (): Promise<void> => {
  unitsLeft.add(await closeBooks(world))
}

export const handleSummary = (data: SummaryData) =>
  summaryOf(
    `Flash sale: ${digits(world.buyers)} buyers for ${digits(ware.units)} units`,
    data,
    [
      ["units sold", `${digits(countOf(data, "units_sold"))} of ${digits(ware.units)}`],
      [
        "orders",
        `${digits(countOf(data, "orders_placed"))} (buyers x units: ${winners
          .map(({ quantity }) => `${digits(countOf(data, `buyers_with_${quantity}`))} x ${quantity}`)
          .join(", ")})`,
      ],
      ["went home empty-handed", digits(countOf(data, "sold_out"))],
      ["hung up, pressed again", digits(countOf(data, "hang_ups"))],
      ["same order, told again", digits(countOf(data, "replays"))],
    ],
    world,
  )

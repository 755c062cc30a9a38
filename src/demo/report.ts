/**
 * The words of the demo: the line that moves while the sale runs, and the sum of it at the end, for a person at a
 * terminal.
 */
import { digits } from "../verification/report.ts"
import type { Stock } from "./ShopClient.ts"
import type { Aftermath } from "./aftermath.ts"
import type { Visit } from "./crowd.ts"

/** The value that `share` of the values do not exceed; 0 where there are none. */
const quantile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0

export interface Progress {
  readonly buyers: number
  readonly done: number
  readonly unitsSold: number
  readonly units: number
}

const barLength = 24

export const progressLine = ({ buyers, done, units, unitsSold }: Progress): string => {
  const filled = Math.floor((barLength * unitsSold) / Math.max(1, units))
  const bar = "#".repeat(filled).padEnd(barLength, ".")
  return `  [${bar}] ${digits(unitsSold)} of ${digits(units)} units sold, ${digits(done)} of ${digits(buyers)} buyers done`
}

/** How much each buyer came away with, largest first: "6 units: 12 buyers". */
const shares = (visits: ReadonlyArray<Visit>): string => {
  const winners = visits.filter(({ told }) => told.some(({ _tag }) => _tag === "Bought"))
  const counts = new Map<number, number>()
  for (const { buyer } of winners) counts.set(buyer.quantity, (counts.get(buyer.quantity) ?? 0) + 1)
  return [...counts]
    .toSorted(([left], [right]) => left - right)
    .map(([quantity, buyers]) => `${digits(buyers)} x ${quantity}`)
    .join(", ")
}

const row = (name: string, value: string): string => `  ${name.padEnd(30)}${value}`

export const resultLines = (
  visits: ReadonlyArray<Visit>,
  placedOrders: number,
  stock: Stock,
  seconds: number,
): ReadonlyArray<string> => {
  const sum = (of: (visit: Visit) => number) => visits.reduce((total, visit) => total + of(visit), 0)
  const told = visits.flatMap((visit) => visit.told)
  const replays = told.filter((answer) => answer._tag === "Bought" && answer.wasReplayed).length
  const emptyHanded = visits.filter((visit) => visit.told.some((answer) => answer._tag === "Refused")).length
  const nothing = told.filter(({ _tag }) => _tag === "Nothing").length
  const lost = sum((visit) => visit.lostConnections)
  const latencies = visits.flatMap((visit) => visit.latenciesMillis).toSorted((left, right) => left - right)
  const millis = (share: number) => `${digits(quantile(latencies, share))} ms`
  return [
    row("units sold", `${digits(stock.stocked - stock.available)} of ${digits(stock.stocked)}`),
    row("orders", `${digits(placedOrders)} (buyers x units: ${shares(visits)})`),
    row("went home empty-handed", digits(emptyHanded)),
    row("hung up, pressed again", digits(sum((visit) => visit.hangUps))),
    row("told to come back", digits(sum((visit) => visit.busyAnswers))),
    row("same order, told again", digits(replays)),
    ...(lost === 0 ? [] : [row("connections lost", digits(lost))]),
    ...(nothing === 0 ? [] : [row("never got an answer", digits(nothing))]),
    row("from press to answer", `p50 ${millis(0.5)}, p95 ${millis(0.95)}, p99 ${millis(0.99)}`),
    row(
      "answers",
      `${digits(latencies.length)} in ${seconds.toFixed(1)} s, ${digits(latencies.length / seconds)} a second`,
    ),
    row("orders a second", digits(placedOrders / seconds)),
  ]
}

/** What buyers did about their orders, and what became of the units. */
export const aftermathLines = (aftermath: Aftermath, stock: Stock): ReadonlyArray<string> => {
  const { deeds, offersTaken, statuses, waited } = aftermath
  const did = [...deeds].map(([deed, buyers]) => row(deed, `${digits(buyers)} buyers`))
  const became = [...statuses].map(([status, { orders, units }]) =>
    row(`orders ${status}`, `${digits(orders)} (${digits(units)} units)`),
  )
  return [
    ...did,
    row("waited for more", digits(waited)),
    row("took what came back", digits(offersTaken)),
    ...became,
    row("units in stock again", `${digits(stock.available)} of ${digits(stock.stocked)}`),
  ]
}

export const aftermathLine = (statuses: Aftermath["statuses"], offersTaken: number): string => {
  const of = (status: string) => digits(statuses.get(status)?.orders ?? 0)
  return `  ${of("paid")} orders paid, ${of("reserved")} open, ${of("expired")} expired, ${of("cancelled")} cancelled, ${digits(offersTaken)} offers taken`
}

/**
 * Holds what every buyer was told against the orders and the stock that the service has. Pure, so that each way the two
 * can disagree is tested without a service. Only one thing may be missing: the answer to somebody who gave up.
 */
import type { PlacedOrder, Stock } from "./ShopClient.ts"
import type { Aftermath } from "./aftermath.ts"
import type { Told, Visit } from "./crowd.ts"

const isBought = (told: Told) => told._tag === "Bought"

const orderIdsOf = ({ told }: Visit): ReadonlySet<string> =>
  new Set(told.flatMap((answer) => (answer._tag === "Bought" ? [answer.orderId] : [])))

const aboutBuyer = (visit: Visit, orders: ReadonlyMap<string, PlacedOrder>): ReadonlyArray<string> => {
  const { buyer, told } = visit
  const ids = orderIdsOf(visit)
  const missing = [...ids].filter((id) => !orders.has(id))
  const wrong = [...ids].filter((id) => (orders.get(id)?.units ?? buyer.quantity) !== buyer.quantity)
  return [
    ...(ids.size > 1 ? [`key ${buyer.key} got ${ids.size} orders`] : []),
    ...(ids.size > 0 && !told.every(isBought) ? [`key ${buyer.key} was both sold and refused`] : []),
    ...missing.map((id) => `order ${id} was confirmed and is not there`),
    ...wrong.map((id) => `order ${id} has ${orders.get(id)?.units} units instead of ${buyer.quantity}`),
  ]
}

/** Each contradiction in a sentence; none when everybody was told the truth. */
export const contradictions = (
  visits: ReadonlyArray<Visit>,
  placed: ReadonlyArray<PlacedOrder>,
  stock: Stock,
): ReadonlyArray<string> => {
  const orders = new Map(placed.map((order) => [order.id, order]))
  const confirmed = new Set(visits.flatMap((visit) => [...orderIdsOf(visit)]))
  const gaveUp = visits.filter(({ told }) => told.some(({ _tag }) => _tag === "Nothing"))
  const ghosts = placed.filter(({ id }) => !confirmed.has(id))
  const units = placed.reduce((sum, order) => sum + order.units, 0)
  const sold = stock.stocked - stock.available
  // Nothing comes back during the sale, so whoever was refused and would fit now was refused wrongly.
  const refusedWrongly = visits.filter(
    ({ buyer, told }) =>
      buyer.quantity <= stock.available &&
      told.some((answer) => answer._tag === "Refused" && answer.code === "out_of_stock"),
  )
  const refusals = new Set(visits.flatMap(({ told }) => told.flatMap((t) => (t._tag === "Refused" ? [t.code] : []))))
  refusals.delete("out_of_stock")
  return [
    ...visits.flatMap((visit) => aboutBuyer(visit, orders)),
    ...(ghosts.length > gaveUp.length ? ghosts.map(({ id }) => `order ${id} is there, and nobody was told of it`) : []),
    ...(units === sold ? [] : [`orders hold ${units} units, and ${sold} left the stock`]),
    ...(stock.available < 0 ? [`${-stock.available} units were sold twice`] : []),
    ...refusedWrongly.map(
      ({ buyer }) => `key ${buyer.key} was refused ${buyer.quantity} of ${stock.available} units left`,
    ),
    ...[...refusals].map((code) => `an order was refused with ${code}`),
  ]
}

/** At the end every unit is paid for or in stock. */
export const unsettled = (statuses: Aftermath["statuses"], stock: Stock): ReadonlyArray<string> => {
  const paid = statuses.get("paid")?.units ?? 0
  const open = statuses.get("reserved")?.orders ?? 0
  return [
    ...(open === 0 ? [] : [`${open} orders are neither paid nor over`]),
    ...(paid + stock.available === stock.stocked
      ? []
      : [`${paid} units are paid for and ${stock.available} in stock, of ${stock.stocked}`]),
  ]
}

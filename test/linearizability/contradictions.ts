/**
 * The sentences a failing run is explained with: one for each product whose answers no correct counter could have given,
 * with the few operations around the place where every order got stuck. Must stay true: no sentence means that every
 * answer is explained; a product that could not be decided is told of like one that failed.
 */
import { operationsOf } from "./operationsOfOrders.ts"
import type { OrderHistory } from "./orderHistory.ts"
import { checkStock, visitedStatesMaxDefault } from "./stockCounter.ts"
import type { Aside, StockHistory, StockOperation } from "./stockHistory.ts"

const timelineLinesMax = 10

export const contradictions = (
  history: OrderHistory,
  firstStock: ReadonlyMap<string, number>,
  visitedStatesMax = visitedStatesMaxDefault,
): ReadonlyArray<string> => {
  const { broken, products } = operationsOf(history)
  return [
    ...broken,
    ...products.productIds.flatMap((productId) => {
      const first = firstStock.get(productId)
      if (first === undefined) throw new Error(`the first stock of ${productId} is not known`)
      const stock = products.historyOf(productId, first)
      const verdict = checkStock(stock, visitedStatesMax)
      if (verdict.isLinearizable === true) return []
      const about = `${productId}, of which there were ${first} at first`
      if (verdict.isLinearizable === null) {
        const size = `${stock.operations.length} operations and ${verdict.visitedStates} states`
        return [`Whether a correct counter of ${about}, could have answered so is undecided after ${size}.`]
      }
      const { explanation, stuckAt } = verdict
      const sentence = `No correct counter of ${about}, answers so: ${labelOf(stuckAt)} has no place; ${explanation}.`
      return [[sentence, ...timeline(stock, stuckAt)].join("\n")]
    }),
  ]
}

/** The operations under way at the same time as the one that got stuck, and what came last before it. */
const timeline = (stock: StockHistory, stuckAt: StockOperation): ReadonlyArray<string> => {
  const all: ReadonlyArray<StockOperation | Aside> = [...stock.operations, ...(stock.asides ?? [])]
  const distance = (other: StockOperation | Aside) => {
    if (other.invokedAt > stuckAt.answeredAt) return Infinity
    return Math.max(0, stuckAt.invokedAt - answeredAtOf(other))
  }
  const near = all.filter((other) => other !== stuckAt && distance(other) < Infinity)
  near.sort((left, right) => distance(left) - distance(right) || right.invokedAt - left.invokedAt)
  const shown = [stuckAt, ...near.slice(0, timelineLinesMax - 1)].sort(
    (left, right) => left.invokedAt - right.invokedAt,
  )
  const hidden = all.length - shown.length
  return [
    ...shown.map((each) => `  ${intervalOf(each).padEnd(24)} ${labelOf(each)}${each === stuckAt ? "  <- here" : ""}`),
    ...(hidden > 0 ? [`  and ${hidden} more further away`] : []),
  ]
}

const answeredAtOf = (each: StockOperation | Aside): number => ("answeredAt" in each ? each.answeredAt : Infinity)

const intervalOf = (each: StockOperation | Aside): string => {
  const answeredAt = answeredAtOf(each)
  return `${each.invokedAt} to ${answeredAt === Infinity ? "any time" : answeredAt}`
}

const labelOf = (each: StockOperation | Aside): string => {
  if (each.label !== undefined) return each.label
  if (!("kind" in each)) return `a hold of ${each.quantity}`
  return each.kind === "reading" ? `a look that saw ${each.available}` : `a ${each.kind} of ${each.quantity}`
}

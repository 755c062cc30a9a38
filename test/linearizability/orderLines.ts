/**
 * What an order's lines say: how many units of each product, and where they may be held on their way. Must stay true:
 * where the shards are not known, an order of several products is supposed to span them.
 */
import type { OrderHistory, OrderLine } from "./orderHistory.ts"

type Shards = Pick<OrderHistory, "shards">
type Lines = ReadonlyArray<OrderLine>

export const unitsOf = (lines: Lines): ReadonlyMap<string, number> => {
  const units = new Map<string, number>()
  for (const { productId, quantity } of lines) units.set(productId, (units.get(productId) ?? 0) + quantity)
  return units
}

/** The same for the same units of the same products. */
export const linesName = (lines: Lines): string =>
  [...unitsOf(lines)]
    .map(([productId, quantity]) => `${productId} ${quantity}`)
    .sort()
    .join(", ")

export const spansShards = ({ shards }: Shards, lines: Lines): boolean => {
  const [first] = lines
  return lines.some(({ productId }) => !isSamePlace(shards, productId, first?.productId ?? productId))
}

/** Whether a product surely belongs to its order's home shard, which takes and gives back its units itself. */
export const isAtHome = (history: Shards, lines: Lines, productId: string): boolean => {
  if (!spansShards(history, lines)) return true
  const shard = history.shards?.get(productId)
  return shard !== undefined && lines.every((line) => (history.shards?.get(line.productId) ?? -1) >= shard)
}

/** What an attempt may have held before it was decided: the lines of all shards but the order's home. */
export const heldUnitsOf = (
  history: Shards,
  lines: Lines,
): ReadonlyArray<readonly [productId: string, units: number]> =>
  spansShards(history, lines) ? [...unitsOf(lines)].filter(([productId]) => !isAtHome(history, lines, productId)) : []

const isSamePlace = (shards: Shards["shards"], left: string, right: string): boolean =>
  left === right || (shards?.has(left) === true && shards.get(left) === shards.get(right))

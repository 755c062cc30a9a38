/**
 * Which products sell most at the moment. Must stay true: however many products sell, at most `countedMax` are counted
 * and `shownMax` are shown by name, so that a catalogue of any size has the same number of series.
 */
import type { ProductId } from "../domain/ids.ts"
import type { LoadedProduct } from "../inventory/InventoryListener.ts"

export const shownMax = 200
const countedMax = 5_000
/** What sold an hour ago counts half: a sale is over by then. */
const halfLifeMillis = 600_000

interface Count {
  units: number
  atMillis: number
}

export interface HotProducts {
  readonly sold: (productId: ProductId, units: number) => void
  /** Those that sold most lately, and all others together. */
  readonly among: (loaded: Iterable<LoadedProduct>) => {
    readonly hot: ReadonlyArray<LoadedProduct>
    readonly others: { readonly products: number; readonly stocked: number; readonly available: number }
  }
}

export const makeHotProducts = (now: () => number = () => performance.now()): HotProducts => {
  const counts = new Map<ProductId, Count>()
  const faded = ({ atMillis, units }: Count, nowMillis: number): number =>
    units * 2 ** (-(nowMillis - atMillis) / halfLifeMillis)

  /** Keeps the better half, so that forgetting costs little for each order. */
  const forgetTheRest = (nowMillis: number): void => {
    const ranked = [...counts].toSorted(([, left], [, right]) => faded(right, nowMillis) - faded(left, nowMillis))
    for (const [productId] of ranked.slice(countedMax / 2)) counts.delete(productId)
  }

  return {
    sold: (productId, units) => {
      const nowMillis = now()
      const count = counts.get(productId)
      if (count === undefined) {
        counts.set(productId, { units, atMillis: nowMillis })
        if (counts.size > countedMax) forgetTheRest(nowMillis)
        return
      }
      count.units = faded(count, nowMillis) + units
      count.atMillis = nowMillis
    },
    among: (loaded) => {
      const nowMillis = now()
      const heat = (product: LoadedProduct): number => {
        const count = counts.get(product.productId)
        return count === undefined ? 0 : faded(count, nowMillis)
      }
      const ranked = [...loaded].map((product) => [heat(product), product] as const)
      ranked.sort(([left], [right]) => right - left)
      const products = ranked.map(([, product]) => product)
      const others = { products: 0, stocked: 0, available: 0 }
      for (const { available, stocked } of products.slice(shownMax)) {
        others.products += 1
        others.stocked += stocked
        others.available += available
      }
      return { hot: products.slice(0, shownMax), others }
    },
  }
}

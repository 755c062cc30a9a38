/**
 * What one shard's writer remembers: its products' stock and the units limited customers have. A cache of the
 * database and never more: loaded on first use, bounded, replaced by what each commit returned, dropped on any
 * surprise.
 *
 * Must stay true: nothing is in here that the last commit of this epoch has not confirmed.
 */
import { shardCustomersMax, shardProductsMax } from "../../domain/bounds.ts"
import type { MerchantId, ProductId } from "../../domain/ids.ts"
import { unitsName } from "../../domain/commands.ts"
import type { ProductState } from "../../domain/batch.ts"
import type { Applied, ChangedUnits } from "../store/ShardStore.ts"

export class ShardState {
  readonly products = new Map<ProductId, ProductState>()
  readonly units = new Map<string, number>()
  /** Products of which there may be units that somebody waits for: to be offered before anybody else takes them. */
  readonly toOffer = new Set<ProductId>()

  clear(): void {
    this.products.clear()
    this.units.clear()
    this.toOffer.clear()
  }

  remember(loaded: ReadonlyArray<ProductState>): void {
    for (const product of loaded) {
      const { available, mayHaveWaiters, productId } = product
      this.products.set(productId, product)
      if (mayHaveWaiters && available > 0) this.toOffer.add(productId)
    }
  }

  /** A customer whose count is null is forgotten, and so counted anew. */
  rememberUnits(changed: ReadonlyArray<ChangedUnits>): void {
    for (const { customer, productId, units } of changed) {
      if (units === null) this.units.delete(unitsName(productId, customer))
      else this.units.set(unitsName(productId, customer), units)
    }
  }

  /** What was edited is loaded anew. */
  forget(productIds: ReadonlyArray<ProductId>): void {
    for (const productId of productIds) {
      this.products.delete(productId)
      this.toOffer.delete(productId)
    }
  }

  forgetMerchant(merchantId: MerchantId): void {
    for (const product of this.products.values())
      if (product.merchantId === merchantId) this.forget([product.productId])
  }

  /** Takes over what a commit returned. A product that is not what was planned is forgotten, and so loaded anew. */
  apply(applied: Applied, expected: ReadonlyMap<ProductId, number>, asPlanned: boolean): void {
    for (const { available, productId, stocked } of applied.stock) {
      const product = this.products.get(productId)
      const planned = expected.get(productId)
      if (product === undefined) continue
      if (asPlanned && planned !== undefined && planned !== available) this.forget([productId])
      else this.products.set(productId, { ...product, stocked, available })
      // Whatever else it took: what a batch takes from and gives nothing back to is planned to the unit.
      if (product.mayHaveWaiters && available > 0 && planned === undefined) this.toOffer.add(productId)
    }
    this.rememberUnits(applied.units)
  }

  /** From now on these products may have holds, which a refusal must look for. */
  markHeld(productIds: ReadonlyArray<ProductId>, mayHaveHolds: boolean): void {
    for (const productId of productIds) {
      const product = this.products.get(productId)
      if (product !== undefined) this.products.set(productId, { ...product, mayHaveHolds })
    }
  }

  /** Somebody waits for these from now on, and may be the first who wants no more than there is. */
  markWaiting(productIds: ReadonlyArray<ProductId>): void {
    for (const productId of productIds) {
      const product = this.products.get(productId)
      if (product === undefined) continue
      this.products.set(productId, { ...product, mayHaveWaiters: true })
      if (product.available > 0) this.toOffer.add(productId)
    }
  }

  /** Back under the bounds, what was loaded longest ago first; called between batches, never within one. */
  trim(): void {
    trimTo(this.products, shardProductsMax)
    for (const productId of this.toOffer) if (!this.products.has(productId)) this.toOffer.delete(productId)
    trimTo(this.units, shardCustomersMax)
  }
}

const trimTo = <Key, Value>(map: Map<Key, Value>, sizeMax: number): void => {
  if (map.size <= sizeMax) return
  let excess = map.size - sizeMax
  for (const key of map.keys()) {
    if (excess-- === 0) return
    map.delete(key)
  }
}

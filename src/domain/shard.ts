/**
 * Which shard a product belongs to. Decided once, when the product is created, and stored with it: the function may
 * change for later products, the stored number never does.
 */
import type { MerchantId, ProductId, Shard } from "./ids.ts"

/**
 * FNV-1a over the characters (Fowler, Noll, Vo; 32 bit), folded to `shards`. What the merchant groups by
 * `stockGroup` is usually bought together and shares a shard, so that its orders need no holds.
 */
export const shardOf = (
  product: { readonly id: ProductId; readonly merchantId: MerchantId; readonly stockGroup: string | null },
  shards: number,
): Shard => {
  const name = product.stockGroup === null ? product.id : `${product.merchantId}/${product.stockGroup}`
  let hash = 0x811c9dc5
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  }
  hash ^= hash >>> 16
  return (hash >>> 0) % shards
}

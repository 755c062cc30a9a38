/**
 * Whose product it is. Written once when the product is created, so what is known stays true for ever; what is unknown
 * is asked for each time and never remembered, since it may be created in the next instant.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer } from "effect"
import { pooledSilenceMaxMillis, shardDirectoryMax } from "../domain/bounds.ts"
import type { MerchantId, ProductId } from "../domain/ids.ts"
import { Busy } from "../inventory/shard/mailboxEntry.ts"
import { interruptibleAtOnce } from "../platform/interruptibleAtOnce.ts"

export class ProductMerchants extends Context.Service<
  ProductMerchants,
  {
    /** Those of these products that this merchant does not sell, unknown ones among them. */
    readonly notOf: (
      merchantId: MerchantId,
      productIds: ReadonlyArray<ProductId>,
    ) => Effect.Effect<ReadonlyArray<ProductId>, Busy>
  }
>()("hedonify/orders/ProductMerchants") {
  static readonly layer = Layer.effect(
    ProductMerchants,
    Effect.map(PgClient.PgClient, (sql) => {
      const known = new Map<ProductId, MerchantId>()

      const read = Effect.fnUntraced(
        function* (productIds: ReadonlyArray<ProductId>) {
          return yield* sql<{ readonly id: ProductId; readonly merchantId: MerchantId }>`
            select id, merchant_id as "merchantId" from products
            where id = any (string_to_array(${productIds.join(",")}, ',')::uuid[])`
        },
        interruptibleAtOnce,
        Effect.timeout(pooledSilenceMaxMillis),
        Effect.mapError(() => new Busy()),
      )

      const notOf = Effect.fnUntraced(function* (merchantId: MerchantId, productIds: ReadonlyArray<ProductId>) {
        const unknown = productIds.filter((productId) => !known.has(productId))
        if (unknown.length > 0) {
          for (const product of yield* read(unknown)) known.set(product.id, product.merchantId)
        }
        const foreign = [...new Set(productIds.filter((productId) => known.get(productId) !== merchantId))]
        while (known.size > shardDirectoryMax) {
          const [oldest] = known.keys()
          if (oldest !== undefined) known.delete(oldest)
        }
        return foreign
      })
      return ProductMerchants.of({ notOf })
    }),
  )
}

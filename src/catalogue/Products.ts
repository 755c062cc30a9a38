/**
 * The catalogue: adding products and reading them with their stock of this moment. Must stay true: a product, its stock
 * and its first movement come into being together or not at all; afterwards only the shard's writer touches the stock,
 * and edits go through its mailbox. Lists and single reads go straight to PostgreSQL and change nothing.
 */
import { Context, Effect, Layer, type Option } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient, type SqlError } from "effect/sql"
import { notFound, type Forbidden, type NotFound } from "../accounts/accountRefusals.ts"
import type { Account } from "../accounts/principal.ts"
import { type MerchantId, ProductId, StockMovementId } from "../domain/ids.ts"
import { shardOf } from "../domain/shard.ts"
import { Configuration } from "../platform/Configuration.ts"
import { CatalogueCache } from "./CatalogueCache.ts"
import type { CatalogueRefusal } from "./catalogueRefusals.ts"
import { merchantOf } from "./merchantOf.ts"
import type { NewProduct, Product, ProductPage, ProductQuery } from "./product.ts"
import { insertProduct, productById } from "./productStatements.ts"

export class Products extends Context.Service<
  Products,
  {
    /** For which merchant this account adds: the one it names, or the only one it belongs to. */
    readonly create: (
      account: Account,
      merchantId: Option.Option<MerchantId>,
      product: NewProduct,
    ) => Effect.Effect<Product, Forbidden | CatalogueRefusal | SqlError.SqlError>
    /** Archived products, too: whoever bought one may still look at it. */
    readonly get: (id: ProductId) => Effect.Effect<Product, NotFound | SqlError.SqlError>
    /** A page of what is listed, by id; a search may come back short and say where it goes on (`next`). */
    readonly list: (query: ProductQuery) => Effect.Effect<ProductPage, SqlError.SqlError>
  }
>()("hedonify/catalogue/Products") {
  static readonly layer = Layer.effect(
    Products,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { shards } = yield* Configuration
      const cache = yield* CatalogueCache

      const create = Effect.fn("Products.create")(function* (
        account: Account,
        named: Option.Option<MerchantId>,
        product: NewProduct,
      ) {
        const merchantId = yield* merchantOf(account, named)
        const id = ProductId.make(SecureRandom.uuidV7Unsafe())
        const rows = yield* insertProduct(sql, {
          ...product,
          id,
          merchantId,
          shard: shardOf({ id, merchantId, stockGroup: product.stockGroup }, shards),
          movementId: StockMovementId.make(SecureRandom.uuidV7Unsafe()),
        })
        yield* cache.changed
        return yield* Effect.fromNullishOr(rows[0]).pipe(Effect.orDie)
      })

      const get = Effect.fn("Products.get")(function* (id: ProductId) {
        const rows = yield* productById(sql, id)
        return rows[0] ?? (yield* Effect.fail(notFound))
      })

      return Products.of({ create, get, list: cache.page })
    }),
  )
}

/**
 * The catalogue: adding products and reading them with their stock of this moment. Must stay true: a product, its stock
 * and its first movement come into being together or not at all; afterwards only the shard's writer touches the stock,
 * and edits go through its mailbox. Lists and single reads go straight to PostgreSQL and change nothing.
 */
import { Context, Effect, Layer, Option } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient, type SqlError } from "effect/sql"
import { forbidden, notFound, type Forbidden, type NotFound } from "../accounts/accountRefusals.ts"
import { actsFor, type Account } from "../accounts/principal.ts"
import { type MerchantId, ProductId, StockMovementId } from "../domain/ids.ts"
import { type Page, pageOf } from "../domain/page.ts"
import { shardOf } from "../domain/shard.ts"
import { Configuration } from "../platform/Configuration.ts"
import { merchantRequired, type CatalogueRefusal } from "./catalogueRefusals.ts"
import type { NewProduct, Product, ProductQuery } from "./product.ts"
import { insertProduct, productById, productPage } from "./productStatements.ts"

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
    readonly list: (query: ProductQuery) => Effect.Effect<Page<Product>, SqlError.SqlError>
  }
>()("hedonify/catalogue/Products") {
  static readonly layer = Layer.effect(
    Products,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { shards } = yield* Configuration

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
        return yield* Effect.fromNullishOr(rows[0]).pipe(Effect.orDie)
      })

      const get = Effect.fn("Products.get")(function* (id: ProductId) {
        const rows = yield* productById(sql, id)
        return rows[0] ?? (yield* Effect.fail(notFound))
      })

      const list = Effect.fn("Products.list")(function* (query: ProductQuery) {
        const rows = yield* productPage(sql, query)
        return pageOf(rows, query.limit)
      })

      return Products.of({ create, get, list })
    }),
  )
}

const merchantOf = (
  account: Account,
  named: Option.Option<MerchantId>,
): Effect.Effect<MerchantId, Forbidden | CatalogueRefusal> => {
  if (Option.isSome(named)) {
    return actsFor(account, named.value)
      ? Effect.succeed(named.value)
      : Effect.fail(forbidden("Only members of an approved merchant add its products."))
  }
  const approved = account.memberships.filter((membership) => membership.status === "approved")
  const only = approved[0]
  if (only === undefined) return Effect.fail(forbidden("Only members of an approved merchant add products."))
  return approved.length === 1 ? Effect.succeed(only.merchantId) : Effect.fail(merchantRequired)
}

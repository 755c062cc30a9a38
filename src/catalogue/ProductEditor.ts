/**
 * Editing and archiving products. Must stay true: an edit is decided by the writer of the product's shard, in the order
 * of its mailbox; it counts only for the version that was edited; and once it is told, every list shows it.
 */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { forbidden, notFound, type Forbidden, type NotFound } from "../accounts/accountRefusals.ts"
import { actsFor, type Account } from "../accounts/principal.ts"
import type { ProductChange } from "../domain/commands.ts"
import type { ProductId } from "../domain/ids.ts"
import type { CommandError } from "../inventory/shard/mailboxEntry.ts"
import { ProductWriter } from "../inventory/ProductWriter.ts"
import { CatalogueCache } from "./CatalogueCache.ts"
import type { EditRefusal } from "./catalogueRefusals.ts"
import type { Product } from "./product.ts"
import { productById } from "./productStatements.ts"

/** The versions that an edit is meant for. */
export type WantedVersions = "any" | ReadonlyArray<number>

type Failed = Forbidden | NotFound | EditRefusal | CommandError | SqlError.SqlError

export class ProductEditor extends Context.Service<
  ProductEditor,
  {
    /** Fails unless the account may edit this product now. */
    readonly mayEdit: (
      account: Account,
      productId: ProductId,
    ) => Effect.Effect<void, Forbidden | NotFound | SqlError.SqlError>
    /**
     * The product as it is after the change. Whether the account may make it has been asked before. Fails with
     * `version_mismatch`, and the product as it is, where it is at none of `versions` (an empty list names none), with
     * `currency_fixed` for a price in another currency, and with `not_found`.
     */
    readonly edit: (
      productId: ProductId,
      versions: WantedVersions,
      change: ProductChange,
    ) => Effect.Effect<Product, Failed>
  }
>()("hedonify/catalogue/ProductEditor") {
  static readonly layer = Layer.effect(
    ProductEditor,
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const cache = yield* CatalogueCache
      const writer = yield* ProductWriter

      const read = Effect.fnUntraced(function* (productId: ProductId) {
        const [product] = yield* productById(sql, productId)
        return product ?? (yield* Effect.fail(notFound))
      })

      const mismatch = (productId: ProductId) =>
        Effect.flatMap(read(productId), (product) => Effect.fail<EditRefusal>({ code: "version_mismatch", product }))

      /** Of several versions that the caller would accept, the one that there is. */
      const versionOf = Effect.fnUntraced(function* (productId: ProductId, versions: WantedVersions) {
        if (versions === "any") return null
        if (versions.length === 1 && versions[0] !== undefined) return versions[0]
        const product = yield* read(productId)
        return versions.includes(product.version) ? product.version : yield* mismatch(productId)
      })

      const mayEdit = Effect.fnUntraced(function* (account: Account, productId: ProductId) {
        const { merchantId } = yield* read(productId)
        if (actsFor(account, merchantId)) return
        return yield* Effect.fail(forbidden("Only members of the product's approved merchant edit it."))
      })

      const edit = Effect.fn("ProductEditor.edit")(function* (
        productId: ProductId,
        versions: WantedVersions,
        change: ProductChange,
      ): Effect.fn.Return<Product, Failed> {
        const version = yield* versionOf(productId, versions)
        const outcome = yield* writer.amend(productId, version, change)
        if (outcome._tag === "Amended") {
          yield* cache.changed
          return yield* read(productId)
        }
        switch (outcome.refusal.code) {
          case "unknown_product":
            return yield* Effect.fail(notFound)
          case "version_mismatch":
            return yield* mismatch(productId)
          case "currency_fixed":
            return yield* Effect.fail(outcome.refusal)
        }
      })

      return ProductEditor.of({ mayEdit, edit })
    }),
  )
}

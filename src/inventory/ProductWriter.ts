/**
 * What a merchant changes of a product: its stock, received, written off or corrected, and its own data. Both are
 * commands like an order, in the same mailbox, so what was sold ahead of them stays sold as it was.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import type { AmendOutcome, Command, OutcomeOf, ProductChange, Restock, RestockOutcome } from "../domain/commands.ts"
import { type ProductId, StockMovementId } from "../domain/ids.ts"
import { Inventory } from "./Inventory.ts"
import { Busy, type CommandError } from "./shard/mailboxEntry.ts"
import { ShardDirectory } from "./ShardDirectory.ts"

export class ProductWriter extends Context.Service<
  ProductWriter,
  {
    /** Moves the stock by `delta` units, once for each key. Fails as `ShardActor.submit` does. */
    readonly move: (movement: Omit<Restock, "_tag" | "movementId">) => Effect.Effect<RestockOutcome, CommandError>
    /**
     * Edits the product where it is at `expectedVersion`, or at any version where that is null; raises the version by
     * one. Archiving what is archived changes nothing, whatever the version.
     */
    readonly amend: (
      productId: ProductId,
      expectedVersion: number | null,
      change: ProductChange,
    ) => Effect.Effect<AmendOutcome, CommandError>
  }
>()("hedonify/inventory/ProductWriter") {
  static readonly layer = (settings: { readonly orderDeadlineMillis: number }) =>
    Layer.effect(
      ProductWriter,
      Effect.gen(function* () {
        const inventory = yield* Inventory
        const directory = yield* ShardDirectory
        const random = yield* SecureRandom.SecureRandom

        const submit = Effect.fnUntraced(function* <C extends Command>(
          productId: ProductId,
          command: C,
        ): Effect.fn.Return<OutcomeOf<C> | Unknown, CommandError> {
          const places = yield* directory.shardsOf([productId]).pipe(Effect.mapError(() => new Busy()))
          const shard = places.get(productId)
          if (shard === undefined) {
            return { _tag: "Refused", refusal: { code: "unknown_product", productIds: [productId] } }
          }
          const deadlineMillis = (yield* Clock.currentTimeMillis) + settings.orderDeadlineMillis
          return yield* inventory.submit(shard, command, deadlineMillis)
        })
        const move = Effect.fn("ProductWriter.move")(function* (movement: Omit<Restock, "_tag" | "movementId">) {
          const movementId = StockMovementId.make(yield* random.uuidV7())
          return yield* submit<Restock>(movement.productId, { ...movement, _tag: "Restock", movementId })
        })
        const amend = Effect.fn("ProductWriter.amend")(
          (productId: ProductId, expectedVersion: number | null, change: ProductChange) =>
            submit(productId, { _tag: "Amend" as const, productId, expectedVersion, change }),
        )
        return ProductWriter.of({ move, amend })
      }),
    )
}

interface Unknown {
  readonly _tag: "Refused"
  readonly refusal: { readonly code: "unknown_product"; readonly productIds: ReadonlyArray<ProductId> }
}

/**
 * Moving a product's stock: received, written off, corrected. A movement is a command like an order, in the same
 * mailbox, so what was sold ahead of it stays sold.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import type { Restock, RestockOutcome } from "../domain/commands.ts"
import { type ProductId, StockMovementId } from "../domain/ids.ts"
import { Inventory } from "./Inventory.ts"
import { Busy, type CommandError } from "./mailboxEntry.ts"
import { ShardDirectory } from "./ShardDirectory.ts"

export class Restocking extends Context.Service<
  Restocking,
  {
    /** Moves the stock by `delta` units, once for each key. Fails as `ShardActor.submit` does. */
    readonly move: (movement: Omit<Restock, "_tag" | "movementId">) => Effect.Effect<RestockOutcome, CommandError>
  }
>()("hedonify/inventory/Restocking") {
  static readonly layer = (settings: { readonly orderDeadlineMillis: number }) =>
    Layer.effect(
      Restocking,
      Effect.gen(function* () {
        const inventory = yield* Inventory
        const directory = yield* ShardDirectory
        const random = yield* SecureRandom.SecureRandom

        const shardOf = Effect.fnUntraced(function* (productId: ProductId) {
          const places = yield* directory.shardsOf([productId]).pipe(Effect.mapError(() => new Busy()))
          return places.get(productId)
        })
        const move = Effect.fn("Restocking.move")(function* (
          movement: Omit<Restock, "_tag" | "movementId">,
        ): Effect.fn.Return<RestockOutcome, CommandError> {
          const { productId } = movement
          const shard = yield* shardOf(productId)
          if (shard === undefined) {
            return { _tag: "Refused", refusal: { code: "unknown_product", productIds: [productId] } }
          }
          const movementId = StockMovementId.make(yield* random.uuidV7())
          const deadlineMillis = (yield* Clock.currentTimeMillis) + settings.orderDeadlineMillis
          return yield* inventory.submit(shard, { ...movement, _tag: "Restock", movementId }, deadlineMillis)
        })
        return Restocking.of({ move })
      }),
    )
}

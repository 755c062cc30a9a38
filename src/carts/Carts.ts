/**
 * What an account has put aside to buy, kept until it is bought or taken out. Must stay true: a change that was answered
 * is never lost to another tab's, and nothing here takes units: only a checkout does.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import { cartChangeAttemptsMax } from "../domain/bounds.ts"
import type { CallerId, ProductId } from "../domain/ids.ts"
import { busy, outcomeUnknown, type Unavailable } from "../domain/refusals.ts"
import { type Cart, type CartContents, cartOf, type CartRefusal } from "./cart.ts"
import * as statements from "./cartStatements.ts"

export class Carts extends Context.Service<
  Carts,
  {
    /**
     * The cart with what it would cost now, and what is in the way of it: at most `cartLinesMax` lines, amounts in minor
     * units. Empty, and not a failure, for whoever never put anything in. No time limit of its own.
     */
    readonly look: (caller: CallerId) => Effect.Effect<Cart, SqlError.SqlError>
    /**
     * So many units of this product (1 to `lineQuantityMax`), however many there were; answers the cart as it is then.
     * `unknown_product`, `cart_full` and `busy` changed nothing; after `outcome_unknown` the line is set, and only the
     * cart could not be shown; after an SqlError it may be. Safe to repeat.
     */
    readonly setLine: (
      caller: CallerId,
      productId: ProductId,
      quantity: number,
    ) => Effect.Effect<Cart, CartRefusal | Unavailable | SqlError.SqlError>
    /** Safe to repeat. */
    readonly removeLine: (caller: CallerId, productId: ProductId) => Effect.Effect<void, SqlError.SqlError>
    /** Safe to repeat. */
    readonly clear: (caller: CallerId) => Effect.Effect<void, SqlError.SqlError>
    /**
     * What a checkout would sell, by product, and the version that it would sell; null where nothing is in it. Archived
     * products are in it, too: it is the order that refuses them. No time limit of its own.
     */
    readonly contents: (caller: CallerId) => Effect.Effect<CartContents | null, SqlError.SqlError>
  }
>()("hedonify/carts/Carts") {
  static readonly layer = Layer.effect(
    Carts,
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient

      const look = Effect.fn("Carts.look")(function* (caller: CallerId) {
        return cartOf(yield* statements.pricedLines(sql, caller))
      })

      const put = Effect.fnUntraced(function* (caller: CallerId, productId: ProductId, quantity: number) {
        for (let attempt = 0; attempt < cartChangeAttemptsMax; attempt++) {
          const [row] = yield* statements.setLine(sql, caller, productId, quantity)
          if (row?.isSet === true) return
          if (row?.isKnown !== true) {
            return yield* Effect.fail({ code: "unknown_product" as const, productIds: [productId] })
          }
          if (row.isFull) return yield* Effect.fail({ code: "cart_full" as const })
        }
        return yield* Effect.fail(busy)
      })

      const setLine = Effect.fn("Carts.setLine")(function* (caller: CallerId, productId: ProductId, quantity: number) {
        yield* put(caller, productId, quantity)
        // The line is set by now, whatever keeps the cart from being shown.
        return yield* Effect.mapError(look(caller), () => outcomeUnknown)
      })

      const removeLine = Effect.fn("Carts.removeLine")(function* (caller: CallerId, productId: ProductId) {
        yield* statements.removeLine(sql, caller, productId)
      })

      const clear = Effect.fn("Carts.clear")(function* (caller: CallerId) {
        yield* statements.removeLines(sql, caller)
      })

      const contents = Effect.fn("Carts.contents")(function* (caller: CallerId) {
        const [cart] = yield* statements.contents(sql, caller)
        return cart === undefined || cart.lines.length === 0 ? null : cart
      })

      return Carts.of({ look, setLine, removeLine, clear, contents })
    }),
  )
}

/**
 * Refusals by an order's status. Why a command came to nothing is looked up after its batch; where the status found by
 * then would let it go on, since another writer changed the order in between, nobody is refused by it: nothing happened,
 * so the caller tries again. For those alone who know that the order is theirs: to everybody else it stays unfit.
 */
import { Effect } from "effect"
import { mayBecome, type OrderStatus } from "../domain/order.ts"
import { Busy } from "./shard/mailboxEntry.ts"

/** `wished`: what the command would have made of the order. */
export const stillRefused = <R extends { readonly refusal: { readonly code: string; readonly status?: OrderStatus } }>(
  refused: R,
  wished: ReadonlyArray<OrderStatus>,
): Effect.Effect<R, Busy> => {
  const { status } = refused.refusal
  const isFitByNow = status !== undefined && wished.some((wish) => mayBecome(status, wish))
  return isFitByNow ? Effect.fail(new Busy()) : Effect.succeed(refused)
}

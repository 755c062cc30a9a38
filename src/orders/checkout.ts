/**
 * Buying what is in the cart: an order whose lines are the cart's, placed only while the cart is as it was read, and
 * emptied in the order's own statement.
 *
 * Must stay true: the key is looked up before the cart is read, and once more before anybody is told that the cart is
 * empty or changed, since both may be the doing of this key's own first attempt; when refused, the cart stays as it is.
 */
import { Clock, Effect } from "effect"
import type { CartContents } from "../carts/cart.ts"
import type { Carts } from "../carts/Carts.ts"
import type { CallerId } from "../domain/ids.ts"
import type { Money } from "../domain/money.ts"
import type { CheckoutRefusal, OrderRefusal } from "../domain/refusals.ts"
import { checkoutFingerprint, checkoutHoldFingerprint } from "../inventory/fingerprint.ts"
import { Busy, type CommandError, OutcomeUnknown } from "../inventory/shard/mailboxEntry.ts"
import { interruptibleAtOnce } from "../platform/interruptibleAtOnce.ts"
import type { OrderReads } from "./OrderReads.ts"
import type { Buyer, makePlacing, OrderSettings, Placed } from "./placing.ts"

export interface CheckOut {
  readonly idempotencyKey: string
  readonly expectedTotal: Money | null
}

export type CheckedOut =
  | Extract<Placed, { readonly _tag: "Placed" }>
  | { readonly _tag: "Refused"; readonly refusal: CheckoutRefusal | OrderRefusal }

interface CheckoutParts {
  readonly carts: Carts["Service"]
  readonly place: ReturnType<typeof makePlacing>
  readonly reads: OrderReads["Service"]
  readonly settings: OrderSettings
}

export const makeCheckout = ({ carts, place, reads, settings }: CheckoutParts) => {
  /** What the key was used for, if anything: its order as it is now, or a refusal where that was no checkout. */
  const known = Effect.fnUntraced(function* (caller: CallerId, key: string) {
    const earlier = yield* reads.byKey(caller, key)
    if (earlier === null) return null
    return earlier.fingerprint === checkoutFingerprint
      ? ({ _tag: "Placed", order: earlier.order, isReplayed: true } as const)
      : refused({ code: "idempotency_key_reused" })
  })

  /**
   * Whether a refusal is about what is in the cart now. Another checkout of the cart takes the very units that this one
   * wants, and whoever sold its own cart is not to hear that somebody else was faster.
   */
  const stands = ({ code }: OrderRefusal, caller: CallerId, cart: CartContents, deadlineMillis: number) =>
    code === "out_of_stock" || code === "limit_exceeded"
      ? inTime(carts.contents(caller), deadlineMillis).pipe(
          Effect.map((now) => now?.version === cart.version),
          Effect.orElseSucceed(() => true),
        )
      : Effect.succeed(true)

  return Effect.fn("Orders.checkout")(function* (
    buyer: Buyer,
    { expectedTotal, idempotencyKey: key }: CheckOut,
  ): Effect.fn.Return<CheckedOut, CommandError> {
    const { caller } = buyer
    const deadlineMillis = (yield* Clock.currentTimeMillis) + settings.orderDeadlineMillis
    const earlier = yield* inTime(known(caller, key), deadlineMillis)
    if (earlier !== null) return earlier
    /** An earlier attempt of this key may have sold the cart: whether it did, only the rows can tell. */
    const knownByNow = inTime(known(caller, key), deadlineMillis).pipe(Effect.mapError(() => new OutcomeUnknown()))

    const cart = yield* inTime(carts.contents(caller), deadlineMillis)
    if (cart === null) return (yield* knownByNow) ?? refused({ code: "cart_empty" })
    const outcome = yield* place(
      buyer,
      {
        key,
        fingerprint: checkoutFingerprint,
        holdFingerprint: checkoutHoldFingerprint(cart.lines),
        lines: cart.lines,
        expectedTotal,
        cartVersion: cart.version,
      },
      deadlineMillis,
    )
    if (outcome._tag === "Placed") return outcome
    if (outcome._tag === "Refused" && (yield* stands(outcome.refusal, caller, cart, deadlineMillis))) return outcome
    return (yield* knownByNow) ?? refused({ code: "cart_changed" })
  })
}

const refused = (refusal: CheckoutRefusal | OrderRefusal): CheckedOut => ({ _tag: "Refused", refusal })

/** A database that says nothing keeps a checkout no longer than its order may take. */
const inTime = <A, E>(read: Effect.Effect<A, E>, deadlineMillis: number): Effect.Effect<A, Busy> =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMillis) =>
    Effect.timeout(interruptibleAtOnce(read), Math.max(0, deadlineMillis - nowMillis)),
  ).pipe(Effect.mapError(() => new Busy()))

/**
 * For whom events are read and webhooks are kept: an admin, or a merchant that one of its members acts for. Members of a
 * suspended merchant still see what becomes of its orders; a merchant that waits for its approval has none yet.
 */
import { Effect } from "effect"
import { forbidden, type Forbidden } from "../accounts/accountRefusals.ts"
import { type Caller, maySendFor } from "../accounts/principal.ts"
import type { MerchantId } from "../domain/ids.ts"
import type { EventViewer } from "./event.ts"
import { merchantRequired, type ViewerRefusal } from "./eventRefusals.ts"

/** Whom the caller acts for: the one place that knows. */
const merchantsOf = (caller: Caller): ReadonlyArray<MerchantId> =>
  caller._tag === "Channel" ? [caller.merchantId] : maySendFor(caller.account)

const isAdmin = (caller: Caller): boolean => caller._tag === "Account" && caller.account.isAdmin

/** The merchant that is named, the only one there is, or everything for an admin who names none. */
export const viewerOf = (
  caller: Caller,
  named: MerchantId | undefined,
): Effect.Effect<EventViewer, Forbidden | ViewerRefusal> => {
  const own = merchantsOf(caller)
  if (named !== undefined) {
    return isAdmin(caller) || own.includes(named)
      ? Effect.succeed({ _tag: "Merchant", merchantId: named })
      : Effect.fail(forbidden("Events are for members of the merchant."))
  }
  if (isAdmin(caller)) return Effect.succeed({ _tag: "Admin" })
  const [only, ...others] = own
  if (only === undefined) return Effect.fail(forbidden("Events are for members of a merchant."))
  return others.length === 0 ? Effect.succeed({ _tag: "Merchant", merchantId: only }) : Effect.fail(merchantRequired)
}

/** Whether the caller may see and change what is kept for this merchant, or for the admins where it is null. */
export const mayKeepFor = (caller: Caller, merchantId: MerchantId | null): boolean =>
  isAdmin(caller) || (merchantId !== null && merchantsOf(caller).includes(merchantId))

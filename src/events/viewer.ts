/**
 * For whom events are read and webhooks are kept: an admin, or a merchant that one of its members acts for. Members of a
 * suspended merchant still see what becomes of its orders; a merchant that waits for its approval has none yet.
 */
import { Effect } from "effect"
import { forbidden, type Forbidden } from "../accounts/accountRefusals.ts"
import type { Account } from "../accounts/principal.ts"
import type { MerchantId } from "../domain/ids.ts"
import type { EventViewer } from "./event.ts"
import { merchantRequired, type ViewerRefusal } from "./eventRefusals.ts"

const merchantsOf = (account: Account): ReadonlyArray<MerchantId> =>
  account.memberships.filter(({ status }) => status !== "pending").map(({ merchantId }) => merchantId)

/** The merchant that is named, the only one there is, or everything for an admin who names none. */
export const viewerOf = (
  account: Account,
  named: MerchantId | undefined,
): Effect.Effect<EventViewer, Forbidden | ViewerRefusal> => {
  const own = merchantsOf(account)
  if (named !== undefined) {
    return account.isAdmin || own.includes(named)
      ? Effect.succeed({ _tag: "Merchant", merchantId: named })
      : Effect.fail(forbidden("Events are for members of the merchant."))
  }
  if (account.isAdmin) return Effect.succeed({ _tag: "Admin" })
  const [only, ...others] = own
  if (only === undefined) return Effect.fail(forbidden("Events are for members of a merchant."))
  return others.length === 0 ? Effect.succeed({ _tag: "Merchant", merchantId: only }) : Effect.fail(merchantRequired)
}

/** Whether the account may see and change what is kept for this merchant, or for the admins where it is null. */
export const mayKeepFor = (account: Account, merchantId: MerchantId | null): boolean =>
  account.isAdmin || (merchantId !== null && merchantsOf(account).includes(merchantId))

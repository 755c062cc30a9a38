/**
 * For which merchant an account adds products: the one it names, or the only one it belongs to.
 */
import { Effect, Option } from "effect"
import { forbidden, type Forbidden } from "../accounts/accountRefusals.ts"
import { actsFor, type Account } from "../accounts/principal.ts"
import type { MerchantId } from "../domain/ids.ts"
import { merchantRequired, type CatalogueRefusal } from "./catalogueRefusals.ts"

/** None where it belongs to several and names none. */
export const addsFor = (
  account: Account,
  named: Option.Option<MerchantId>,
): Effect.Effect<Option.Option<MerchantId>, Forbidden> => {
  if (Option.isSome(named)) {
    return actsFor(account, named.value)
      ? Effect.succeed(named)
      : Effect.fail(forbidden("Only members of an approved merchant add its products."))
  }
  const approved = account.memberships.filter((membership) => membership.status === "approved")
  const only = approved[0]
  if (only === undefined) return Effect.fail(forbidden("Only members of an approved merchant add products."))
  return Effect.succeed(approved.length === 1 ? Option.some(only.merchantId) : Option.none())
}

export const merchantOf = (
  account: Account,
  named: Option.Option<MerchantId>,
): Effect.Effect<MerchantId, Forbidden | CatalogueRefusal> =>
  Effect.flatMap(
    addsFor(account, named),
    Option.match({ onSome: Effect.succeed, onNone: () => Effect.fail(merchantRequired) }),
  )

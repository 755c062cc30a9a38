/**
 * Approving and suspending. Must stay true: the row is committed first, then the roles and keys that this process
 * remembers are dropped, then every shard reads the merchant's products anew and lists move on; only then is anybody
 * told, so that from the answer on no order of a suspended merchant's product is taken. What failed half way is
 * finished by repeating it.
 */
import { Context, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import type { NotFound, NotSuspendable } from "../accounts/accountRefusals.ts"
import { CatalogueCache } from "../catalogue/CatalogueCache.ts"
import type { MerchantId } from "../domain/ids.ts"
import { MerchantRefresh } from "../inventory/MerchantRefresh.ts"
import { OutcomeUnknown } from "../inventory/shard/mailboxEntry.ts"
import { ApiKeys } from "./ApiKeys.ts"
import { type Merchant, Merchants } from "./Merchants.ts"

export class MerchantStanding extends Context.Service<
  MerchantStanding,
  {
    /** Also the way back from a suspension. `OutcomeUnknown`: committed, and not yet known everywhere. */
    readonly approve: (id: MerchantId) => Effect.Effect<Merchant, NotFound | OutcomeUnknown | SqlError.SqlError>
    /** Nothing of this merchant is sold any more; what is paid is still sent. Fails as `approve` does. */
    readonly suspend: (
      id: MerchantId,
    ) => Effect.Effect<Merchant, NotFound | NotSuspendable | OutcomeUnknown | SqlError.SqlError>
  }
>()("hedonify/merchants/MerchantStanding") {
  static readonly layer = Layer.effect(
    MerchantStanding,
    Effect.gen(function* () {
      const merchants = yield* Merchants
      const keys = yield* ApiKeys
      const refresh = yield* MerchantRefresh
      const catalogue = yield* CatalogueCache

      const toldEverywhere = Effect.fnUntraced(function* (merchant: Merchant) {
        yield* keys.standingChanged
        yield* Effect.mapError(refresh.everywhere(merchant.id), () => new OutcomeUnknown())
        yield* catalogue.changed
        return merchant
      })

      return MerchantStanding.of({
        approve: Effect.fn("MerchantStanding.approve")((id: MerchantId) =>
          Effect.flatMap(merchants.approve(id), toldEverywhere),
        ),
        suspend: Effect.fn("MerchantStanding.suspend")((id: MerchantId) =>
          Effect.flatMap(merchants.suspend(id), toldEverywhere),
        ),
      })
    }),
  )
}

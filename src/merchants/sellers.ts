/**
 * What a merchant's members and its own back end need beside the merchant itself, put together for the composition root.
 */
import { Layer } from "effect"
import { ApiKeys } from "./ApiKeys.ts"
import { Members } from "./Members.ts"
import { Merchants } from "./Merchants.ts"
import { MerchantStanding } from "./MerchantStanding.ts"

export const sellers = Layer.mergeAll(MerchantStanding.layer, Members.layer).pipe(
  Layer.provideMerge(Layer.mergeAll(Merchants.layer, ApiKeys.layer)),
)

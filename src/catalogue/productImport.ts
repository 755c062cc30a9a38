/**
 * What an import is made of and what comes of it: rows that were read from its body, and a result for each of them.
 */
import { Option } from "effect"
import { actsFor, type Account } from "../accounts/principal.ts"
import type { MerchantId, ProductId } from "../domain/ids.ts"
import type { NewProduct } from "./product.ts"

export interface RowError {
  readonly pointer: string
  readonly message: string
}

export type ImportRow =
  | { readonly _tag: "Fits"; readonly merchantId: Option.Option<MerchantId>; readonly product: NewProduct }
  | { readonly _tag: "Misfit"; readonly errors: ReadonlyArray<RowError> }

export interface ImportResult {
  /** From 1, in the order of the body. */
  readonly row: number
  readonly status: "created" | "valid" | "failed"
  readonly productId?: ProductId
  readonly errors?: ReadonlyArray<RowError>
}

export interface ImportOutcome {
  readonly results: ReadonlyArray<ImportResult>
  /** Whether nothing was left to do: an earlier import under this key had done it all. */
  readonly isReplayed: boolean
}

const misfit = (message: string): ImportRow => ({ _tag: "Misfit", errors: [{ pointer: "/merchantId", message }] })

/** The row with the merchant it is for, or what is in the way. */
export const rowOf = (account: Account, row: ImportRow, fallback: Option.Option<MerchantId>): ImportRow => {
  if (row._tag === "Misfit") return row
  const merchantId = Option.orElse(row.merchantId, () => fallback)
  if (Option.isNone(merchantId)) return misfit("is required of a member of several merchants")
  return actsFor(account, merchantId.value)
    ? { ...row, merchantId }
    : misfit("must be an approved merchant that this account belongs to")
}

/**
 * What the catalogue answers "no" with beyond what any service does.
 */
import type { AmendRefusal } from "../domain/refusals.ts"
import type { Product } from "./product.ts"

export type CatalogueRefusal =
  /** The account belongs to several merchants and did not say for which one it acts. */
  { readonly code: "merchant_required" }

export type EditRefusal =
  | Extract<AmendRefusal, { readonly code: "currency_fixed" }>
  /** The product is not what was edited. This is what it has become. */
  | { readonly code: "version_mismatch"; readonly product: Product }

export type ImportRefusal = { readonly code: "idempotency_key_reused" }

export const merchantRequired: CatalogueRefusal = { code: "merchant_required" }

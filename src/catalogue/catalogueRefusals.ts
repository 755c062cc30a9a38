/**
 * What the catalogue answers "no" with beyond what any service does.
 */
export type CatalogueRefusal =
  /** The account belongs to several merchants and did not say for which one it acts. */
  { readonly code: "merchant_required" }

export const merchantRequired: CatalogueRefusal = { code: "merchant_required" }

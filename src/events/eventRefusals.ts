/**
 * What reading events answers "no" with beyond what any service does.
 */
export type CursorRefusal =
  /** It is not one that this service gave out. */
  | { readonly code: "cursor_malformed" }
  /** Events after it are gone. */
  | { readonly code: "cursor_expired" }

export type ViewerRefusal =
  /** The account belongs to several merchants and did not say for which one it acts. */
  { readonly code: "merchant_required" }

export const cursorMalformed: CursorRefusal = { code: "cursor_malformed" }
export const cursorExpired: CursorRefusal = { code: "cursor_expired" }
export const merchantRequired: ViewerRefusal = { code: "merchant_required" }

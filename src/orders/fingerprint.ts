/**
 * What makes a retry the same request: the operation and all it asks for, an order's lines merged and sorted. A key that
 * comes back with another fingerprint is refused (`idempotency_key_reused`).
 */
import { hash } from "node:crypto"
import type { RequestedLine } from "../domain/order.ts"

/** The first 128 bits of SHA-256 in hex; chance never makes two requests of one caller's key collide. */
const digest = (request: ReadonlyArray<unknown>): string => hash("sha256", JSON.stringify(request), "hex").slice(0, 32)

/** `lines` as `mergeLines` leaves them. */
export const orderFingerprint = (lines: ReadonlyArray<RequestedLine>, customerRef: string | null): string =>
  digest(["order", lines.map((line) => [line.productId, line.quantity]), customerRef])

export const movementFingerprint = (productId: string, kind: string, quantity: number, reason: string | null): string =>
  digest(["stock-movement", productId, kind, quantity, reason])

/**
 * What makes a retry the same request: the operation and all it asks for, an order's lines merged and sorted. A key that
 * comes back with another fingerprint is refused (`idempotency_key_reused`). A checkout asks for what is in the cart,
 * which is empty when it is retried, so that its key stands for the operation alone.
 */
import { hash } from "node:crypto"
import type { RequestedLine } from "../domain/order.ts"

/** The first 128 bits of SHA-256 in hex; chance never makes two requests of one caller's key collide. */
const fingerprintOf = (request: ReadonlyArray<unknown>): string =>
  hash("sha256", JSON.stringify(request), "hex").slice(0, 32)

const pairs = (lines: ReadonlyArray<RequestedLine>) => lines.map((line) => [line.productId, line.quantity])

/** `lines` as `mergeLines` leaves them. */
export const orderFingerprint = (lines: ReadonlyArray<RequestedLine>, customerRef: string | null): string =>
  fingerprintOf(["order", pairs(lines), customerRef])

export const checkoutFingerprint = fingerprintOf(["checkout"])

/** Names a checkout's holds: what another attempt of its key held for other lines is not taken for these. */
export const checkoutHoldFingerprint = (lines: ReadonlyArray<RequestedLine>): string =>
  fingerprintOf(["checkout", pairs(lines)])

/** Accepting an offer asks for what it holds. */
export const offerFingerprint = (offerId: string): string => fingerprintOf(["offer", offerId])

/** Of the body as it was sent, how it is to be read and for whom. */
export const importFingerprint = (format: string, merchantId: string | null, body: Uint8Array): string =>
  fingerprintOf(["import", format, merchantId, hash("sha256", body, "hex")])

export const movementFingerprint = (productId: string, kind: string, quantity: number, reason: string | null): string =>
  fingerprintOf(["stock-movement", productId, kind, quantity, reason])

/** `reference` is a channel's own name for a payment that it took elsewhere. */
export const paymentFingerprint = (orderId: string, method: string, reference: string | null): string =>
  fingerprintOf(["payment", orderId, method, reference])

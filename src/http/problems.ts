/**
 * The one place where refusals and errors become HTTP statuses. Must stay true: it is exhaustive (a new refusal does
 * not compile without its row), and nothing of the inside leaves: no SQL, no stack, no internal name.
 */
import type { HttpServerError } from "effect/http"
import type { SqlError } from "effect/sql"
import type { AccountRefusal } from "../accounts/accountRefusals.ts"
import type { CartRefusal } from "../carts/cart.ts"
import type { CatalogueRefusal, EditRefusal, ImportRefusal } from "../catalogue/catalogueRefusals.ts"
import { idempotencyKeyLengthMax, orderLinesMax, productUnitsMax, retryAfterSeconds } from "../domain/bounds.ts"
import type {
  CancelRefusal,
  CheckoutRefusal,
  JoinRefusal,
  MovementRefusal,
  OfferRefusal,
  OrderRefusal,
  RefundRefusal,
  ShipRefusal,
  Unavailable,
} from "../domain/refusals.ts"
import type { CursorRefusal, ViewerRefusal } from "../events/eventRefusals.ts"
import type { CommandError } from "../inventory/shard/mailboxEntry.ts"
import type { PayRefusal } from "../payments/Payments.ts"
import type { WebhookRefusal } from "../webhooks/webhookRefusals.ts"
import type { Problem } from "./contract/problem.ts"
import { etagOf } from "./entityTags.ts"
import { isoTime } from "./isoTime.ts"

/** What only the HTTP edge refuses. */
export type RequestRefusal =
  | { readonly code: "malformed"; readonly detail: string }
  | { readonly code: "idempotency_key_missing" }
  | { readonly code: "if_match_missing" }
  | { readonly code: "bad_signature" }
  | { readonly code: "method_not_allowed"; readonly allowed: ReadonlyArray<string> }
  | { readonly code: "too_large"; readonly sizeMaxBytes: number }
  /** `accepted`: where it is not application/json. */
  | { readonly code: "unsupported_media_type"; readonly accepted?: string }
  | { readonly code: "invalid"; readonly errors: ReadonlyArray<{ readonly pointer: string; readonly message: string }> }
  | {
      readonly code: "not_ready"
      readonly missing: ReadonlyArray<{ readonly name: string; readonly detail: string }>
    }
  | { readonly code: "internal" }

export type Refusal =
  | AccountRefusal
  | CancelRefusal
  | CartRefusal
  | CatalogueRefusal
  | CheckoutRefusal
  | CursorRefusal
  | EditRefusal
  | ImportRefusal
  | JoinRefusal
  | MovementRefusal
  | OfferRefusal
  | OrderRefusal
  | PayRefusal
  | RefundRefusal
  | RequestRefusal
  | ShipRefusal
  | Unavailable
  | ViewerRefusal
  | WebhookRefusal

export type Failure = Refusal | CommandError | SqlError.SqlError | HttpServerError.HttpServerError

type Extras = Omit<Partial<Problem>, "type" | "title" | "status" | "detail" | "code" | "retryable" | "requestId">

/** A problem without the request it belongs to, with the headers that go with it. */
export interface Sketch {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly retryable: boolean
  readonly extras?: Extras
  readonly headers?: Readonly<Record<string, string>>
}

export const sketchOf = (refusal: Refusal): Sketch => {
  const sketch = (status: number, title: string, detail: string, more: Partial<Sketch> = {}): Sketch => ({
    status,
    code: refusal.code,
    title,
    detail,
    retryable: false,
    ...more,
  })
  /** Told as one field that does not fit, whoever found it. */
  const misfit = (detail: string, pointer: string, message: string): Sketch =>
    sketch(422, "Does not fit", detail, { code: "invalid", extras: { errors: [{ pointer, message }] } })
  switch (refusal.code) {
    case "malformed":
      return sketch(400, "Malformed request", refusal.detail)
    case "idempotency_key_missing":
      return sketch(
        400,
        "Idempotency-Key missing",
        `This request needs an Idempotency-Key header of 1 to ${idempotencyKeyLengthMax} printable ASCII characters.`,
      )
    case "unauthenticated":
      return sketch(401, "Not signed in", "This request needs the token of a session that has not ended.", {
        headers: { "www-authenticate": "Bearer" },
      })
    case "bad_credentials":
      return sketch(401, "Wrong e-mail or password", "There is no account with this e-mail address and password.")
    case "bad_signature":
      return sketch(401, "Signature does not fit", "This is not signed as the payment provider signs, or not lately.")
    case "forbidden":
      return sketch(403, "Not allowed", refusal.reason)
    case "not_found":
      return sketch(404, "Not found", "There is nothing here, or nothing that you may see.")
    case "method_not_allowed":
      return sketch(405, "Method not allowed", `This path answers ${refusal.allowed.join(", ")}.`, {
        headers: { allow: refusal.allowed.join(", ") },
      })
    case "last_member":
      return sketch(409, "Last member", "A merchant keeps one member: add another before this one leaves.")
    case "not_suspendable":
      return sketch(409, "Not approved", "This merchant was never approved, so there is nothing to suspend.")
    case "too_many":
      return sketch(409, "Too many", refusal.reason)
    case "email_taken":
      return sketch(409, "E-mail taken", "There is an account with this e-mail address already.")
    case "out_of_stock":
      return sketch(
        409,
        "Out of stock",
        refusal.retryable
          ? "What is left is being bought by others; it may come back within moments."
          : "Less is left than this order asks for.",
        { retryable: refusal.retryable, extras: { lines: refusal.lines } },
      )
    case "limit_exceeded":
      return sketch(409, "Limit exceeded", `One customer can buy ${refusal.allowed} of this product.`, {
        extras: { productId: refusal.productId, allowed: refusal.allowed, had: refusal.had },
      })
    case "not_on_sale":
      return refusal.saleStartsAtMillis === null
        ? sketch(409, "Not on sale", "The sale of this product is paused.", {
            extras: { productId: refusal.productId },
          })
        : sketch(409, "Not on sale yet", "The sale of this product has not begun.", {
            extras: { productId: refusal.productId, saleStartsAt: isoTime(refusal.saleStartsAtMillis) },
          })
    case "price_changed":
      return sketch(409, "Price changed", "The order costs something else than was expected.", {
        extras: { total: refusal.total },
      })
    case "cart_empty":
      return sketch(409, "Cart empty", "There is nothing in the cart to order.")
    case "cart_changed":
      return sketch(
        409,
        "Cart changed",
        "The cart was changed or ordered meanwhile; nothing happened. Look at it again.",
        {
          retryable: true,
        },
      )
    case "not_cancellable":
      return sketch(409, "Not cancellable", `The order is ${refusal.status} and stays so.`, {
        extras: { orderStatus: refusal.status },
      })
    case "not_refundable":
      return sketch(
        409,
        "Not refundable",
        `The order is ${refusal.status}; a paid one of which nothing was shipped can be refunded.`,
        { extras: { orderStatus: refusal.status } },
      )
    case "expired":
      return sketch(409, "Order expired", "The order's time was over before it was paid; its units are for others now.")
    case "already_paid":
      return sketch(409, "Already paid", "The order is paid.")
    case "payment_in_progress":
      return sketch(409, "Payment in progress", "Another payment of this order is under way; nothing happened.", {
        retryable: true,
      })
    case "not_payable":
      return sketch(409, "Not payable", `The order is ${refusal.status}; only a reserved one is paid.`, {
        extras: { orderStatus: refusal.status },
      })
    case "too_many_payments":
      return sketch(409, "Too many payments", "This order was tried to be paid too often. Place another one.")
    case "not_shippable":
      return sketch(409, "Not shippable", `The order is ${refusal.status}; only what is paid is shipped.`, {
        extras: { orderStatus: refusal.status },
      })
    case "already_shipped":
      return sketch(409, "Already shipped", "These lines are on their way already, as another shipment.", {
        extras: { shipmentId: refusal.shipmentId },
      })
    case "no_waitlist":
      return sketch(409, "No waiting list", "Nobody waits for this product: what comes back is for whoever is first.", {
        extras: { productId: refusal.productId },
      })
    case "offer_expired":
      return sketch(409, "Offer over", "This offer is over: it was accepted, declined, or its time has passed.", {
        code: "expired",
      })
    case "stock_is_sold":
      return sketch(409, "Stock is sold", `Only ${refusal.available} units are not sold and can be taken away.`, {
        extras: { productId: refusal.productId, available: refusal.available },
      })
    case "stock_too_large":
      return sketch(409, "Stock too large", `A product cannot have more than ${productUnitsMax} units.`, {
        extras: { productId: refusal.productId },
      })
    case "webhooks_full":
      return sketch(
        409,
        "Webhooks full",
        `There are ${refusal.allowed} webhooks already, which is as many as may be.`,
        {
          extras: { allowed: refusal.allowed },
        },
      )
    case "cursor_expired":
      return sketch(
        410,
        "Cursor expired",
        "Events after this cursor are not kept any more. Begin without after, at the oldest that are, and look elsewhere for what you missed.",
      )
    case "version_mismatch":
      return sketch(412, "Edited meanwhile", "The product is not the one that was edited. Look at it again.", {
        extras: { productId: refusal.product.id, version: refusal.product.version },
        headers: { etag: etagOf(refusal.product) },
      })
    case "too_large":
      return sketch(413, "Body too large", `A body may have ${refusal.sizeMaxBytes} bytes here.`)
    case "unsupported_media_type":
      return sketch(
        415,
        "Unsupported media type",
        `The body must be ${refusal.accepted ?? "application/json"} in UTF-8, not encoded otherwise.`,
      )
    case "invalid":
      return sketch(422, "Does not fit", "The request was understood, but some of it does not fit.", {
        extras: { errors: refusal.errors },
      })
    case "merchant_required":
      return misfit(
        "This account belongs to several merchants: say for which one it acts.",
        "/merchantId",
        "is required of a member of several merchants",
      )
    case "cursor_malformed":
      return misfit("The cursor is not one of this service.", "/after", "must be the cursor of an earlier page")
    case "target_refused":
      return misfit("Nothing may be sent to this URL.", "/url", refusal.message)
    case "cart_full":
      return misfit(
        `A cart has up to ${orderLinesMax} lines.`,
        "/productId",
        `would be line ${orderLinesMax + 1} of the cart`,
      )
    case "currency_fixed":
      return misfit("A product's currency never changes.", "/price/currency", `must stay ${refusal.currency}`)
    case "unknown_product":
      return sketch(422, "Unknown product", "This names a product that is not for sale here.", {
        extras: { productIds: refusal.productIds },
      })
    case "currency_mix":
      return sketch(422, "Several currencies", "An order has one currency.", {
        extras: { currencies: refusal.currencies },
      })
    case "idempotency_key_reused":
      return sketch(422, "Idempotency-Key reused", "This Idempotency-Key was used for a different request.")
    case "if_match_missing":
      return sketch(428, "If-Match missing", "This request needs an If-Match header with the ETag that was edited.")
    case "too_many_requests":
      return sketch(429, "Too many requests", "There were too many of these lately; wait before the next one.", {
        retryable: true,
        headers: { "retry-after": String(refusal.retryAfterSeconds) },
      })
    case "internal":
      return sketch(500, "Internal error", "This is our mistake. Quote the requestId when you report it.")
    case "busy":
      return sketch(503, "Busy", "Nothing happened. Try again.", {
        retryable: true,
        headers: { "retry-after": String(retryAfterSeconds) },
      })
    case "outcome_unknown":
      return sketch(503, "Outcome unknown", "It may have happened. Ask again with the same key to learn the outcome.", {
        retryable: true,
        headers: { "retry-after": String(retryAfterSeconds) },
      })
    case "not_ready":
      return sketch(503, "Not ready", "The service cannot serve now.", {
        retryable: true,
        extras: { missing: refusal.missing },
        headers: { "retry-after": String(retryAfterSeconds) },
      })
  }
}

/** The body of a problem, as it is sent. */
export const problemOf = (sketch: Sketch, requestId: string): Problem => ({
  type: `urn:hedonify:problem:${sketch.code}`,
  title: sketch.title,
  status: sketch.status,
  detail: sketch.detail,
  code: sketch.code,
  retryable: sketch.retryable,
  requestId,
  ...sketch.extras,
})

/**
 * Waiting for what is sold out, and the offers that come of it.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { lineQuantityMax } from "../../domain/bounds.ts"
import { OfferId, ProductId } from "../../domain/ids.ts"
import { Money } from "../../domain/money.ts"
import { Authorization } from "./authorization.ts"
import { orderRefusals, placedOrder } from "./orders.ts"
import { limitParameter, page } from "./paging.ts"
import { bodyProblems, problems } from "./problem.ts"
import { IdempotencyKey, Timestamp } from "./text.ts"

export const OfferView = Schema.Struct({
  id: OfferId,
  productId: ProductId,
  quantity: Schema.Int,
  unitPrice: Money.annotate({ description: "What it sells at, whatever the product costs meanwhile." }),
  expiresAt: Timestamp,
}).annotate({ identifier: "Offer", description: "Units that came back, kept for whoever was first on the list." })
export type OfferView = typeof OfferView.Type

export const PlaceView = Schema.Struct({
  position: Schema.Int.annotate({ description: "1 is next; 0 where units are offered already." }),
  quantity: Schema.Int,
  offer: Schema.optionalKey(OfferView),
}).annotate({ identifier: "WaitlistPlace" })
export type PlaceView = typeof PlaceView.Type

export const JoinWaitlist = Schema.Struct({
  quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: lineQuantityMax })),
}).annotate({ identifier: "JoinWaitlist" })

const productParams = { id: ProductId }
const offerParams = { id: OfferId }
const gone = { 409: ["expired"] }

export class WaitingListsGroup extends HttpApiGroup.make("waitingLists")
  .add(
    HttpApiEndpoint.post("join", "/v1/products/:id/waitlist", {
      params: productParams,
      payload: JoinWaitlist,
      success: PlaceView.pipe(HttpApiSchema.status(201)),
      error: problems(bodyProblems, { 404: ["not_found"], 409: ["no_waitlist", "limit_exceeded"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Wait for units of a product",
        description:
          "What comes back is offered to the earliest whose quantity fits, before anybody else can take it. The same wish again keeps its place; another quantity goes to the end.",
      }),
    ),
    HttpApiEndpoint.get("place", "/v1/products/:id/waitlist", {
      params: productParams,
      success: PlaceView,
      error: problems({ 404: ["not_found"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Own place on the waiting list; 404 where there is none" })),
    HttpApiEndpoint.delete("leave", "/v1/products/:id/waitlist", {
      params: productParams,
      success: HttpApiSchema.NoContent,
      error: problems({}),
    }).annotateMerge(
      OpenApi.annotations({ summary: "Wait no longer; safe to repeat. An open offer stays until it is declined" }),
    ),
    HttpApiEndpoint.get("offers", "/v1/offers", {
      query: { limit: limitParameter, starting_after: Schema.optionalKey(OfferId) },
      success: page(OfferView),
      error: problems({ 422: ["invalid"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Own open offers, the earliest made first" })),
    HttpApiEndpoint.post("accept", "/v1/offers/:id/accept", {
      params: offerParams,
      headers: { "idempotency-key": IdempotencyKey },
      success: placedOrder,
      error: problems({
        400: ["idempotency_key_missing"],
        404: ["not_found"],
        409: ["expired"],
        422: orderRefusals[422].filter((code) => code === "idempotency_key_reused"),
        429: orderRefusals[429],
      }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Order what is offered",
        description: "409 expired also where the offer was accepted under another key, declined, or never there.",
      }),
    ),
    HttpApiEndpoint.post("decline", "/v1/offers/:id/decline", {
      params: offerParams,
      success: OfferView,
      error: problems({ 404: ["not_found"] }, gone),
    }).annotateMerge(OpenApi.annotations({ summary: "Give an offer up, for whoever waits next" })),
  )
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Waiting lists", description: "For what is sold out." })) {}

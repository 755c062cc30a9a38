/**
 * Webhooks as a caller keeps them, and what became of each event that was sent to one.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { MerchantId } from "../../domain/ids.ts"
import { eventTypes } from "../../events/event.ts"
import { DeliveryId, WebhookId } from "../../webhooks/webhook.ts"
import {
  failingMaxMillis,
  previousSecretMillis,
  retryPausesMillis,
  succeededKeptMillis,
  webhookDescriptionLengthMax,
  webhooksOfMerchantMax,
  webhookTypesMax,
  webhookUrlLengthMax,
} from "../../webhooks/webhookBounds.ts"
import { CallerAuthorization } from "./authorization.ts"
import { limitParameter } from "./paging.ts"
import { bodyProblems, problems } from "./problem.ts"
import { lineOfText, prose, Timestamp } from "./text.ts"

const hours = (millis: number): number => Math.round(millis / 3_600_000)

export const WebhookView = Schema.Struct({
  id: WebhookId,
  merchantId: Schema.NullOr(MerchantId).annotate({
    description: "Null for an admin's own, which is told of everything.",
  }),
  url: Schema.String,
  description: Schema.String,
  types: Schema.Array(Schema.String).annotate({ description: "The types it is told of; all of them where empty." }),
  enabled: Schema.Boolean,
  disabledReason: Schema.NullOr(Schema.Literals(["gone", "failing"])).annotate({
    description: `Why the service turned it off: its receiver answered 410, or accepted nothing for ${hours(failingMaxMillis) / 24} days.`,
  }),
  createdAt: Timestamp,
  updatedAt: Timestamp,
}).annotate({ identifier: "Webhook" })

const Secret = Schema.String.annotate({ description: "What its deliveries are signed with. Shown this once." })

export const CreatedWebhookView = Schema.Struct({ ...WebhookView.fields, secret: Secret }).annotate({
  identifier: "CreatedWebhook",
})
export const AmendedWebhookView = Schema.Struct({
  ...WebhookView.fields,
  secret: Schema.optionalKey(Secret).annotateKey({ description: "Where it was rotated." }),
}).annotate({ identifier: "AmendedWebhook" })

export const DeliveryView = Schema.Struct({
  id: DeliveryId,
  eventId: Schema.String,
  type: Schema.String,
  state: Schema.Literals(["pending", "succeeded", "dead"]),
  attempts: Schema.Int,
  createdAt: Timestamp,
  nextAttemptAt: Schema.NullOr(Timestamp),
  lastAttemptAt: Schema.NullOr(Timestamp),
  lastStatus: Schema.NullOr(Schema.Int).annotate({ description: "What the receiver answered, where it did." }),
  lastError: Schema.NullOr(Schema.String),
}).annotate({ identifier: "Delivery" })

const Url = lineOfText(webhookUrlLengthMax)
  .check(Schema.isPattern(/^https?:\/\//u, { message: "must be an https URL" }))
  .annotate({
    description: "https, to a public address; without user, password or fragment; port 443 or one from 1024 on.",
  })
const Types = Schema.Array(Schema.Literals(eventTypes)).check(Schema.isMaxLength(webhookTypesMax))
const Description = prose(webhookDescriptionLengthMax)

export const CreateWebhook = Schema.Struct({
  url: Url,
  types: Schema.optionalKey(Types).annotateKey({ description: "What it is told of; everything unless given." }),
  description: Schema.optionalKey(Description),
  merchantId: Schema.optionalKey(MerchantId).annotateKey({
    description: "Required of an account that belongs to several merchants. An admin's own has none.",
  }),
}).annotate({ identifier: "CreateWebhook" })

export const AmendWebhook = Schema.Struct({
  url: Schema.optionalKey(Url),
  types: Schema.optionalKey(Types),
  description: Schema.optionalKey(Description),
  enabled: Schema.optionalKey(Schema.Boolean).annotateKey({
    description: "Turned on again it goes on where it stood, as far as events are kept, and tries at once.",
  }),
  rotateSecret: Schema.optionalKey(Schema.Boolean).annotateKey({
    description: `A new secret; for ${hours(previousSecretMillis)} hours deliveries are signed with the old one, too.`,
  }),
})
  .check(
    Schema.makeFilter((change) => (Object.keys(change).length > 0 ? undefined : "must change something"), {
      toJsonSchema: () => [{ minProperties: 1 }, true],
    }),
  )
  .annotate({ identifier: "AmendWebhook", description: "What is left out stays." })

const listOf = <S extends Schema.Top, I extends Schema.Top>(item: S, id: I) =>
  Schema.Struct({
    data: Schema.Array(item),
    cursor: Schema.NullOr(id).annotate({ description: "The after of the next page, null after the last." }),
    hasMore: Schema.Boolean,
  })

const params = { id: WebhookId }

const description = `Deliveries are signed after the Standard Webhooks specification (headers \`webhook-id\`,
\`webhook-timestamp\`, \`webhook-signature\`) and made at least once: the same \`webhook-id\` is the same event. Events of one
order, and of one product, come one after the other in their order. Any answer from 200 to 299 accepts one; 410 turns the
webhook off; redirects are not followed; anything else is tried ${retryPausesMillis.length} times more over some
${hours(retryPausesMillis.reduce((sum, pause) => sum + pause, 0))} hours, and is then dead until it is replayed, while
later events go on. What was accepted is listed for ${hours(succeededKeptMillis)} hours. Up to ${webhooksOfMerchantMax} a
merchant.`.replaceAll("\n", " ")

export class WebhooksGroup extends HttpApiGroup.make("webhooks")
  .add(
    HttpApiEndpoint.post("create", "/v1/webhooks", {
      payload: CreateWebhook,
      success: HttpApiSchema.WithHeaders(CreatedWebhookView.pipe(HttpApiSchema.status(201)), {
        location: Schema.String,
      }),
      error: problems(bodyProblems, { 403: ["forbidden"], 404: ["not_found"], 409: ["webhooks_full"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Be told of what happens from now on (merchant)", description })),
    HttpApiEndpoint.get("list", "/v1/webhooks", {
      query: {
        after: Schema.optionalKey(WebhookId),
        limit: limitParameter,
        merchantId: Schema.optionalKey(MerchantId).annotateKey({
          description: "Required of an account that belongs to several merchants.",
        }),
      },
      success: listOf(WebhookView, WebhookId),
      error: problems({ 403: ["forbidden"], 422: ["invalid"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "A merchant's webhooks (merchant)" })),
    HttpApiEndpoint.get("get", "/v1/webhooks/:id", {
      params,
      success: WebhookView,
      error: problems({ 404: ["not_found"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "One webhook (merchant)" })),
    HttpApiEndpoint.patch("amend", "/v1/webhooks/:id", {
      params,
      payload: AmendWebhook,
      success: AmendedWebhookView,
      error: problems(bodyProblems, { 404: ["not_found"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Change a webhook, or its secret (merchant)" })),
    HttpApiEndpoint.delete("remove", "/v1/webhooks/:id", {
      params,
      success: HttpApiSchema.NoContent,
      error: problems({ 404: ["not_found"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Take a webhook away, with what waits for it (merchant)" })),
    HttpApiEndpoint.get("listDeliveries", "/v1/webhooks/:id/deliveries", {
      params,
      query: {
        after: Schema.optionalKey(DeliveryId),
        limit: limitParameter,
        state: Schema.optionalKey(Schema.Literals(["pending", "succeeded", "dead"])),
      },
      success: listOf(DeliveryView, DeliveryId),
      error: problems({ 404: ["not_found"], 422: ["invalid"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "What became of each event, the newest first (merchant)" })),
    HttpApiEndpoint.post("replay", "/v1/webhooks/:id/deliveries/:deliveryId/replay", {
      params: { id: WebhookId, deliveryId: DeliveryId },
      success: DeliveryView,
      error: problems({ 404: ["not_found"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send an event again (merchant)",
        description: "Under the same webhook-id, now, whatever became of it; safe to repeat.",
      }),
    ),
  )
  .middleware(CallerAuthorization)
  .annotateMerge(OpenApi.annotations({ title: "Webhooks", description: "What happened, told to other programs." })) {}

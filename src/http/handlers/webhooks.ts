/**
 * Keeping webhooks, for members of merchants and admins.
 */
import { Effect } from "effect"
import { HttpServerResponse, type HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { pageSizeDefault } from "../../domain/bounds.ts"
import type { MerchantId } from "../../domain/ids.ts"
import type { Page } from "../../domain/page.ts"
import { viewerOf } from "../../events/viewer.ts"
import type { Delivery, DeliveryId, DeliveryState, Webhook, WebhookId } from "../../webhooks/webhook.ts"
import { Webhooks } from "../../webhooks/Webhooks.ts"
import { Api } from "../contract/Api.ts"
import { CurrentCaller } from "../contract/authorization.ts"
import { AmendWebhook, CreateWebhook, type DeliveryView, type WebhookView } from "../contract/webhooks.ts"
import { isoTime } from "../isoTime.ts"
import { makeBodyReader } from "../requestBody.ts"
import { answeringInTime } from "../respond.ts"

const readCreation = makeBodyReader(CreateWebhook)
const readChange = makeBodyReader(AmendWebhook)

const webhookView = ({ createdAtMillis, updatedAtMillis, ...webhook }: Webhook): typeof WebhookView.Type => ({
  ...webhook,
  createdAt: isoTime(createdAtMillis),
  updatedAt: isoTime(updatedAtMillis),
})

const timeOrNull = (millis: number | null): string | null => (millis === null ? null : isoTime(millis))

const deliveryView = (delivery: Delivery): typeof DeliveryView.Type => {
  const { createdAtMillis, lastAttemptAtMillis, nextAttemptAtMillis, ...others } = delivery
  return {
    ...others,
    createdAt: isoTime(createdAtMillis),
    nextAttemptAt: timeOrNull(nextAttemptAtMillis),
    lastAttemptAt: timeOrNull(lastAttemptAtMillis),
  }
}

/** The page of a list whose cursor is the last one's id. */
const listView = <Id, Item extends { readonly id: Id }, View>(
  { data, hasMore }: Page<Item & { readonly id: Id }>,
  view: (item: Item) => View,
): { readonly data: ReadonlyArray<View>; readonly cursor: Id | null; readonly hasMore: boolean } => {
  const last = data.at(-1)
  return { data: data.map(view), cursor: hasMore && last !== undefined ? last.id : null, hasMore }
}

export const webhooksHandlers = HttpApiBuilder.group(
  Api,
  "webhooks",
  Effect.fnUntraced(function* (handlers) {
    const webhooks = yield* Webhooks

    const create = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const caller = yield* CurrentCaller
      const { description = "", merchantId, types = [], url } = yield* readCreation(request)
      const owner = yield* viewerOf(caller, merchantId)
      const { secret, webhook } = yield* webhooks.create(owner, { url, description, types })
      return HttpServerResponse.text(JSON.stringify({ ...webhookView(webhook), secret }), {
        status: 201,
        contentType: "application/json",
        headers: { location: `/v1/webhooks/${webhook.id}` },
      })
    })

    const list = Effect.fnUntraced(function* (query: {
      readonly after?: WebhookId
      readonly limit?: number
      readonly merchantId?: MerchantId
    }) {
      const caller = yield* CurrentCaller
      const owner = yield* viewerOf(caller, query.merchantId)
      const page = yield* webhooks.list(owner, { after: query.after ?? null, limit: query.limit ?? pageSizeDefault })
      return listView(page, webhookView)
    })

    const get = Effect.fnUntraced(function* (id: WebhookId) {
      const caller = yield* CurrentCaller
      return webhookView(yield* webhooks.get(caller, id))
    })

    const amend = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, id: WebhookId) {
      const caller = yield* CurrentCaller
      const { rotateSecret = false, ...change } = yield* readChange(request)
      const { secret, webhook } = yield* webhooks.change(caller, id, { ...change, rotateSecret })
      return { ...webhookView(webhook), ...(secret === null ? {} : { secret }) }
    })

    const remove = Effect.fnUntraced(function* (id: WebhookId) {
      const caller = yield* CurrentCaller
      yield* webhooks.remove(caller, id)
    })

    const listDeliveries = Effect.fnUntraced(function* (
      id: WebhookId,
      query: { readonly after?: DeliveryId; readonly limit?: number; readonly state?: DeliveryState },
    ) {
      const caller = yield* CurrentCaller
      const page = yield* webhooks.deliveries(caller, id, {
        state: query.state ?? null,
        after: query.after ?? null,
        limit: query.limit ?? pageSizeDefault,
      })
      return listView(page, deliveryView)
    })

    const replay = Effect.fnUntraced(function* (id: WebhookId, deliveryId: DeliveryId) {
      const caller = yield* CurrentCaller
      return deliveryView(yield* webhooks.replay(caller, id, deliveryId))
    })

    return handlers
      .handleRaw("create", ({ request }) => answeringInTime(create(request)))
      .handle("list", ({ query }) => answeringInTime(list(query)))
      .handle("get", ({ params }) => answeringInTime(get(params.id)))
      .handleRaw("amend", ({ params, request }) => answeringInTime(amend(request, params.id)))
      .handle("remove", ({ params }) => answeringInTime(remove(params.id)))
      .handle("listDeliveries", ({ params, query }) => answeringInTime(listDeliveries(params.id, query)))
      .handle("replay", ({ params }) => answeringInTime(replay(params.id, params.deliveryId)))
  }),
)

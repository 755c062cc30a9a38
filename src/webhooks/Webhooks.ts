/**
 * Webhooks as their owners keep them: a merchant's members its own, admins all. Must stay true: a secret is told once,
 * when it is made; a webhook that is somebody else's is not there; and nothing is told to a place that may not be told.
 */
import { Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient, type SqlError } from "effect/sql"
import { notFound, type NotFound } from "../accounts/accountRefusals.ts"
import type { Caller } from "../accounts/principal.ts"
import type { EventViewer } from "../events/event.ts"
import { Events } from "../events/Events.ts"
import { mayKeepFor } from "../events/viewer.ts"
import { beforeEveryId, type Page, pageOf } from "../domain/page.ts"
import { Sender } from "./Sender.ts"
import { makeSecret } from "./signing.ts"
import { type Delivery, type DeliveryId, type DeliveryState, type Webhook, WebhookId } from "./webhook.ts"
import { targetRefused, type WebhookRefusal, webhooksFull } from "./webhookRefusals.ts"
import * as statements from "./webhookStatements.ts"

export interface WantedWebhook {
  readonly url: string
  readonly description: string
  readonly types: ReadonlyArray<string>
}

export interface WantedChange extends Omit<statements.WebhookChange, "secret"> {
  readonly rotateSecret: boolean
}

/** With the secret that was made just now. */
export interface WithSecret {
  readonly webhook: Webhook
  readonly secret: string | null
}

type Failed = NotFound | SqlError.SqlError

/** Sorts behind every id: where a list starts that is read from its end. */
const behindEveryId = "ffffffff-ffff-ffff-ffff-ffffffffffff"

export class Webhooks extends Context.Service<
  Webhooks,
  {
    /** It is told of what happens from now on. */
    readonly create: (owner: EventViewer, wanted: WantedWebhook) => Effect.Effect<WithSecret, WebhookRefusal | Failed>
    readonly list: (
      owner: EventViewer,
      page: { readonly after: WebhookId | null; readonly limit: number },
    ) => Effect.Effect<Page<Webhook>, SqlError.SqlError>
    readonly get: (caller: Caller, id: WebhookId) => Effect.Effect<Webhook, Failed>
    readonly change: (
      caller: Caller,
      id: WebhookId,
      change: WantedChange,
    ) => Effect.Effect<WithSecret, WebhookRefusal | Failed>
    readonly remove: (caller: Caller, id: WebhookId) => Effect.Effect<void, Failed>
    /** Newest first. */
    readonly deliveries: (
      caller: Caller,
      id: WebhookId,
      page: { readonly state: DeliveryState | null; readonly after: DeliveryId | null; readonly limit: number },
    ) => Effect.Effect<Page<Delivery>, Failed>
    readonly replay: (caller: Caller, id: WebhookId, deliveryId: DeliveryId) => Effect.Effect<Delivery, Failed>
  }
>()("hedonify/webhooks/Webhooks") {
  static readonly layer = Layer.effect(
    Webhooks,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const events = yield* Events
  const sender = yield* Sender

  const judge = (url: string) => Effect.mapError(sender.judge(url), ({ message }) => targetRefused(message))

  const get = Effect.fn("Webhooks.get")(function* (caller: Caller, id: WebhookId) {
    const webhook = yield* statements.webhookById(sql, id)
    return webhook !== null && mayKeepFor(caller, webhook.merchantId) ? webhook : yield* Effect.fail(notFound)
  })

  const create = Effect.fn("Webhooks.create")(function* (owner: EventViewer, wanted: WantedWebhook) {
    yield* judge(wanted.url)
    const secret = makeSecret()
    const id = WebhookId.make(SecureRandom.uuidV7Unsafe())
    const merchantId = owner._tag === "Admin" ? null : owner.merchantId
    const cursor = yield* events.end
    if (merchantId !== null) yield* statements.merchantExists(sql, merchantId)
    const [webhook] = yield* statements
      .lockCount(sql, merchantId)
      .pipe(
        Effect.andThen(statements.insertWebhook(sql, { ...wanted, id, merchantId, secret, cursor })),
        sql.withTransaction,
      )
    return webhook === undefined ? yield* Effect.fail(webhooksFull) : { webhook, secret }
  })

  const list = Effect.fn("Webhooks.list")(function* (
    owner: EventViewer,
    page: { readonly after: WebhookId | null; readonly limit: number },
  ) {
    const merchantId = owner._tag === "Admin" ? null : owner.merchantId
    const rows = yield* statements.listWebhooks(sql, merchantId, page.after ?? beforeEveryId, page.limit + 1)
    return pageOf(rows, page.limit)
  })

  const change = Effect.fn("Webhooks.change")(function* (caller: Caller, id: WebhookId, wanted: WantedChange) {
    yield* get(caller, id)
    const { rotateSecret, ...fields } = wanted
    if (fields.url !== undefined) yield* judge(fields.url)
    const secret = rotateSecret ? makeSecret() : null
    const [webhook] = yield* statements.updateWebhook(sql, id, { ...fields, ...(secret === null ? {} : { secret }) })
    return webhook === undefined ? yield* Effect.fail(notFound) : { webhook, secret }
  })

  const remove = Effect.fn("Webhooks.remove")(function* (caller: Caller, id: WebhookId) {
    yield* get(caller, id)
    yield* statements.deleteWebhook(sql, id)
  })

  const deliveries = Effect.fn("Webhooks.deliveries")(function* (
    caller: Caller,
    id: WebhookId,
    page: { readonly state: DeliveryState | null; readonly after: DeliveryId | null; readonly limit: number },
  ) {
    yield* get(caller, id)
    const rows = yield* statements.listDeliveries(sql, id, {
      state: page.state,
      before: page.after ?? behindEveryId,
      rowsMax: page.limit + 1,
    })
    return pageOf(rows, page.limit)
  })

  const replay = Effect.fn("Webhooks.replay")(function* (caller: Caller, id: WebhookId, deliveryId: DeliveryId) {
    yield* get(caller, id)
    const [delivery] = yield* statements.replayDelivery(sql, id, deliveryId)
    return delivery ?? (yield* Effect.fail(notFound))
  })

  return Webhooks.of({ change, create, deliveries, get, list, remove, replay })
})

/**
 * The statements of webhooks and their deliveries as their owners change and read them. Lists go along an index by id.
 */
import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { notFound } from "../accounts/accountRefusals.ts"
import type { MerchantId } from "../domain/ids.ts"
import type { Delivery, DeliveryId, DeliveryState, Webhook, WebhookId } from "./webhook.ts"
import { previousSecretMillis, webhooksOfMerchantMax } from "./webhookBounds.ts"

const millis = (column: string) => `floor(extract(epoch from ${column}) * 1000)::float8`

const webhookColumns = `w.id, w.merchant_id as "merchantId", w.url, w.description, w.types, w.enabled,
  w.disabled_reason as "disabledReason", ${millis("w.created_at")} as "createdAtMillis",
  ${millis("w.updated_at")} as "updatedAtMillis"`

const deliveryColumns = `d.id, d.event_id as "eventId", d.type, d.state, d.attempts,
  ${millis("d.created_at")} as "createdAtMillis", ${millis("d.next_attempt_at")} as "nextAttemptAtMillis",
  ${millis("d.last_attempt_at")} as "lastAttemptAtMillis", d.last_status as "lastStatus", d.last_error as "lastError"`

/** As text, since an array of the driver's has no type of its own. */
const listOf = (types: ReadonlyArray<string>): string => JSON.stringify(types)
const typesFrom = (sql: SqlClient.SqlClient, types: ReadonlyArray<string>) =>
  sql`array(select value from json_array_elements_text(${listOf(types)}::text::json) with ordinality as t (value, at) order by at)`

/** Written out: a plan that knows how few are wanted goes along the index, and one that does not sorts all there are. */
const atMost = (sql: SqlClient.SqlClient, rowsMax: number) => sql.literal(String(rowsMax))

const ownedBy = (sql: SqlClient.SqlClient, merchantId: MerchantId | null) =>
  merchantId === null ? sql`w.merchant_id is null` : sql`w.merchant_id = ${merchantId}::uuid`

export interface NewWebhook {
  readonly id: WebhookId
  readonly merchantId: MerchantId | null
  readonly url: string
  readonly description: string
  readonly types: ReadonlyArray<string>
  readonly secret: string
  readonly cursor: string
}

/** One owner's webhooks are counted one at a time: whoever adds one keeps the others waiting to the transaction's end. */
const countLock = 4_736_254

export const lockCount = (sql: SqlClient.SqlClient, merchantId: MerchantId | null) =>
  sql`select pg_advisory_xact_lock(${countLock}::integer, hashtext(${merchantId ?? "admins"}))`

/** An admin may name any merchant, also one that is not there. */
export const merchantExists = (sql: SqlClient.SqlClient, merchantId: MerchantId) =>
  Effect.flatMap(sql`select id from merchants where id = ${merchantId}::uuid`, (rows) =>
    rows.length === 0 ? Effect.fail(notFound) : Effect.void,
  )

/** The webhook, or nothing where there are as many as there may be. */
export const insertWebhook = (sql: SqlClient.SqlClient, webhook: NewWebhook) =>
  sql<Webhook>`
    with w as (
      insert into webhooks (id, merchant_id, url, description, types, secret, created_at, updated_at)
      select ${webhook.id}::uuid, ${webhook.merchantId}::uuid, ${webhook.url}, ${webhook.description},
        ${typesFrom(sql, webhook.types)}, ${webhook.secret}, clock_timestamp(), clock_timestamp()
      where (
        select count(*) from webhooks w where ${ownedBy(sql, webhook.merchantId)} and w.deleted_at is null
      ) < ${webhooksOfMerchantMax}::integer
      returning *
    ), relay as (
      insert into webhook_relays (webhook_id, cursor) select id, ${webhook.cursor} from w
    )
    select ${sql.literal(webhookColumns)} from w`

export const webhookById = (sql: SqlClient.SqlClient, id: WebhookId) =>
  Effect.map(
    sql<Webhook>`select ${sql.literal(webhookColumns)} from webhooks w where w.id = ${id} and w.deleted_at is null`,
    ([row]) => row ?? null,
  )

export const listWebhooks = (
  sql: SqlClient.SqlClient,
  merchantId: MerchantId | null,
  after: string,
  rowsMax: number,
): Effect.Effect<ReadonlyArray<Webhook>, SqlError.SqlError> => {
  return sql<Webhook>`
    select ${sql.literal(webhookColumns)} from webhooks w
    where ${ownedBy(sql, merchantId)} and w.deleted_at is null and w.id > ${after}::uuid order by w.id limit ${atMost(sql, rowsMax)}`
}

export interface WebhookChange {
  readonly url?: string
  readonly description?: string
  readonly types?: ReadonlyArray<string>
  readonly enabled?: boolean
  /** In place of the old secret, which signs beside it for a while. */
  readonly secret?: string
}

/** One statement: what waits is due again at once where the webhook is turned on, or has a new URL. */
export const updateWebhook = (sql: SqlClient.SqlClient, id: WebhookId, change: WebhookChange) => {
  const { description, enabled, secret, types, url } = change
  const sets = [
    sql`updated_at = clock_timestamp()`,
    ...(url === undefined ? [] : [sql`url = ${url}`]),
    ...(description === undefined ? [] : [sql`description = ${description}`]),
    ...(types === undefined ? [] : [sql`types = ${typesFrom(sql, types)}`]),
    ...(enabled === undefined ? [] : [sql`enabled = ${enabled}`, sql`disabled_reason = null`]),
    ...(secret === undefined
      ? []
      : [
          sql`secret = ${secret}, previous_secret = secret`,
          sql`previous_secret_until = clock_timestamp() + ${previousSecretMillis}::float8 * interval '1 millisecond'`,
        ]),
  ]
  const isTriedAgain = enabled === true || url !== undefined
  return sql<Webhook>`
    with w as (
      update webhooks set ${sql.csv(sets)} where id = ${id}::uuid and deleted_at is null returning *
    ), retried as (
      update webhook_deliveries set next_attempt_at = clock_timestamp()
      where webhook_id in (select id from w) and state = 'pending' and ${isTriedAgain}::boolean
    ), relay as (
      update webhook_relays set due_at = clock_timestamp(), failing_since = null
      where webhook_id in (select id from w) and ${isTriedAgain}::boolean
    )
    select ${sql.literal(webhookColumns)} from w`
}

/** Gone for everybody at once; its rows go in steps (`webhookPruning.ts`). */
export const deleteWebhook = (sql: SqlClient.SqlClient, id: WebhookId) =>
  sql`update webhooks set deleted_at = clock_timestamp(), enabled = false
    where id = ${id}::uuid and deleted_at is null returning id`

/** Newest first. */
export const listDeliveries = (
  sql: SqlClient.SqlClient,
  webhookId: WebhookId,
  page: { readonly state: DeliveryState | null; readonly before: string; readonly rowsMax: number },
) => {
  const inState = page.state === null ? sql`` : sql`and d.state = ${page.state}`
  return sql<Delivery>`
    select ${sql.literal(deliveryColumns)} from webhook_deliveries d
    where d.webhook_id = ${webhookId}::uuid ${inState} and d.id < ${page.before}::uuid
    order by d.id desc limit ${atMost(sql, page.rowsMax)}`
}

/** Tried again now, from the first attempt on where it had ended. */
export const replayDelivery = (sql: SqlClient.SqlClient, webhookId: WebhookId, id: DeliveryId) =>
  sql<Delivery>`
    with relay as materialized (
      select webhook_id from webhook_relays where webhook_id = ${webhookId}::uuid for update
    ), d as (
      update webhook_deliveries set state = 'pending', next_attempt_at = clock_timestamp(), finished_at = null,
        attempts = case when state = 'pending' then attempts else 0 end
      where webhook_id = ${webhookId}::uuid and id = ${id}::uuid and exists (select from relay)
      returning *
    ), due as (
      update webhook_relays set due_at = clock_timestamp() where webhook_id in (select webhook_id from d)
    )
    select ${sql.literal(deliveryColumns)} from d`

/**
 * The statements of the relay. Must stay true: of one subject only the earliest pending delivery is ever due; a webhook
 * with something pending has a `due_at`, whoever writes at the same moment, since each that may bring something due or
 * decides that nothing is locks its row of `webhook_relays` before it looks.
 */
import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { DeliveryId, DisabledReason, WebhookId } from "./webhook.ts"
import { deliveriesTakenMax, leaseMillis } from "./webhookBounds.ts"

export interface Receiver {
  readonly id: WebhookId
  readonly url: string
  readonly secret: string
  readonly previousSecret: string | null
}

export interface DueDelivery {
  readonly id: DeliveryId
  readonly eventId: string
  readonly payload: string
  readonly attempts: number
}

/** Those that have waited longest, which no other relay has. */
export const claim = (sql: SqlClient.SqlClient, relayId: string, webhooksMax: number) =>
  Effect.map(
    sql<{ readonly id: WebhookId }>`
      with free as materialized (
        select webhook_id from webhook_relays
        where due_at <= clock_timestamp() and (leased_until is null or leased_until < clock_timestamp())
        order by due_at limit ${webhooksMax}::integer for update skip locked
      )
      update webhook_relays r set leased_by = ${relayId}::uuid,
        leased_until = clock_timestamp() + ${leaseMillis}::float8 * interval '1 millisecond'
      from free where r.webhook_id = free.webhook_id
      returning r.webhook_id as id`,
    (rows) => rows.map(({ id }) => id),
  )

/** The webhook, while it is turned on. */
export const receiverOf = (sql: SqlClient.SqlClient, id: WebhookId) =>
  Effect.map(
    sql<Receiver>`
      select id, url, secret,
        case when previous_secret_until > clock_timestamp() then previous_secret end as "previousSecret"
      from webhooks where id = ${id}::uuid and enabled and deleted_at is null`,
    ([row]) => row ?? null,
  )

/** First in its subject; those of another subject do not matter to it. */
const isFirst = `not exists (
  select from webhook_deliveries e
  where e.webhook_id = d.webhook_id and e.state = 'pending' and e.subject = d.subject
    and (e.batch, e.position) < (d.batch, d.position))`

export const dueDeliveries = (sql: SqlClient.SqlClient, webhookId: WebhookId) =>
  sql<DueDelivery>`
    select d.id, d.event_id as "eventId", d.payload, d.attempts from webhook_deliveries d
    where d.webhook_id = ${webhookId}::uuid and d.state = 'pending' and d.next_attempt_at <= clock_timestamp()
      and ${sql.literal(isFirst)}
    order by d.next_attempt_at, d.batch, d.position limit ${deliveriesTakenMax}::integer`

export const recordSuccess = (sql: SqlClient.SqlClient, webhookId: WebhookId, id: DeliveryId, status: number | null) =>
  sql`
    with delivered as (
      update webhook_deliveries set state = 'succeeded', attempts = attempts + 1, next_attempt_at = null,
        last_attempt_at = clock_timestamp(), last_status = ${status}::integer, last_error = null,
        finished_at = clock_timestamp()
      where webhook_id = ${webhookId}::uuid and id = ${id}::uuid and state = 'pending'
    )
    update webhook_relays set failing_since = null
    where webhook_id = ${webhookId}::uuid and failing_since is not null`

export interface FailedAttempt {
  readonly status: number | null
  readonly error: string
  /** Null where it was the last one. */
  readonly pauseMillis: number | null
}

export const recordFailure = (
  sql: SqlClient.SqlClient,
  webhookId: WebhookId,
  id: DeliveryId,
  { error, pauseMillis, status }: FailedAttempt,
) => sql`
    with failed as (
      update webhook_deliveries set attempts = attempts + 1, last_attempt_at = clock_timestamp(),
        last_status = ${status}::integer, last_error = ${error},
        state = case when ${pauseMillis}::float8 is null then 'dead' else 'pending' end,
        finished_at = case when ${pauseMillis}::float8 is null then clock_timestamp() end,
        next_attempt_at = clock_timestamp() + ${pauseMillis}::float8 * interval '1 millisecond'
      where webhook_id = ${webhookId}::uuid and id = ${id}::uuid and state = 'pending'
    )
    update webhook_relays set failing_since = clock_timestamp()
    where webhook_id = ${webhookId}::uuid and failing_since is null`

/** Turns it off for this reason where it has been failing for so long; whether it did. */
export const turnOff = (
  sql: SqlClient.SqlClient,
  webhookId: WebhookId,
  reason: DisabledReason,
  failingMillis: number,
): Effect.Effect<boolean, SqlError.SqlError> =>
  Effect.map(
    sql`
    update webhooks w set enabled = false, disabled_reason = ${reason}, updated_at = clock_timestamp()
    from webhook_relays r
    where w.id = ${webhookId}::uuid and w.enabled and r.webhook_id = w.id
      and r.failing_since <= clock_timestamp() - ${failingMillis}::float8 * interval '1 millisecond'
    returning w.id`,
    (rows) => rows.length > 0,
  )

/**
 * Ends the turn, and says when there is something due again; behind all others that are due now. What is written
 * meanwhile waits for the row, and what was written before is seen by the second statement.
 */
export const letGo = (sql: SqlClient.SqlClient, relayId: string, webhookId: WebhookId) =>
  sql`select from webhook_relays where webhook_id = ${webhookId}::uuid for update`.pipe(
    Effect.andThen(sql`
      update webhook_relays r set leased_by = null, leased_until = null, due_at = (
        select greatest(min(d.next_attempt_at), clock_timestamp())
        from webhook_deliveries d join webhooks w on w.id = d.webhook_id and w.enabled and w.deleted_at is null
        where d.webhook_id = r.webhook_id and d.state = 'pending' and ${sql.literal(isFirst)}
        having count(*) > 0)
      where r.webhook_id = ${webhookId}::uuid and r.leased_by = ${relayId}::uuid`),
    sql.withTransaction,
  )

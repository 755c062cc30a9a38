/**
 * Damage to what is kept of the event log and of webhooks; each breaks one rule alone.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"

/** A webhook with one delivery, of the first event of shard 0, as it is left between two turns. */
const withDelivery = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* sql`
    with w as (
      insert into webhooks (id, url, secret, created_at, updated_at)
      values (gen_random_uuid(), 'https://example.com/', 'whsec_x', now(), now()) returning id
    ), relay as (
      insert into webhook_relays (webhook_id, cursor, due_at) select id, 'AQ', now() from w
    )
    insert into webhook_deliveries
      (id, webhook_id, shard, batch, position, event_id, type, subject, payload, created_at, next_attempt_at)
    select gen_random_uuid(), w.id, b.shard, b.batch, 0, 'evt_1', b.events -> 0 ->> 'type', 'one', '{}', now(), now()
    from w, (
      select * from batches where shard = 0 and json_array_length(events) > 0 order by batch limit 1) as b`
})

const afterDelivery = (damage: (sql: PgClient.PgClient) => Effect.Effect<unknown, unknown>) =>
  Effect.gen(function* () {
    yield* withDelivery
    yield* Effect.orDie(damage(yield* PgClient.PgClient))
  })

export const webhookDamages = [
  [
    "pruned_events_are_gone",
    "an event in what was pruned",
    (_world: unknown, sql: PgClient.PgClient) => sql`
      insert into event_log_prunings (shard, pruned_through, committed_at)
      select shard, batch, committed_at from batches
      where shard = 0 and json_array_length(events) > 0 order by batch limit 1`,
  ],
  [
    "pruned_events_are_gone",
    "a pruning of batches that nobody wrote yet",
    (_world: unknown, sql: PgClient.PgClient) =>
      Effect.andThen(
        sql`
          insert into event_log_prunings (shard, pruned_through, committed_at)
          select shard, batch + 1, now() from shard_leases where shard = 1`,
        sql`update batches set events = '[]' where shard = 1`,
      ),
  ],
  [
    "deliveries_have_events",
    "a delivery of another event than the log has there",
    () => afterDelivery((sql) => sql`update webhook_deliveries set type = 'order.paid'`),
  ],
  [
    "deliveries_have_events",
    "a delivery of a batch that is not there",
    () => afterDelivery((sql) => sql`update webhook_deliveries set batch = 1000000`),
  ],
  [
    "deliveries_are_due",
    "a webhook that nobody would ever look at again",
    () => afterDelivery((sql) => sql`update webhook_relays set due_at = null`),
  ],
] as const

/**
 * Takes away what is old, in bounded steps: events, finished deliveries, webhooks that were deleted. Must stay true: a
 * batch's row stays, since it proves that the batch was applied; what is gone is always the beginning of a shard's log,
 * and how far is written in the same statement, so that no reader takes a pruned batch for an empty one.
 *
 * An event stays until every webhook that is turned on has read it. That keeps nothing for good: a webhook that accepts
 * nothing is turned off within days, and one that is turned off keeps nothing.
 */
import { Effect, Result } from "effect"
import type { SqlClient } from "effect/sql"
import type { Shard } from "../domain/ids.ts"
import { beginning, decodeCursor } from "../events/cursor.ts"
import { pruneBatchesMax, pruneStepsMax } from "../events/eventBounds.ts"
import { readShards } from "../events/eventLog.ts"
import { deliveriesPrunedMax, succeededKeptMillis } from "./webhookBounds.ts"

/** Removes the events of so many batches at most that are old enough; how many that were. */
const pruneShard = (sql: SqlClient.SqlClient, shard: Shard, throughMax: number, keptMillis: number) =>
  Effect.map(
    sql<{ readonly batches: number }>`
      with next as materialized (
        select b.batch, b.committed_at from batches b
        where b.shard = ${shard}::smallint and b.batch <= ${throughMax}::float8::bigint and b.batch > coalesce(
          (select pruned_through from event_log_prunings where shard = ${shard}::smallint), 0)
        order by b.batch limit ${pruneBatchesMax}::integer
      ), judged as (
        select batch, committed_at, bool_and(
          committed_at < clock_timestamp() - ${keptMillis}::float8 * interval '1 millisecond'
        ) over (order by batch) as is_old
        from next
      ), old as materialized (
        select batch, committed_at from judged where is_old
      ), emptied as (
        update batches b set events = '[]' from old
        where b.shard = ${shard}::smallint and b.batch = old.batch and b.events::text <> '[]'
      ), told as (
        insert into event_log_prunings as p (shard, pruned_through, committed_at)
        select ${shard}::smallint, max(batch), max(committed_at) from old having count(*) > 0
        on conflict (shard) do update set
          pruned_through = greatest(p.pruned_through, excluded.pruned_through),
          committed_at = greatest(p.committed_at, excluded.committed_at)
      )
      select count(*)::integer as batches from old`,
    ([row]) => row?.batches ?? 0,
  )

/** Up to where every webhook that is turned on has read each shard. */
const readByAll = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const rows = yield* sql<{ readonly cursor: string }>`
    select distinct r.cursor from webhooks w join webhook_relays r on r.webhook_id = w.id
    where w.enabled and w.deleted_at is null`
  const cursors = rows.flatMap(({ cursor }) =>
    Result.match(decodeCursor(cursor), { onSuccess: (p) => [p], onFailure: () => [] }),
  )
  return (shard: Shard, newest: number) =>
    cursors.reduce((through, positions) => Math.min(through, (positions[shard] ?? beginning).batch - 1), newest)
})

export const pruneEvents = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, keptMillis: number) {
  const throughOf = yield* readByAll(sql)
  yield* Effect.forEach(yield* readShards(sql), ({ newest, shard }) =>
    Effect.gen(function* () {
      for (let step = 0; step < pruneStepsMax; step++) {
        if ((yield* pruneShard(sql, shard, throughOf(shard, newest), keptMillis)) < pruneBatchesMax) return
      }
    }),
  )
})

const pruneDeliveries = (sql: SqlClient.SqlClient, state: "succeeded" | "dead", keptMillis: number) =>
  sql`
    delete from webhook_deliveries where (webhook_id, id) in (
      select webhook_id, id from webhook_deliveries
      where state = ${state} and finished_at < clock_timestamp() - ${keptMillis}::float8 * interval '1 millisecond'
      order by finished_at limit ${deliveriesPrunedMax}::integer)
    returning id`

const pruneDeleted = (sql: SqlClient.SqlClient) =>
  sql`
    delete from webhook_deliveries where (webhook_id, id) in (
      select w.id, d.id from webhooks w
      cross join lateral (select id from webhook_deliveries where webhook_id = w.id limit ${deliveriesPrunedMax}::integer) as d
      where w.deleted_at is not null limit ${deliveriesPrunedMax}::integer)
    returning id`

/** One look at all of it; what is left is for the next one. */
export const prune = Effect.fn("webhookPruning.prune")(function* (
  sql: SqlClient.SqlClient,
  { eventsKeptMillis }: { readonly eventsKeptMillis: number },
) {
  yield* pruneEvents(sql, eventsKeptMillis)
  const deletions = [
    pruneDeliveries(sql, "succeeded", succeededKeptMillis),
    pruneDeliveries(sql, "dead", eventsKeptMillis),
    pruneDeleted(sql),
  ]
  for (const deletion of deletions) {
    for (let step = 0; step < pruneStepsMax; step++) {
      if ((yield* deletion).length < deliveriesPrunedMax) break
    }
  }
  yield* sql`
    with empty as materialized (
      select id from webhooks w
      where w.deleted_at is not null and not exists (select from webhook_deliveries d where d.webhook_id = w.id)
      limit ${deliveriesPrunedMax}::integer
    ), relays as (
      delete from webhook_relays where webhook_id in (select id from empty) returning webhook_id
    )
    select webhook_id as id from relays`
  yield* sql`
    delete from webhooks w where w.deleted_at is not null
      and not exists (select from webhook_relays r where r.webhook_id = w.id)
      and not exists (select from webhook_deliveries d where d.webhook_id = w.id)`
})

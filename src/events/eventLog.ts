/**
 * The statements that read the event log. Must stay true: a shard's batches are read in the order of their numbers and
 * none is passed over, which is safe because a batch's row is written under its shard's lease, so that a number that can
 * be seen has every smaller one before it; every statement goes along primary keys, by a bounded number of rows.
 */
import { Effect, Schema } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { Shard } from "../domain/ids.ts"
import type { Positions } from "./cursor.ts"
import { batchesOfPageMax, batchesOfShardMax } from "./eventBounds.ts"
import {
  type EventMovement,
  type EventOrder,
  type EventProduct,
  isOfOrder,
  type LoggedEvent,
  type ResolvedEvent,
  textField,
} from "./event.ts"

export interface ShardOfLog {
  readonly shard: Shard
  /** The newest batch. */
  readonly newest: number
  /** Up to this batch the events are gone. */
  readonly prunedThrough: number
}

/** Every shard, from 0 on. */
export const readShards = (sql: SqlClient.SqlClient) => sql<ShardOfLog>`
  select l.shard, l.batch::float8 as newest, coalesce(p.pruned_through, 0)::float8 as "prunedThrough"
  from shard_leases l left join event_log_prunings p on p.shard = l.shard order by l.shard`

export interface BatchHead {
  readonly shard: Shard
  readonly batch: number
  readonly atMillis: number
}

/**
 * What comes next in all shards together, about as it was committed. A clock that was set back must not turn the order
 * of a shard around, so each batch counts as no older than the one before it.
 */
export const readHeads = (sql: SqlClient.SqlClient, positions: Positions) => sql<BatchHead>`
  with positions as materialized (
    select (number - 1)::smallint as shard, batch
    from unnest(string_to_array(${positions.map(({ batch }) => batch).join(",")}, ',')::bigint[])
      with ordinality as p (batch, number)
  ), heads as (
    select b.shard, b.batch, max(b.committed_at) over (partition by b.shard order by b.batch) as at
    from positions p cross join lateral (
      select shard, batch, committed_at from batches where shard = p.shard and batch >= p.batch
      order by batch limit ${batchesOfShardMax}::integer
    ) as b
  )
  select shard, batch::float8 as batch, (extract(epoch from at) * 1000)::float8 as "atMillis"
  from heads order by at, shard, batch limit ${batchesOfPageMax}::integer`

const Events = Schema.Array(Schema.Record(Schema.String, Schema.Unknown))
const decodeEvents = Schema.decodeUnknownSync(Events)

export interface BatchOfLog extends BatchHead {
  readonly isPruned: boolean
  readonly events: ReadonlyArray<LoggedEvent>
}

/** These batches with their events, in the order given. */
export const readBatches = (
  sql: SqlClient.SqlClient,
  heads: ReadonlyArray<BatchHead>,
): Effect.Effect<ReadonlyArray<BatchOfLog>, SqlError.SqlError> =>
  Effect.map(
    sql<{ readonly events: unknown; readonly isPruned: boolean; readonly createdAtMillis: number }>`
      select b.events, b.batch <= coalesce(p.pruned_through, 0) as "isPruned",
        (extract(epoch from b.committed_at) * 1000)::float8 as "createdAtMillis"
      from unnest(string_to_array(${heads.map(({ shard }) => shard).join(",")}, ',')::smallint[],
        string_to_array(${heads.map(({ batch }) => batch).join(",")}, ',')::bigint[])
        with ordinality as w (shard, batch, number)
      join batches b on b.shard = w.shard and b.batch = w.batch
      left join event_log_prunings p on p.shard = b.shard
      order by w.number`,
    (rows) =>
      heads.flatMap((head, index) => {
        const row = rows[index]
        if (row === undefined) return []
        const events = decodeEvents(row.events).map(({ type, ...fields }, position): LoggedEvent => {
          const { batch, shard } = head
          return { shard, batch, position, createdAtMillis: row.createdAtMillis, type: String(type), fields }
        })
        return [{ ...head, isPruned: row.isPruned, events }]
      }),
  )

/** Looks up what events speak of: three queries at most, along primary keys. */
export const resolve = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, events: ReadonlyArray<LoggedEvent>) {
  const named = (name: string, of: ReadonlyArray<LoggedEvent>) => [
    ...new Set(of.flatMap((event) => textField(event, name) ?? [])),
  ]
  const ofProducts = events.filter((event) => !isOfOrder(event))
  const orders = yield* readOrders(sql, named("orderId", events.filter(isOfOrder)))
  const products = yield* readProducts(sql, named("productId", ofProducts))
  const movements = yield* readMovements(sql, named("movementId", ofProducts))
  return events.map((event): ResolvedEvent => ({
    ...event,
    order: isOfOrder(event) ? orders.get(textField(event, "orderId") ?? "") : undefined,
    product: isOfOrder(event) ? undefined : products.get(textField(event, "productId") ?? ""),
    movement: isOfOrder(event) ? undefined : movements.get(textField(event, "movementId") ?? ""),
  }))
})

const byId = <Row extends { readonly id: string }>(
  ids: ReadonlyArray<string>,
  read: (ids: string) => Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>,
): Effect.Effect<ReadonlyMap<string, Row>, SqlError.SqlError> =>
  ids.length === 0
    ? Effect.succeed(new Map())
    : Effect.map(read(ids.join(",")), (rows) => new Map(rows.map((row) => [row.id, row])))

const readOrders = (sql: SqlClient.SqlClient, ids: ReadonlyArray<string>) =>
  byId(
    ids,
    (joined) => sql<EventOrder>`
      select o.id, o.caller, o.customer_ref as "customerRef", o.currency, (
        select json_agg(json_build_object('productId', l.product_id, 'merchantId', p.merchant_id,
          'quantity', l.quantity, 'unitPrice', l.unit_price) order by l.product_id)
        from order_lines l join products p on p.id = l.product_id where l.order_id = o.id) as lines
      from orders o where o.id = any (string_to_array(${joined}, ',')::uuid[])`,
  )

const readProducts = (sql: SqlClient.SqlClient, ids: ReadonlyArray<string>) =>
  byId(
    ids,
    (joined) => sql<EventProduct>`
      select id, merchant_id as "merchantId" from products where id = any (string_to_array(${joined}, ',')::uuid[])`,
  )

const readMovements = (sql: SqlClient.SqlClient, ids: ReadonlyArray<string>) =>
  byId(
    ids,
    (joined) => sql<EventMovement>`
      select m.id, m.product_id as "productId", p.merchant_id as "merchantId", m.kind, m.delta
      from stock_movements m join products p on p.id = m.product_id
      where m.id = any (string_to_array(${joined}, ',')::uuid[])`,
  )

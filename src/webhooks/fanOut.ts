/**
 * Reads the event log for the webhooks: what each is to be told of becomes rows of `webhook_deliveries`, in the statement
 * that moves its cursor. Must stay true: a cursor moves only from where it was read at, so that an event becomes one row
 * however many relays read, and none is passed over. Webhooks that stand at the same place, as all do that keep up, are
 * read for together: the log is read once and not once for each.
 */
import { Clock, DateTime, Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import type { SqlClient } from "effect/sql"
import type { MerchantId } from "../domain/ids.ts"
import { beforeEveryId } from "../domain/page.ts"
import { type Event, eventFor, type ResolvedEvent } from "../events/event.ts"
import type { EventPage, Events } from "../events/Events.ts"
import type { WebhookId } from "./webhook.ts"
import {
  fanOutAnywayMillis,
  fanOutPageMax,
  fanOutRowsMax,
  fanOutWebhooksMax,
  pendingOfWebhookMax,
} from "./webhookBounds.ts"

interface Reader {
  readonly id: WebhookId
  readonly merchantId: MerchantId | null
  readonly types: ReadonlyArray<string>
  readonly cursor: string
  /** Whether as much waits for it as may. */
  readonly isFull: boolean
}

/** What a webhook is to be told of, behind which its cursor is then. */
interface Move {
  readonly reader: Reader
  readonly rows: ReturnType<typeof rowsFor>
}

/** The body of a delivery: the event as GET /v1/events tells it, with the specification's name for its time. */
export const payloadOf = ({ createdAtMillis, data, id, type }: Event): string => {
  const at = DateTime.formatIso(DateTime.makeUnsafe(createdAtMillis))
  return JSON.stringify({ id, type, timestamp: at, createdAt: at, data })
}

/** One look of one relay at the log; says whether there is more to read at once. */
export const makeFanOut = (sql: SqlClient.SqlClient, events: Events["Service"]) => {
  let readUpTo = Number.NaN
  let readAtMillis = Number.NEGATIVE_INFINITY

  const readers = (after: string) => sql<Reader>`
    select w.id, w.merchant_id as "merchantId", w.types, r.cursor, (
      select count(*) from (
        select from webhook_deliveries d where d.webhook_id = w.id and d.state = 'pending'
        limit ${pendingOfWebhookMax}::integer) as waiting
      ) = ${pendingOfWebhookMax}::integer as "isFull"
    from webhooks w join webhook_relays r on r.webhook_id = w.id
    where w.enabled and w.deleted_at is null and w.id > ${after}::uuid
    order by w.id limit ${fanOutWebhooksMax}::integer`

  /** Where the log was pruned beyond the cursor, while the webhook was turned off: from the oldest that is kept. */
  const readAfter = (cursor: string): Effect.Effect<EventPage<ResolvedEvent>, unknown> =>
    events
      .collect(cursor, fanOutPageMax, (event) => event)
      .pipe(
        Effect.catchIf(
          (failure) => "code" in failure && failure.code === "cursor_expired",
          () => events.collect(null, fanOutPageMax, (event) => event),
        ),
      )

  const write = (cursor: string, moves: ReadonlyArray<Move>, after: string) => {
    const moved = moves.map(({ reader, rows }) => ({ id: reader.id, has: rows.length > 0 }))
    const rows = moves.flatMap((move) => move.rows)
    return sql`
      with readers as materialized (
        select r.webhook_id, w.has from json_to_recordset(${JSON.stringify(moved)}::text::json) as w (id uuid, has boolean)
        join webhook_relays r on r.webhook_id = w.id and r.cursor = ${cursor}
        order by r.webhook_id for update of r
      ), moved as (
        update webhook_relays r set cursor = ${after},
          due_at = case when w.has then least(r.due_at, clock_timestamp()) else r.due_at end
        from readers w where r.webhook_id = w.webhook_id
        returning r.webhook_id
      )
      insert into webhook_deliveries
        (id, webhook_id, shard, batch, position, event_id, type, subject, payload, created_at, next_attempt_at)
      select d.id, d."webhookId", d.shard, d.batch, d.position, d."eventId", d.type, d.subject, d.payload,
        clock_timestamp(), clock_timestamp()
      from json_to_recordset(${JSON.stringify(rows)}::text::json) as d (id uuid, "webhookId" uuid, shard smallint,
        batch bigint, position integer, "eventId" text, type text, subject text, payload text)
      join moved on moved.webhook_id = d."webhookId"
      on conflict on constraint webhook_deliveries_once do nothing`
  }

  /** The group is in the order of its ids, and so is what it locks. */
  const readFor = Effect.fnUntraced(function* (cursor: string, group: ReadonlyArray<Reader>) {
    const page = yield* readAfter(cursor)
    if (page.cursor === cursor) return page.hasMore
    let moves: Array<Move> = []
    let rowsCount = 0
    for (const reader of group) {
      const rows = rowsFor(reader, page.data)
      if (rowsCount + rows.length > fanOutRowsMax && moves.length > 0) {
        yield* write(cursor, moves, page.cursor)
        moves = []
        rowsCount = 0
      }
      moves.push({ reader, rows })
      rowsCount += rows.length
    }
    yield* write(cursor, moves, page.cursor)
    return page.hasMore
  })

  /** Each group on its own: what keeps one from being read keeps no other. */
  const readPage = Effect.fnUntraced(function* (page: ReadonlyArray<Reader>) {
    const groups = Map.groupBy(
      page.filter(({ isFull }) => !isFull),
      ({ cursor }) => cursor,
    )
    const ends = yield* Effect.forEach(groups, ([cursor, group]) => Effect.exit(readFor(cursor, group)))
    const more = yield* Effect.forEach(ends, (end) => end)
    return more.includes(true)
  })

  return Effect.gen(function* () {
    const generation = yield* events.generation
    const nowMillis = yield* Clock.currentTimeMillis
    if (generation === readUpTo && nowMillis < readAtMillis + fanOutAnywayMillis) return false
    let hasMore = false
    let hasRoom = true
    for (let after = beforeEveryId; ;) {
      const page: ReadonlyArray<Reader> = yield* readers(after)
      hasMore = (yield* readPage(page)) || hasMore
      hasRoom = hasRoom && !page.some(({ isFull }) => isFull)
      const last = page.at(-1)
      if (last === undefined || page.length < fanOutWebhooksMax) break
      after = last.id
    }
    readAtMillis = nowMillis
    readUpTo = hasMore || !hasRoom ? Number.NaN : generation
    return hasMore
  })
}

const rowsFor = ({ id, merchantId, types }: Reader, events: ReadonlyArray<ResolvedEvent>) =>
  events.flatMap((logged) => {
    if (types.length > 0 && !types.includes(logged.type)) return []
    const event = eventFor(logged, merchantId === null ? { _tag: "Admin" } : { _tag: "Merchant", merchantId })
    if (event === null) return []
    const { batch, position, shard, type } = logged
    const deliveryId = SecureRandom.uuidV7Unsafe()
    const payload = payloadOf(event)
    return [
      {
        id: deliveryId,
        webhookId: id,
        shard,
        batch,
        position,
        eventId: event.id,
        type,
        subject: event.subject,
        payload,
      },
    ]
  })

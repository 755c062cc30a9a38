/**
 * Pages of the event log for whoever may see them. Must stay true: between two pages of one reader nothing is passed
 * over and nothing is told twice, while any number of writers write; events of one order, and of one product, come in
 * their order; and a page costs a bounded amount, however few of the events are for the reader.
 */
import { Array, Context, Effect, Layer, Result } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { busy, type Busy } from "../domain/refusals.ts"
import { beginning, decodeCursor, encodeCursor, type Position, type Positions } from "./cursor.ts"
import {
  batchesAtOnceMax,
  batchesOfPageMax,
  batchesOfShardMax,
  eventsLookedAtMax,
  eventsResolvedAtOnceMax,
  eventsResolvedAtOnceMin,
} from "./eventBounds.ts"
import { type Event, eventFor, type EventViewer, type LoggedEvent, type ResolvedEvent } from "./event.ts"
import {
  type BatchHead,
  type BatchOfLog,
  readBatches,
  readHeads,
  readShards,
  resolve,
  type ShardOfLog,
} from "./eventLog.ts"
import { cursorExpired, cursorMalformed, type CursorRefusal } from "./eventRefusals.ts"

export interface EventPage<Item> {
  /** Up to the limit, and none at all where nothing that was looked at is for the reader. */
  readonly data: ReadonlyArray<Item>
  /** From where to go on. */
  readonly cursor: string
  /** Whether there is more to look at already. */
  readonly hasMore: boolean
}

export type Unread = CursorRefusal | Busy | SqlError.SqlError

export class Events extends Context.Service<
  Events,
  {
    /** Events for this viewer after a cursor, or from the oldest that is kept. */
    readonly page: (viewer: EventViewer, after: string | null, limit: number) => Effect.Effect<EventPage<Event>, Unread>
    /** As `page`, with what each event comes to for this reader; what comes to null is left out. */
    readonly collect: <Item>(
      after: string | null,
      limit: number,
      pick: (event: ResolvedEvent) => Item | null,
    ) => Effect.Effect<EventPage<Item>, Unread>
    /** The cursor behind everything that is committed. */
    readonly end: Effect.Effect<string, SqlError.SqlError>
    /** Moves with every batch, and costs next to nothing to ask for. */
    readonly generation: Effect.Effect<number, SqlError.SqlError>
  }
>()("hedonify/events/Events") {
  static readonly layer = Layer.effect(
    Events,
    Effect.map(SqlClient.SqlClient, (sql) => make(sql)),
  )
}

/** One event, or the end of a batch without any, and where the cursor stands behind it. */
interface Step {
  readonly shard: number
  readonly after: Position
  readonly event: LoggedEvent | null
}

const make = (sql: SqlClient.SqlClient): Events["Service"] => {
  const collect = Effect.fn("Events.collect")(function* <Item>(
    after: string | null,
    limit: number,
    pick: (event: ResolvedEvent) => Item | null,
  ): Effect.fn.Return<EventPage<Item>, Unread> {
    const positions = [...(yield* startOf(after, yield* readShards(sql)))]
    const heads = yield* readHeads(sql, positions)
    const data: Array<Item> = []
    let lookedAt = 0
    const page = (hasMore: boolean): EventPage<Item> => ({ data, cursor: encodeCursor(positions), hasMore })
    for (const some of Array.chunksOf(heads, batchesAtOnceMax)) {
      const batches = yield* readBatches(sql, some)
      if (batches.some((batch) => batch.isPruned)) return yield* Effect.fail(after === null ? busy : cursorExpired)
      const steps = stepsOf(batches, positions)
      for (let at = 0; at < steps.length;) {
        const slice = steps.slice(at, at + sliceSize(limit - data.length))
        at += slice.length
        const resolved = yield* resolve(
          sql,
          slice.flatMap(({ event }) => event ?? []),
        )
        let next = 0
        for (const step of slice) {
          if (data.length === limit || lookedAt === eventsLookedAtMax) return page(true)
          const event = step.event === null ? undefined : resolved[next++]
          const item = event === undefined ? null : pick(event)
          if (item !== null) data.push(item)
          lookedAt += 1
          positions[step.shard] = step.after
        }
      }
    }
    return page(mayHaveMore(heads))
  })

  return {
    collect,
    page: (viewer, after, limit) => collect(after, limit, (event) => eventFor(event, viewer)),
    end: Effect.map(readShards(sql), (shards) =>
      encodeCursor(shards.map(({ newest }) => ({ batch: newest + 1, offset: 0 }))),
    ),
    generation: Effect.map(
      sql<{ readonly batches: number }>`select coalesce(sum(batch), 0)::float8 as batches from shard_leases`,
      (rows) => rows[0]?.batches ?? 0,
    ),
  }
}

/** As many as are still wanted, so that little is looked up for nothing. */
const sliceSize = (wanted: number): number =>
  Math.min(eventsResolvedAtOnceMax, Math.max(eventsResolvedAtOnceMin, wanted))

const startOf = (after: string | null, shards: ReadonlyArray<ShardOfLog>): Effect.Effect<Positions, CursorRefusal> => {
  if (after === null)
    return Effect.succeed(shards.map(({ prunedThrough }) => ({ batch: prunedThrough + 1, offset: 0 })))
  const decoded = decodeCursor(after)
  if (Result.isFailure(decoded)) return Effect.fail(cursorMalformed)
  const positions = shards.map(({ shard }) => decoded.success[shard] ?? beginning)
  // Nobody was ever given a position that was not written yet: it is another database's, or this one lost some.
  if (shards.some(({ newest, shard }) => (positions[shard] ?? beginning).batch > newest + 1)) {
    return Effect.fail(cursorMalformed)
  }
  return shards.some(({ prunedThrough, shard }) => (positions[shard] ?? beginning).batch <= prunedThrough)
    ? Effect.fail(cursorExpired)
    : Effect.succeed(positions)
}

const stepsOf = (batches: ReadonlyArray<BatchOfLog>, positions: Positions): ReadonlyArray<Step> =>
  batches.flatMap(({ batch, events, shard }): ReadonlyArray<Step> => {
    const { batch: begun, offset } = positions[shard] ?? beginning
    const left = begun === batch ? events.slice(offset) : events
    const next: Position = { batch: batch + 1, offset: 0 }
    if (left.length === 0) return [{ shard, after: next, event: null }]
    return left.map((event) => ({
      shard,
      after: event.position + 1 === events.length ? next : { batch, offset: event.position + 1 },
      event,
    }))
  })

/** Whether a bound ended the list of batches, and not the log. */
const mayHaveMore = (heads: ReadonlyArray<BatchHead>): boolean => {
  if (heads.length === batchesOfPageMax) return true
  const counts = new Map<number, number>()
  for (const { shard } of heads) counts.set(shard, (counts.get(shard) ?? 0) + 1)
  return [...counts.values()].includes(batchesOfShardMax)
}

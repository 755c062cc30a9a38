/**
 * Sends shards what nobody else will: reservations and holds past their time, and units on their way back from other
 * shards. Exactness does not depend on it, since each is checked again in the statement; it only decides how soon stock
 * returns, which is within an interval and a commit.
 */
import { Clock, Effect, Layer, Schedule } from "effect"
import { orderDeadlineDefaultMillis, sweepIntervalMillis, sweepSizeMax } from "../domain/bounds.ts"
import type { Command } from "../domain/commands.ts"
import type { Shard } from "../domain/ids.ts"
import { Inventory } from "./Inventory.ts"
import type { CommandError } from "./shard/mailboxEntry.ts"
import { OrderEnding } from "./OrderEnding.ts"
import { ShardStore, type StoreUnreachable } from "./store/ShardStore.ts"

export const sweeper = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* ShardStore
    const inventory = yield* Inventory
    const ending = yield* OrderEnding

    const submit = Effect.fnUntraced(function* (shard: Shard, command: Command) {
      const deadlineMillis = (yield* Clock.currentTimeMillis) + orderDeadlineDefaultMillis
      yield* inventory.submit(shard, command, deadlineMillis)
    })
    const sweepShard = (shard: Shard) =>
      Effect.all(
        [
          page(store.expiredOrders(shard, sweepSizeMax), ending.expire),
          page(store.expiredHolds(shard, sweepSizeMax), (command) => submit(shard, command)),
          page(store.pendingReturns(shard, sweepSizeMax), (command) => submit(shard, command)),
        ],
        { discard: true },
      )
    const sweep = Effect.gen(function* () {
      const owned = inventory.statuses().flatMap((status) => (status.lease === null ? [] : [status.shard]))
      if (owned.length === 0) return
      yield* Effect.forEach(yield* store.dueShards(owned), sweepShard, { concurrency: 4, discard: true })
    })
    yield* sweep.pipe(Effect.option, Effect.repeat(Schedule.spaced(sweepIntervalMillis)), Effect.forkScoped)
  }),
)

/** Page after page while each is full and all of it was taken; what failed is left to the next sweep. */
const page = <Row>(
  read: Effect.Effect<ReadonlyArray<Row>, StoreUnreachable>,
  send: (row: Row) => Effect.Effect<void, CommandError>,
): Effect.Effect<void, StoreUnreachable> =>
  Effect.gen(function* () {
    while (true) {
      const rows = yield* read
      const sent = yield* Effect.forEach(rows, (row) => Effect.isSuccess(send(row)), { concurrency: "unbounded" })
      if (rows.length < sweepSizeMax || sent.includes(false)) return
    }
  })

/**
 * Sends shards what nobody else will: reservations and holds past their time, units on their way back from other shards,
 * and products to offer to those who wait, where no command came by that did. Exactness does not depend on it, since each
 * is checked again in the statement; it only decides how soon stock returns, which is within two looks and a commit. Whatever one look meets, there is a next one.
 */
import { Cause, Clock, Effect, FiberMap, Layer, Schedule } from "effect"
import {
  offeredProductsMax,
  orderDeadlineDefaultMillis,
  sweepIntervalMillis,
  sweepPagesMax,
  sweepSizeMax,
  sweptAtOnceMax,
} from "../domain/bounds.ts"
import { type Command, holdName } from "../domain/commands.ts"
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
    let lastSaid = ""
    const said = (cause: Cause.Cause<unknown>) => {
      const message = Cause.pretty(cause)
      if (message === lastSaid || Cause.hasInterruptsOnly(cause)) return Effect.void
      lastSaid = message
      return Effect.logWarning("What is over could not be swept; the next look tries again", cause)
    }
    /** Offers under way, by shard: many take seconds, and what is over waits for none of them. */
    const offering = yield* FiberMap.make<Shard>()
    const offer = (shard: Shard) =>
      pages(
        store.productsToOffer(shard, sweepSizeMax),
        (productId) => productId,
        (productId) => submit(shard, { _tag: "Offer", productId }),
        // One batch's worth at a time, so that orders come in between: 0.16 s at most, where all at once took 4.2 s.
        offeredProductsMax,
      ).pipe(
        Effect.catchCause(said),
        // Tried and lost: a set of shards, which a look that was cut off before it had forked left as it was, so that
        // the shard offered nothing any more (seed 388016202).
        FiberMap.run(offering, shard, { onlyIfMissing: true }),
      )
    const sweepShard = (shard: Shard) =>
      Effect.all(
        [
          pages(store.expiredOrders(shard, sweepSizeMax), (order) => order.orderId, ending.expire),
          pages(store.expiredHolds(shard, sweepSizeMax), holdName, (command) => submit(shard, command)),
          pages(
            store.pendingReturns(shard, sweepSizeMax),
            (command) => command.returnId,
            (command) => submit(shard, command),
          ),
          offer(shard),
        ],
        { concurrency: "unbounded", discard: true },
      ).pipe(Effect.annotateLogs({ shard }))
    const sweep = Effect.gen(function* () {
      const owned = inventory.statuses().flatMap((status) => (status.lease === null ? [] : [status.shard]))
      if (owned.length === 0) return
      yield* Effect.forEach(yield* store.dueShards(owned), sweepShard, { concurrency: 4, discard: true })
    })
    yield* sweep.pipe(Effect.catchCause(said), Effect.repeat(Schedule.spaced(sweepIntervalMillis)), Effect.forkScoped)
  }),
)

/**
 * Page after page while each is full, all of it was taken and the next is another one; what is left is for the next
 * sweep. A bound beside, since rows that do not go must not keep the others waiting.
 */
const pages = <Row>(
  read: Effect.Effect<ReadonlyArray<Row>, StoreUnreachable>,
  nameOf: (row: Row) => string,
  send: (row: Row) => Effect.Effect<void, CommandError>,
  concurrency: number = sweptAtOnceMax,
): Effect.Effect<void, StoreUnreachable> =>
  Effect.gen(function* () {
    let firstOfLast = ""
    for (let page = 0; page < sweepPagesMax; page++) {
      const rows = yield* read
      const [first] = rows
      if (first === undefined || nameOf(first) === firstOfLast) return
      firstOfLast = nameOf(first)
      const sent = yield* Effect.forEach(rows, (row) => Effect.isSuccess(send(row)), { concurrency })
      if (rows.length < sweepSizeMax || sent.includes(false)) return
    }
  })

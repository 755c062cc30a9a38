/**
 * All shards behind one door: callers name a shard and a command, and only this file's layers know who serves it. In
 * one process every shard is local; across nodes another layer of the same service will forward.
 *
 * Must stay true: an actor works only under a lease granted here, and a drain leaves nobody without an answer.
 */
import { Clock, Context, Effect, Layer, Schedule } from "effect"
import { orderDeadlineDefaultMillis, sweepIntervalMillis, sweepSizeMax } from "../domain/bounds.ts"
import type { Command, OutcomeOf } from "../domain/commands.ts"
import type { Shard } from "../domain/ids.ts"
import { Busy, type CommandError } from "./mailboxEntry.ts"
import * as ShardActor from "./ShardActor.ts"
import { type Lease, ShardStore } from "./ShardStore.ts"

export interface InventorySettings extends ShardActor.ShardActorSettings {
  readonly shards: number
}

export class Inventory extends Context.Service<
  Inventory,
  {
    /** Decides a command in its shard; see `ShardActor.submit` for deadlines and interruption. */
    readonly submit: <C extends Command>(
      shard: Shard,
      command: C,
      deadlineMillis: number,
    ) => Effect.Effect<OutcomeOf<C>, CommandError>
    readonly grant: (leases: ReadonlyMap<Shard, Lease>) => void
    readonly revoke: () => void
    /** Told whenever a shard finds that another writer took it. */
    readonly onFenced: (listener: (shard: Shard) => void) => void
    readonly drain: Effect.Effect<void>
    readonly statuses: () => ReadonlyArray<ShardActor.ShardStatus>
  }
>()("hedonify/inventory/Inventory") {
  /** Every shard in this process. Without leases, until somebody grants them. */
  static readonly layerLocal = (settings: InventorySettings) =>
    Layer.effect(
      Inventory,
      Effect.gen(function* () {
        const store = yield* ShardStore
        let tellFenced: (shard: Shard) => void = () => {}
        const actors: Array<ShardActor.ShardActor> = []
        for (let shard = 0; shard < settings.shards; shard++) {
          actors.push(yield* ShardActor.make(shard, store, settings, (fenced) => tellFenced(fenced)))
        }
        return Inventory.of({
          submit: (shard, command, deadlineMillis) =>
            actors[shard]?.submit(command, deadlineMillis) ?? Effect.fail(new Busy()),
          grant: (leases) => {
            for (const [shard, lease] of leases) actors[shard]?.grant(lease)
          },
          revoke: () => {
            for (const actor of actors) actor.revoke()
          },
          onFenced: (listener) => {
            tellFenced = listener
          },
          drain: Effect.forEach(actors, (actor) => actor.drain, { concurrency: "unbounded", discard: true }),
          statuses: () => actors.map((actor) => actor.status()),
        })
      }),
    )
}

/**
 * Sends shards what nobody else will: holds past their time, and units on their way back from other shards. Exactness
 * does not depend on it, since both are checked again in the statement; it only decides how soon stock returns.
 */
export const sweeper = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* ShardStore
    const inventory = yield* Inventory
    const sweepShard = Effect.fnUntraced(function* (shard: Shard) {
      const commands: ReadonlyArray<Command> = [
        ...(yield* store.expiredHolds(shard, sweepSizeMax)),
        ...(yield* store.pendingReturns(shard, sweepSizeMax)),
      ]
      const deadlineMillis = (yield* Clock.currentTimeMillis) + orderDeadlineDefaultMillis
      yield* Effect.forEach(commands, (command) => Effect.option(inventory.submit(shard, command, deadlineMillis)), {
        concurrency: "unbounded",
        discard: true,
      })
    })
    const sweep = Effect.gen(function* () {
      const owned = inventory.statuses().flatMap((status) => (status.lease === null ? [] : [status.shard]))
      if (owned.length === 0) return
      yield* Effect.forEach(yield* store.dueShards(owned), sweepShard, { concurrency: 4, discard: true })
    })
    yield* sweep.pipe(Effect.option, Effect.repeat(Schedule.spaced(sweepIntervalMillis)), Effect.forkScoped)
  }),
)

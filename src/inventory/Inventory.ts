/**
 * All shards behind one door: callers name a shard and a command, and only this file's layers know who serves it. In
 * one process every shard is local; across nodes another layer of the same service will forward.
 *
 * Must stay true: an actor works only under a lease granted here, and a drain leaves nobody without an answer.
 */
import { Context, Effect, Layer } from "effect"
import type { Command, OutcomeOf } from "../domain/commands.ts"
import type { Shard } from "../domain/ids.ts"
import type { LoadedProduct } from "./InventoryListener.ts"
import { Busy, type CommandError } from "./shard/mailboxEntry.ts"
import * as ShardActor from "./shard/ShardActor.ts"
import { type Lease, ShardStore } from "./store/ShardStore.ts"

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
    /** The products that this process's writers have in memory. */
    readonly products: () => Iterable<LoadedProduct>
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
          products: function* () {
            for (const actor of actors) yield* actor.products()
          },
        })
      }),
    )
}

/**
 * A store whose calls are watched: what each batch number was sent with, and whether a call is under way. "Outcome
 * unknown" is only for commands whose shard had one.
 */
import { Clock, Effect } from "effect"
import type { ShardStore } from "../../../src/inventory/store/ShardStore.ts"
import type { Ledger } from "../audit/ledger.ts"

/** How long a shard may be silent between two calls of one settlement, plus a tick. */
const settlingMillis = 150

export class StoreCalls {
  readonly #underWay = new Map<number, number>()
  readonly #endedAtMillis = new Map<number, number>()

  watched<A, E>(shard: number, call: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.#underWay.set(shard, (this.#underWay.get(shard) ?? 0) + 1)
      const ended = Effect.map(Clock.currentTimeMillis, (nowMillis) => {
        this.#underWay.set(shard, (this.#underWay.get(shard) ?? 0) - 1)
        this.#endedAtMillis.set(shard, nowMillis)
      })
      return Effect.ensuring(call, ended)
    })
  }

  isBusy(shard: number, nowMillis: number): boolean {
    const endedAtMillis = this.#endedAtMillis.get(shard) ?? -Infinity
    return (this.#underWay.get(shard) ?? 0) > 0 || nowMillis - endedAtMillis <= settlingMillis
  }
}

export const watchedStore = (
  store: ShardStore["Service"],
  ledger: Ledger,
  calls: StoreCalls,
): ShardStore["Service"] => ({
  ...store,
  inspect: (shard, batch) => calls.watched(shard, store.inspect(shard, batch)),
  commit: (write) => {
    ledger.noteSent(write)
    return calls.watched(write.shard, store.commit(write))
  },
  voidBatch: (shard, lease) => calls.watched(shard, store.voidBatch(shard, lease)),
  products: (shard, productIds) => calls.watched(shard, store.products(shard, productIds)),
  facts: (shard, request) => calls.watched(shard, store.facts(shard, request)),
  units: (shard, pairs) => calls.watched(shard, store.units(shard, pairs)),
})

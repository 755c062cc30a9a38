/**
 * Hedonify in process: a real ShardActor on the real PostgresShardStore, with a number of callers that each place
 * their next order as soon as they have the answer to the last. Must stay true: an order counts once it was answered
 * with "Accepted", and the commands alone are made before the clock starts.
 */
import { Clock, Effect } from "effect"
import { batchSizeMaxDefault, mailboxSizeDefault, orderDeadlineDefaultMillis } from "../../src/domain/bounds.ts"
import type { ProductId, Shard } from "../../src/domain/ids.ts"
import * as ShardActor from "../../src/inventory/shard/ShardActor.ts"
import { ShardStore } from "../../src/inventory/store/ShardStore.ts"
import { reserve } from "../../test/inventory/fixtures.ts"
import { median } from "../statistics.ts"
import { type Strategy, timed } from "./strategy.ts"

export const settings = {
  mailboxSize: mailboxSizeDefault,
  batchSizeMax: batchSizeMaxDefault,
  lingerMillis: 0,
  offerTtlMillis: 60_000,
}

export const makeOurs = Effect.fnUntraced(function* (shard: Shard, productId: ProductId, callers: number) {
  const store = yield* ShardStore
  const batchSizes: Array<number> = []
  const counting: ShardStore["Service"] = {
    ...store,
    commit: (write) => {
      batchSizes.push(write.orders.length)
      return store.commit(write)
    },
  }
  const actor = yield* ShardActor.make(shard, counting, settings, () => {})
  const lease = (yield* store.acquire([shard], "bench")).get(shard)
  if (lease === undefined) return yield* Effect.die(`shard ${shard} has no lease`)
  actor.grant(lease)

  const round = Effect.fnUntraced(function* (orders: number) {
    const commands = Array.from({ length: orders }, () => reserve([[productId, 1]]))
    let next = 0
    const caller = Effect.gen(function* () {
      while (true) {
        const command = commands[next++]
        if (command === undefined) return
        const deadlineMillis = (yield* Clock.currentTimeMillis) + orderDeadlineDefaultMillis
        const outcome = yield* actor.submit(command, deadlineMillis)
        if (outcome._tag !== "Accepted") return yield* Effect.die(`an order ended as ${JSON.stringify(outcome)}`)
      }
    })
    batchSizes.length = 0
    const all = Effect.forEach(Array.from({ length: callers }), () => caller, {
      concurrency: "unbounded",
      discard: true,
    })
    const seconds = yield* timed(Effect.orDie(all))
    return { orders, seconds, batchSize: Math.round(median(batchSizes)) }
  })
  return { name: `hedonify, ${callers} callers`, productId, round } satisfies Strategy
})

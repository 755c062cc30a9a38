/**
 * How the shards do, for whoever is on call: what this process knows of each, how fast it went lately, and who owns it.
 * Must stay true: it shows what it can while PostgreSQL is away, and costs the shards' writers nothing.
 */
import { PgClient } from "@effect/sql-pg"
import { Clock, Context, Effect, Layer, Schedule } from "effect"
import type { Shard } from "../domain/ids.ts"
import { interruptibleAtOnce } from "../platform/interruptibleAtOnce.ts"
import { Inventory } from "./Inventory.ts"
import type { ShardStatus } from "./shard/ShardActor.ts"
import { SingleOwner } from "./SingleOwner.ts"

/** What "lately" is: as many looks, this far apart. */
const looksMax = 10
const lookIntervalMillis = 1_000
/** What asking PostgreSQL for the owners may take; what is known here is shown without them. */
const ownersMaxMillis = 1_000

export interface ShardView extends ShardStatus {
  /** Who took it last, as host/process; null where that cannot be told. */
  readonly owner: string | null
  readonly batchesPerSecond: number
  readonly commandsPerSecond: number
}

interface Look {
  readonly atMillis: number
  readonly statuses: ReadonlyArray<ShardStatus>
}

export class ShardOverview extends Context.Service<
  ShardOverview,
  {
    readonly look: Effect.Effect<{
      readonly shards: ReadonlyArray<ShardView>
      /** What the rates are counted over. */
      readonly rateSeconds: number
    }>
  }
>()("hedonify/inventory/ShardOverview") {
  static readonly layer = Layer.effect(
    ShardOverview,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const inventory = yield* Inventory
  const { name } = yield* SingleOwner
  const sql = yield* PgClient.PgClient
  const looks: Array<Look> = []

  const lookNow = Effect.map(Clock.currentTimeMillis, (atMillis): Look => ({
    atMillis,
    statuses: inventory.statuses(),
  }))
  yield* lookNow.pipe(
    Effect.map((look) => {
      looks.push(look)
      if (looks.length > looksMax) looks.shift()
    }),
    Effect.repeat(Schedule.spaced(lookIntervalMillis)),
    Effect.forkScoped,
  )

  const owners = sql<{
    readonly shard: Shard
    readonly owner: string | null
  }>`select shard, owner from shard_leases`.pipe(
    interruptibleAtOnce,
    Effect.timeout(ownersMaxMillis),
    Effect.map((rows) => new Map(rows.map(({ owner, shard }) => [shard, owner]))),
    Effect.orElseSucceed(() => new Map<Shard, string | null>()),
  )

  return ShardOverview.of({
    look: Effect.gen(function* () {
      const owned = yield* owners
      const now = yield* lookNow
      const before = looks[0] ?? now
      const rateSeconds = (now.atMillis - before.atMillis) / 1_000
      const rate = (count: number, countBefore: number | undefined): number =>
        rateSeconds <= 0 || countBefore === undefined ? 0 : Math.round(((count - countBefore) / rateSeconds) * 10) / 10
      const shards = now.statuses.map((status, index): ShardView => {
        const earlier = before.statuses[index]
        return {
          ...status,
          owner: owned.get(status.shard) ?? (status.lease === null ? null : name),
          batchesPerSecond: rate(status.batches, earlier?.batches),
          commandsPerSecond: rate(status.commands, earlier?.commands),
        }
      })
      return { shards, rateSeconds }
    }),
  })
})

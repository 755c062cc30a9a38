/**
 * How many shards a database has. Decided when it is created and never changed, since each product has its shard's
 * number written down.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { cannotStart } from "../platform/CannotStart.ts"

/** Makes the shards of a new database; stops where an existing one has another number of them. */
export const ensureShards = Effect.fn("ensureShards")(function* (shards: number) {
  const sql = yield* PgClient.PgClient
  yield* sql`insert into shard_leases (shard)
    select generate_series(0, ${shards}::integer - 1) where not exists (select from shard_leases)
    on conflict do nothing`
  const [row] = yield* sql<{ readonly shards: number }>`select count(*)::integer as shards from shard_leases`
  if (row?.shards !== shards) {
    return yield* cannotStart(
      `HEDONIFY_SHARDS is ${shards}, but this database was created with ${row?.shards ?? 0}: set HEDONIFY_SHARDS=${row?.shards ?? 0}.`,
    )
  }
})

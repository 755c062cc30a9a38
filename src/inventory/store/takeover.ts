/**
 * Taking shards over: the epoch is raised in a transaction of its own, once per acquisition, and state is loaded only
 * by statements after it.
 *
 * Must stay true: a paused writer that still holds a lease row cannot keep a takeover waiting for ever. Past
 * `takeoverLockMaxMillis` the backends that block the takeover are terminated; what they were doing was never
 * answered, and the epoch keeps it from being done later.
 */
import { PgTypes } from "@effect/sql-pg"
import { Effect, Fiber, Option } from "effect"
import { takeoverLockMaxMillis } from "../../domain/bounds.ts"
import type { Shard } from "../../domain/ids.ts"
import type { Lease } from "./ShardStore.ts"
import { statement } from "./sqlParameters.ts"
import type { WriterConnections } from "./writerConnections.ts"

interface LeaseRow extends Lease {
  readonly shard: Shard
}

/** How often the takeover looks for who blocks it, once its patience is over. */
const terminateIntervalMillis = 250
const terminateAttemptsMax = 40

export const acquireShards = Effect.fn("takeover.acquireShards")(function* (
  connections: WriterConnections["Service"],
  shards: ReadonlyArray<Shard>,
  owner: string,
) {
  const taker = yield* connections.open
  const watcher = yield* connections.open
  yield* taker.query("set lock_timeout = 0")
  yield* taker.query("set statement_timeout = 0")
  const { parameters, text } = statement(
    (places) => `with wanted as materialized (
  select shard from shard_leases where shard = any (${places.array(shards, PgTypes.OID.int2)}) order by shard for update
)
update shard_leases l set epoch = l.epoch + 1, owner = ${places.add(PgTypes.text(owner))}, acquired_at = clock_timestamp()
from wanted where l.shard = wanted.shard
returning l.shard, l.epoch::float8 as epoch, l.batch::float8 as batch`,
  )
  const taking = yield* Effect.forkChild(taker.query(text, parameters))
  const taken = Fiber.join(taking)
  let result = yield* Effect.timeoutOption(taken, takeoverLockMaxMillis)
  for (let attempt = 0; Option.isNone(result) && attempt < terminateAttemptsMax; attempt++) {
    const blockers = yield* watcher.query(
      "select pid, pg_terminate_backend(pid) from unnest(pg_blocking_pids($1)) as pid",
      [PgTypes.int4(taker.processId)],
    )
    yield* Effect.logWarning("Terminated the backends that blocked a takeover").pipe(
      Effect.annotateLogs({ backends: blockers.rows.length }),
    )
    result = yield* Effect.timeoutOption(taken, terminateIntervalMillis)
  }
  const { rows } = Option.isSome(result) ? result.value : yield* taken
  return (rows as ReadonlyArray<object> as ReadonlyArray<LeaseRow>).map(
    ({ batch, epoch, shard }) => [shard, { epoch, batch }] as const,
  )
}, Effect.scoped)

/**
 * Order among real PostgreSQL sessions without waiting for the clock: a third connection holds a lock, and whoever runs
 * into it is seen to wait before the test goes on.
 */
import { assert } from "@effect/vitest"
import { PgClient, PgConnection } from "@effect/sql-pg"
import { Effect } from "effect"
import { DatabaseAddress } from "../../src/platform/Database.ts"
import type { CallerId, OrderId, Shard } from "../../src/domain/ids.ts"
import type { ProductToSell } from "./StoreUnderTest.ts"

/** Looks at PostgreSQL so many times before a test gives up. */
const looksMax = 5_000

/** A transaction of a connection of its own that has run one statement and keeps its locks until `end`. */
export const openTransaction = Effect.fnUntraced(function* (statement: string) {
  const connection = yield* PgConnection.make(yield* DatabaseAddress)
  yield* connection.query("begin", [], false)
  yield* connection.query(statement, [], false)
  return { processId: connection.processId, end: Effect.orDie(connection.query("rollback", [], false)) }
})

export const lockLease = (shard: Shard) => openTransaction(`select from shard_leases where shard = ${shard} for update`)
export const lockCart = (caller: CallerId, strength: "update" | "key share") =>
  openTransaction(`select from carts where account_id = '${caller}' for ${strength}`)
export const lockStock = ({ productId }: ProductToSell) =>
  openTransaction(`select from stock where product_id = '${productId}' for update`)

/** Keeps an order from changing, while others may still refer to it. */
export const lockOrder = (orderId: OrderId) =>
  openTransaction(`select from orders where id = '${orderId}' for no key update`)
export const lockHolds = ({ productId }: ProductToSell) =>
  openTransaction(`select from holds where product_id = '${productId}' for update`)

const waiting = Effect.fnUntraced(function* (count: number, areWriters: boolean) {
  const sql = yield* PgClient.PgClient
  for (let look = 0; look < looksMax; look++) {
    const found = yield* sql<{ pid: number }>`select pid from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'
        and (application_name = 'hedonify writer') = ${areWriters}::boolean`
    if (found.length === count) return found.map((row) => row.pid)
  }
  return assert.fail(`there never were ${count} waiting`)
})
/** The writers' backends that wait for a lock, as soon as there are this many. */
export const waitingWriters = (count: number) => waiting(count, true)
/** The same of everybody else. */
export const waitingOthers = (count: number) => waiting(count, false)

/** Comes back once the order's time is over by PostgreSQL's clock. */
export const untilOver = Effect.fnUntraced(function* (orderId: OrderId) {
  const sql = yield* PgClient.PgClient
  yield* untilFound(sql`select from orders where id = ${orderId}::uuid and expires_at <= clock_timestamp()`)
})

/** The same of a hold of this product. */
export const untilHoldsAreOver = Effect.fnUntraced(function* ({ productId }: ProductToSell) {
  const sql = yield* PgClient.PgClient
  yield* untilFound(sql`select from holds where product_id = ${productId}::uuid and expires_at <= clock_timestamp()`)
})

const untilFound = Effect.fnUntraced(function* <E>(found: Effect.Effect<ReadonlyArray<unknown>, E>) {
  for (let look = 0; look < looksMax; look++) {
    if ((yield* found).length > 0) return
  }
  return assert.fail("its time was never over")
})

export const terminate = Effect.fnUntraced(function* (pids: ReadonlyArray<number>) {
  const sql = yield* PgClient.PgClient
  for (const pid of pids) yield* sql`select pg_terminate_backend(${pid}, 5000)`
})

/** The backends of all writers of this database. */
export const writers = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const rows = yield* sql<{ pid: number }>`select pid from pg_stat_activity
    where datname = current_database() and application_name = 'hedonify writer'`
  return rows.map((row) => row.pid)
})

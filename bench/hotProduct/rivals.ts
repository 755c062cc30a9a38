/**
 * What a team would write without Hedonify: one transaction an order, many at a time. Each writes the same rows (order
 * with its key, line, stock, event) with the same durability, on connections with the same settings and statements
 * prepared once. The conditional update is at its best here: one statement, one round trip, its own transaction.
 */
import { type PgConnection, PgTypes } from "@effect/sql-pg"
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { Reserve } from "../../src/domain/commands.ts"
import type { ProductId } from "../../src/domain/ids.ts"
import { reserve } from "../../test/inventory/fixtures.ts"
import { type Strategy, timed } from "./strategy.ts"

const unitPrice = 1000

/** Where the rivals write their event, one row an order. */
export const makeEventTable = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* sql`create table order_events (
    id bigint generated always as identity primary key,
    order_id uuid not null,
    type text not null,
    created_at timestamptz not null default clock_timestamp()
  )`
})

const placed = (source: string): string => `placed as (
  insert into orders (id, caller, key, fingerprint, home_shard, total, currency, created_at, expires_at)
  select $1, $2, $3, $4, 0, $6, 'EUR', clock_timestamp(), clock_timestamp() + interval '15 minutes' ${source}
  returning id
), line as (
  insert into order_lines (order_id, product_id, quantity, unit_price) select id, $5, 1, $6 from placed
), event as (
  insert into order_events (order_id, type) select id, 'order.reserved' from placed
)`

const parametersOf = (command: Reserve, productId: ProductId): ReadonlyArray<PgTypes.Parameter> => [
  PgTypes.uuid(command.orderId),
  PgTypes.uuid(command.caller),
  PgTypes.text(command.key),
  PgTypes.bytea(Buffer.from(command.fingerprint, "hex")),
  PgTypes.uuid(productId),
  PgTypes.int8(BigInt(unitPrice)),
]

type Place = (
  connection: PgConnection.PgConnection,
  command: Reserve,
  productId: ProductId,
) => Effect.Effect<boolean, SqlError.SqlError>

const conditionalStatement = `with taken as (
  update stock set available = available - 1 where product_id = $5 and available >= 1 returning product_id
), ${placed("from taken")}
select id from placed`

/** `UPDATE … WHERE available >= n RETURNING`, and the rows for whoever got a unit. */
export const conditionalUpdate: Place = (connection, command, productId) =>
  Effect.map(connection.query(conditionalStatement, parametersOf(command, productId)), ({ rows }) => rows.length === 1)

const lockStatement = "select available from stock where product_id = $1 for update"
const writeStatement = `with ${placed("")}
update stock set available = available - 1 where product_id = $5`

/** `SELECT … FOR UPDATE`, decide, write, commit. */
export const rowLock: Place = Effect.fnUntraced(function* (connection, command, productId) {
  yield* connection.query("begin")
  const { rows } = yield* connection.query(lockStatement, [PgTypes.uuid(productId)])
  const available = rows[0]?.["available"]
  if (typeof available !== "number" || available < 1) {
    yield* connection.query("rollback")
    return false
  }
  yield* connection.query(writeStatement, parametersOf(command, productId))
  yield* connection.query("commit")
  return true
})

/** One worker a connection, each with its next order as soon as the last is placed. */
export const makeRival = (
  name: string,
  place: Place,
  productId: ProductId,
  connections: ReadonlyArray<PgConnection.PgConnection>,
): Strategy => ({
  name: `${name}, ${connections.length} connections`,
  productId,
  round: Effect.fnUntraced(function* (orders: number) {
    const commands = Array.from({ length: orders }, () => reserve([[productId, 1]]))
    let next = 0
    const worker = Effect.fnUntraced(function* (connection: PgConnection.PgConnection) {
      while (true) {
        const command = commands[next++]
        if (command === undefined) return
        if (!(yield* place(connection, command, productId))) return yield* Effect.die(`${name} sold out`)
      }
    })
    const all = Effect.forEach(connections, worker, { concurrency: "unbounded", discard: true })
    return { orders, seconds: yield* timed(Effect.orDie(all)), batchSize: 1 }
  }),
})

/**
 * The one statement of a batch: text and parameters. Its parts are there only where the batch needs them, so the same
 * kind of batch is always the same text, and PostgreSQL plans it once a connection.
 *
 * Must stay true, each rule having broken the books in another form: the lease row is locked first and every other
 * part depends on it; hold rows are locked before keys, keys are inserted sorted by caller and key, stock comes last;
 * stock moves only for rows really inserted or deleted, by relative amounts; a hold's lines are taken from the locked
 * rows; nothing an order needs is deleted before that order is inserted. Only the extension of holds comes last: it
 * never waits, and what it misses is told.
 *
 * Tried and lost: `FOR SHARE` on the lease (a late first attempt came in after "nothing happened"); holds deleted
 * before their orders were inserted (units lost); text and jsonb parameters (binary arrays are 15 to 25 % faster).
 */
import { PgTypes } from "@effect/sql-pg"
import { keyName } from "../domain/commands.ts"
import type { BatchWrite, HoldExtension, LineWrite, OrderWrite } from "../domain/batch.ts"
import { SqlParameters, type Statement, statement } from "./sqlParameters.ts"

/**
 * No row: not applied. One row: `at` in milliseconds since the epoch; `placed`, `moved`: ids really inserted, null
 * where all were; `extended`: positions of extensions, once a row; and what stock and units became.
 */
export const commitStatement = (write: BatchWrite): Statement => {
  const parameters = new SqlParameters()
  const parts = [lease(parameters, write)]
  const changes: Array<string> = []
  const unitChanges: Array<string> = []
  const isConditional = mayLeaveOrdersOut(write)

  if (write.extensions.length > 0) parts.push(...extensions(parameters, write.extensions))
  if (write.releases.length > 0) {
    parts.push(...releases(parameters, write))
    changes.push("select product_id, quantity as available, 0 as stocked from released")
    unitChanges.push("select product_id, customer, -quantity as units from released")
  }
  if (write.orders.length > 0) {
    parts.push(...orders(parameters, write, isConditional))
    changes.push("select product_id, -quantity as available, 0 as stocked from sold")
    const limited = limitedLines(write.orders)
    if (limited.length > 0) unitChanges.push(limitedByOrders(parameters, limited, isConditional))
  }
  if (write.holds.length > 0) {
    parts.push(holds(parameters, write))
    changes.push("select product_id, -quantity as available, 0 as stocked from held")
    const limited = limitedLines(write.holds)
    if (limited.length > 0) unitChanges.push(limitedByHolds(parameters, limited))
  }
  if (write.returns.length > 0) {
    parts.push(returns(parameters, write))
    changes.push("select product_id, quantity as available, 0 as stocked from returned")
    unitChanges.push("select product_id, customer, -quantity as units from returned")
  }
  if (write.movements.length > 0) {
    parts.push(movements(parameters, write))
    changes.push("select product_id, delta as available, delta as stocked from moved")
  }
  if (changes.length > 0) parts.push(...stock(changes))
  if (unitChanges.length > 0) parts.push(...units(unitChanges))
  parts.push(log(parameters, write, isConditional))

  const or = (isThere: boolean, select: string): string => (isThere ? `(${select})` : "null")
  const text = `with ${parts.join(",\n")}
select (extract(epoch from lease.at) * 1000)::float8 as at,
  ${or(isConditional && write.orders.length > 0, "select array_agg(id) from placed")} as placed,
  ${or(write.form === "guarded" && write.movements.length > 0, "select array_agg(id) from moved")} as moved,
  ${or(write.extensions.length > 0, "select array_agg(position) from extended")} as extended,
  ${changes.length > 0 ? "levels.product_ids, levels.stocked, levels.available" : "null as product_ids, null as stocked, null as available"},
  ${unitChanges.length > 0 ? "counts.limited_ids, counts.customers, counts.units" : "null as limited_ids, null as customers, null as units"}
from lease
${changes.length > 0 ? "cross join (select array_agg(product_id) as product_ids, array_agg(stocked) as stocked, array_agg(available) as available from changed) as levels" : ""}
${unitChanges.length > 0 ? "cross join (select array_agg(product_id) as limited_ids, array_agg(customer) as customers, array_agg(units) as units from (select * from raised union all select * from lowered) as moved_units) as counts" : ""}`
  return { text, parameters: parameters.all }
}

/** Uses a number up for nothing. One row if it was still free, none otherwise. */
export const voidStatement = (write: Pick<BatchWrite, "shard" | "epoch" | "batch">): Statement =>
  statement(
    (parameters) => `with ${lease(parameters, write)},
logged as (
  insert into batches (shard, batch, epoch, committed_at, voided)
  select lease.shard, lease.batch, lease.epoch, lease.at, true from lease
)
select true as voided from lease`,
  )

/** Whether an order of this batch may be left out, so that everything about it depends on its insertion. */
export const mayLeaveOrdersOut = (write: BatchWrite): boolean =>
  write.form === "guarded" || write.orders.some((order) => order.command.held.length > 0)

const lease = (parameters: SqlParameters, write: Pick<BatchWrite, "shard" | "epoch" | "batch">): string => {
  const batch = parameters.add(PgTypes.int8(BigInt(write.batch)))
  const shard = parameters.add(PgTypes.int2(write.shard))
  const epoch = parameters.add(PgTypes.int8(BigInt(write.epoch)))
  return `lease as (
  update shard_leases set batch = ${batch} where shard = ${shard} and epoch = ${epoch} and batch = ${batch} - 1
  returning shard, epoch, batch, date_trunc('milliseconds', clock_timestamp()) as at
)`
}

const holdKey = "shard, caller, key, fingerprint, product_id"
const sameHold = (left: string, right: string): string =>
  holdKey
    .split(", ")
    .map((column) => `${left}.${column} = ${right}.${column}`)
    .join(" and ")

/** An earlier attempt's rows are taken over, unless they belong to a later one or are being consumed right now. */
const extensions = (parameters: SqlParameters, wanted: ReadonlyArray<HoldExtension>): ReadonlyArray<string> => {
  const rows = wanted.flatMap(({ command, productIds }, position) =>
    productIds.map((productId) => ({ command, productId, position })),
  )
  return [
    `extendable as materialized (
  select h.shard, h.caller, h.key, h.fingerprint, h.product_id, w.position, w.attempt, lease.at + w.ttl * interval '1 millisecond' as expires_at
  from lease
  cross join unnest(${parameters.integers(rows.map((row) => row.position))}, ${parameters.uuids(rows.map((row) => row.command.caller))},
    ${parameters.texts(rows.map((row) => row.command.key))}, ${parameters.fingerprints(rows.map((row) => row.command.fingerprint))},
    ${parameters.uuids(rows.map((row) => row.productId))}, ${parameters.uuids(rows.map((row) => row.command.attempt))},
    ${parameters.doubles(rows.map((row) => row.command.holdTtlMillis))}) as w (position, caller, key, fingerprint, product_id, attempt, ttl)
  join holds h on h.shard = lease.shard and h.caller = w.caller and h.key = w.key and h.fingerprint = w.fingerprint and h.product_id = w.product_id
  where h.attempt <= w.attempt
  for update of h skip locked
)`,
    `extended as (
  update holds h set attempt = x.attempt, expires_at = x.expires_at from extendable x where ${sameHold("h", "x")}
  returning x.position
)`,
  ]
}

const releases = (parameters: SqlParameters, { releases: wanted }: BatchWrite): ReadonlyArray<string> => [
  `releasable as materialized (
  select h.shard, h.caller, h.key, h.fingerprint, h.product_id
  from lease
  cross join unnest(${parameters.uuids(wanted.map((release) => release.caller))}, ${parameters.texts(wanted.map((release) => release.key))},
    ${parameters.fingerprints(wanted.map((release) => release.fingerprint))}, ${parameters.uuids(wanted.map((release) => release.attempt))},
    ${parameters.booleans(wanted.map((release) => release.onlyExpired))}) as w (caller, key, fingerprint, attempt, only_expired)
  join holds h on h.shard = lease.shard and h.caller = w.caller and h.key = w.key and h.fingerprint = w.fingerprint
  where h.attempt = w.attempt and (not w.only_expired or h.expires_at <= lease.at)
  for update of h skip locked
)`,
  `released as (
  delete from holds h using releasable r where ${sameHold("h", "r")}
  returning h.product_id, h.customer, h.quantity
)`,
]

const byKey = (left: OrderWrite, right: OrderWrite): number => (keyName(left.command) < keyName(right.command) ? -1 : 1)

/**
 * Orders, their lines, and the holds they consume. Sorted here, not in SQL: one lease row times an unnested array
 * keeps the array's order, and so keys are inserted by caller and key.
 */
const orders = (parameters: SqlParameters, write: BatchWrite, isConditional: boolean): ReadonlyArray<string> => {
  const wanted = write.orders.toSorted(byKey)
  const commands = wanted.map((order) => order.command)
  const lines = wanted.flatMap((order) => order.lines.map((line) => ({ orderId: order.command.orderId, line })))
  const consumed = commands.flatMap((command) =>
    command.held.flatMap((part) => part.lines.map((line) => ({ command, part, line }))),
  )
  const heldRows = commands.map((command) => command.held.reduce((sum, part) => sum + part.lines.length, 0))
  const parts: Array<string> = []
  if (consumed.length > 0) {
    parts.push(`consumable as materialized (
  select h.shard, h.caller, h.key, h.fingerprint, h.product_id, h.quantity, h.unit_price, w.order_id
  from lease
  cross join unnest(${parameters.uuids(consumed.map((row) => row.command.orderId))}, ${parameters.integers(consumed.map((row) => row.part.shard))},
    ${parameters.uuids(consumed.map((row) => row.command.caller))}, ${parameters.texts(consumed.map((row) => row.command.key))},
    ${parameters.fingerprints(consumed.map((row) => row.command.fingerprint))}, ${parameters.uuids(consumed.map((row) => row.line.productId))},
    ${parameters.uuids(consumed.map((row) => row.part.attempt))}, ${parameters.integers(consumed.map((row) => row.line.quantity))},
    ${parameters.integers(consumed.map((row) => row.line.unitPrice))}) as w (order_id, shard, caller, key, fingerprint, product_id, attempt, quantity, unit_price)
  join holds h on h.shard = w.shard and h.caller = w.caller and h.key = w.key and h.fingerprint = w.fingerprint and h.product_id = w.product_id
  where h.attempt = w.attempt and h.quantity = w.quantity and h.unit_price = w.unit_price and h.expires_at > lease.at
  for update of h skip locked
)`)
  }
  parts.push(`placed as (
  insert into orders (id, caller, key, fingerprint, customer_ref, home_shard, total, currency, created_at, expires_at)
  select w.id, w.caller, w.key, w.fingerprint, w.customer_ref, lease.shard, w.total::bigint, w.currency, lease.at, lease.at + w.ttl * interval '1 millisecond'
  from lease
  cross join unnest(${parameters.uuids(commands.map((command) => command.orderId))}, ${parameters.uuids(commands.map((command) => command.caller))},
    ${parameters.texts(commands.map((command) => command.key))}, ${parameters.fingerprints(commands.map((command) => command.fingerprint))},
    ${parameters.texts(commands.map((command) => command.customerRef))}, ${parameters.doubles(wanted.map((order) => order.total))},
    ${parameters.texts(wanted.map((order) => order.currency))}, ${parameters.doubles(commands.map((command) => command.reservationTtlMillis))}${
      consumed.length > 0 ? `, ${parameters.integers(heldRows)}` : ""
    }) as w (id, caller, key, fingerprint, customer_ref, total, currency, ttl${consumed.length > 0 ? ", held_rows" : ""})
  ${consumed.length > 0 ? "where w.held_rows = (select count(*) from consumable c where c.order_id = w.id)" : ""}
  ${write.form === "guarded" ? "on conflict (caller, key) do nothing" : ""}
  returning id
)`)
  if (consumed.length > 0) {
    parts.push(
      `consumed as (
  delete from holds h using consumable c, placed where placed.id = c.order_id and ${sameHold("h", "c")}
  returning c.order_id, c.product_id, c.quantity, c.unit_price
)`,
      `sold_from_holds as (
  insert into order_lines (order_id, product_id, quantity, unit_price)
  select order_id, product_id, quantity, unit_price from consumed
)`,
    )
  }
  parts.push(`sold as (
  insert into order_lines (order_id, product_id, quantity, unit_price)
  select w.order_id, w.product_id, w.quantity, w.unit_price
  from lease
  cross join unnest(${parameters.uuids(lines.map((row) => row.orderId))}, ${parameters.uuids(lines.map((row) => row.line.productId))},
    ${parameters.integers(lines.map((row) => row.line.quantity))}, ${parameters.integers(lines.map((row) => row.line.unitPrice))}) as w (order_id, product_id, quantity, unit_price)
  ${isConditional ? "join placed on placed.id = w.order_id" : ""}
  returning product_id, quantity
)`)
  return parts
}

interface LimitedLine {
  readonly command: { readonly customer: string; readonly orderId?: string }
  readonly line: LineWrite
}

const limitedLines = (
  writes: ReadonlyArray<{ readonly command: LimitedLine["command"]; readonly lines: ReadonlyArray<LineWrite> }>,
): ReadonlyArray<LimitedLine> =>
  writes.flatMap(({ command, lines }) => lines.flatMap((line) => (line.limited ? [{ command, line }] : [])))

const limitedByOrders = (parameters: SqlParameters, rows: ReadonlyArray<LimitedLine>, isConditional: boolean): string =>
  `select w.product_id, w.customer, w.units from lease
  cross join unnest(${parameters.uuids(rows.map((row) => row.command.orderId ?? ""))}, ${parameters.uuids(rows.map((row) => row.line.productId))},
    ${parameters.texts(rows.map((row) => row.command.customer))}, ${parameters.integers(rows.map((row) => row.line.quantity))}) as w (order_id, product_id, customer, units)
  ${isConditional ? "join placed on placed.id = w.order_id" : ""}`

const limitedByHolds = (parameters: SqlParameters, rows: ReadonlyArray<LimitedLine>): string =>
  `select w.product_id, w.customer, w.units from lease
  cross join unnest(${parameters.uuids(rows.map((row) => row.line.productId))}, ${parameters.texts(rows.map((row) => row.command.customer))},
    ${parameters.integers(rows.map((row) => row.line.quantity))}) as w (product_id, customer, units)`

const holds = (parameters: SqlParameters, { holds: wanted }: BatchWrite): string => {
  const rows = wanted.flatMap(({ command, currency, lines }) => lines.map((line) => ({ command, currency, line })))
  return `held as (
  insert into holds (shard, caller, key, fingerprint, product_id, attempt, customer, quantity, unit_price, currency, expires_at)
  select lease.shard, w.caller, w.key, w.fingerprint, w.product_id, w.attempt, w.customer, w.quantity, w.unit_price, w.currency, lease.at + w.ttl * interval '1 millisecond'
  from lease
  cross join unnest(${parameters.uuids(rows.map((row) => row.command.caller))}, ${parameters.texts(rows.map((row) => row.command.key))},
    ${parameters.fingerprints(rows.map((row) => row.command.fingerprint))}, ${parameters.uuids(rows.map((row) => row.line.productId))},
    ${parameters.uuids(rows.map((row) => row.command.attempt))}, ${parameters.texts(rows.map((row) => row.command.customer))},
    ${parameters.integers(rows.map((row) => row.line.quantity))}, ${parameters.integers(rows.map((row) => row.line.unitPrice))},
    ${parameters.texts(rows.map((row) => row.currency))}, ${parameters.doubles(rows.map((row) => row.command.holdTtlMillis))})
    as w (caller, key, fingerprint, product_id, attempt, customer, quantity, unit_price, currency, ttl)
  returning product_id, quantity
)`
}

const returns = (parameters: SqlParameters, { returns: wanted }: BatchWrite): string => `returned as (
  delete from pending_returns r using lease
  where r.shard = lease.shard and r.id = any (${parameters.uuids(wanted.map((command) => command.returnId))})
  returning r.product_id, r.customer, r.quantity
)`

const movements = (parameters: SqlParameters, { form, movements: wanted }: BatchWrite): string => `moved as (
  insert into stock_movements (id, product_id, caller, key, fingerprint, kind, delta, reason, created_at)
  select w.id, w.product_id, w.caller, w.key, w.fingerprint, w.kind, w.delta, w.reason, lease.at
  from lease
  cross join unnest(${parameters.uuids(wanted.map((command) => command.movementId))}, ${parameters.uuids(wanted.map((command) => command.productId))},
    ${parameters.uuids(wanted.map((command) => command.caller))}, ${parameters.texts(wanted.map((command) => command.key))},
    ${parameters.fingerprints(wanted.map((command) => command.fingerprint))}, ${parameters.texts(wanted.map((command) => command.kind))},
    ${parameters.integers(wanted.map((command) => command.delta))}, ${parameters.texts(wanted.map((command) => command.reason))})
    as w (id, product_id, caller, key, fingerprint, kind, delta, reason)
  ${form === "guarded" ? "on conflict (caller, key) do nothing" : ""}
  returning id, product_id, delta
)`

const stock = (changes: ReadonlyArray<string>): ReadonlyArray<string> => [
  `change as materialized (
  select product_id, sum(available)::integer as available, sum(stocked)::integer as stocked
  from (${changes.join("\n  union all ")}) as single group by product_id
)`,
  `changed as (
  update stock s set available = s.available + c.available, stocked = s.stocked + c.stocked
  from change c where s.product_id = c.product_id
  returning s.product_id, s.stocked, s.available
)`,
]

/** Raised and lowered apart, since a negative row fails its CHECK before ON CONFLICT would turn it into an update. */
const units = (changes: ReadonlyArray<string>): ReadonlyArray<string> => [
  `unit_change as materialized (
  select product_id, customer, sum(units)::integer as units
  from (${changes.join("\n  union all ")}) as single group by product_id, customer
)`,
  `raised as (
  insert into customer_units as u (product_id, customer, units)
  select product_id, customer, units from unit_change where units > 0
  on conflict (product_id, customer) do update set units = u.units + excluded.units
  returning u.product_id, u.customer, u.units
)`,
  `lowered as (
  update customer_units u set units = u.units + c.units
  from unit_change c where c.units < 0 and u.product_id = c.product_id and u.customer = c.customer
  returning u.product_id, u.customer, u.units
)`,
]

const log = (parameters: SqlParameters, write: BatchWrite, isConditional: boolean): string => {
  const events = isConditional ? eventsInserted(write) : `${parameters.add(PgTypes.json(eventsPlanned(write)))}::json`
  return `logged as (
  insert into batches (shard, batch, epoch, committed_at, events)
  select lease.shard, lease.batch, lease.epoch, lease.at, ${events} from lease
)`
}

const eventsPlanned = (write: BatchWrite): ReadonlyArray<object> => [
  ...write.orders.map(({ command }) => ({ type: "order.reserved", orderId: command.orderId })),
  ...write.movements.map(({ movementId }) => ({ type: "stock.moved", movementId })),
]

const eventsInserted = (write: BatchWrite): string => {
  const sources: Array<string> = []
  if (write.orders.length > 0)
    sources.push("select json_build_object('type', 'order.reserved', 'orderId', id) as event from placed")
  if (write.movements.length > 0)
    sources.push("select json_build_object('type', 'stock.moved', 'movementId', id) as event from moved")
  if (sources.length === 0) return "'[]'::json"
  return `coalesce((select json_agg(event) from (${sources.join(" union all ")}) as happened), '[]'::json)`
}

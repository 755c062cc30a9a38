/**
 * The one statement of a batch: text and parameters. Its parts are there only where the batch needs them, so the same
 * kind of batch is always the same text, and PostgreSQL plans it once a connection.
 *
 * Must stay true, each rule having broken the books in another form: the lease row is locked first and every other
 * part depends on it; hold rows and carts are locked before keys, keys are inserted sorted by caller and key, stock
 * comes last; stock moves only for rows really inserted, deleted or ended, by relative amounts; a hold's lines are taken
 * from the locked rows; nothing an order needs is deleted before that order is inserted. Only the extension of holds
 * comes last: it never waits, and what it misses is told.
 *
 * Tried and lost: `FOR SHARE` on the lease (a late first attempt came in after "nothing happened"); holds deleted
 * before their orders were inserted (units lost); text and jsonb parameters (binary arrays are 15 to 25 % faster).
 */
import { PgTypes } from "@effect/sql-pg"
import { keyName } from "../domain/commands.ts"
import type { AmendmentWrite, BatchWrite, EndingWrite, HoldExtension, LineWrite, OrderWrite } from "../domain/batch.ts"
import { SqlParameters, type Statement, statement } from "./sqlParameters.ts"

/**
 * No row: not applied. One row: `at` in milliseconds since the epoch; `placed`, `moved`: ids really inserted, null
 * where all were; `extended`: positions of extensions, once a row; `carted`, `ended`, `amended`: orders whose cart was
 * as they knew it, orders that ended, products that were edited; and what stock and units became.
 */
export const commitStatement = (write: BatchWrite): Statement => {
  const parameters = new SqlParameters()
  const parts = [lease(parameters, write)]
  const changes: Array<string> = []
  const unitChanges: Array<string> = []
  const isConditional = mayLeaveOrdersOut(write)
  const sellsCarts = write.orders.some(hasCart)

  if (write.extensions.length > 0) parts.push(...extensions(parameters, write.extensions))
  if (write.releases.length > 0) {
    parts.push(...releases(parameters, write))
    changes.push("select product_id, quantity as available, 0 as stocked from released")
    unitChanges.push("select product_id, customer, -quantity as units, null::integer as before from released")
  }
  if (write.orders.length > 0) {
    parts.push(...orders(parameters, write, isConditional))
    changes.push("select product_id, -quantity as available, 0 as stocked from sold")
    const counted = countedLines(write.orders)
    if (counted.length > 0) unitChanges.push(countedByOrders(parameters, counted, isConditional))
  }
  if (write.holds.length > 0) {
    parts.push(holds(parameters, write))
    changes.push("select product_id, -quantity as available, 0 as stocked from held")
    const counted = countedLines(write.holds)
    if (counted.length > 0) unitChanges.push(countedByHolds(parameters, counted))
  }
  if (write.endings.length > 0) {
    parts.push(...endings(parameters, write.endings))
    changes.push("select product_id, quantity as available, 0 as stocked from given_back where is_home")
    unitChanges.push("select product_id, customer, -quantity as units, null::integer as before from given_back where is_home")
  }
  if (write.returns.length > 0) {
    parts.push(returns(parameters, write))
    changes.push("select product_id, quantity as available, 0 as stocked from returned")
    unitChanges.push("select product_id, customer, -quantity as units, null::integer as before from returned")
  }
  if (write.movements.length > 0) {
    parts.push(movements(parameters, write))
    changes.push("select product_id, delta as available, delta as stocked from moved")
  }
  if (write.amendments.length > 0) parts.push(amendments(parameters, write.amendments))
  if (changes.length > 0) parts.push(...stock(changes))
  if (unitChanges.length > 0) parts.push(...units(unitChanges))
  parts.push(log(parameters, write, isConditional))

  const or = (isThere: boolean, select: string): string => (isThere ? `(${select})` : "null")
  const text = `with ${parts.join(",\n")}
select (extract(epoch from lease.at) * 1000)::float8 as at,
  ${or(isConditional && write.orders.length > 0, "select array_agg(id) from placed")} as placed,
  ${or(sellsCarts, "select array_agg(order_id) from cart")} as carted,
  ${or(write.form === "guarded" && write.movements.length > 0, "select array_agg(id) from moved")} as moved,
  ${or(write.extensions.length > 0, "select array_agg(position) from extended")} as extended,
  ${or(write.endings.length > 0, "select array_agg(id) from ended")} as ended,
  ${or(write.amendments.length > 0, "select array_agg(id) from amended")} as amended,
  ${changes.length > 0 ? "levels.product_ids, levels.stocked, levels.available" : "null as product_ids, null as stocked, null as available"},
  ${unitChanges.length > 0 ? "counts.counted_ids, counts.customers, counts.units" : "null as counted_ids, null as customers, null as units"}
from lease
${changes.length > 0 ? "cross join (select array_agg(product_id) as product_ids, array_agg(stocked) as stocked, array_agg(available) as available from changed) as levels" : ""}
${unitChanges.length > 0 ? "cross join (select array_agg(product_id) as counted_ids, array_agg(customer) as customers, array_agg(units) as units from units_now) as counts" : ""}`
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
  write.form === "guarded" || write.orders.some((order) => order.command.held.length > 0 || hasCart(order))

const hasCart = (order: OrderWrite): boolean => order.command.cartVersion !== null

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
    ${parameters.fingerprints(consumed.map((row) => row.part.fingerprint))}, ${parameters.uuids(consumed.map((row) => row.line.productId))},
    ${parameters.uuids(consumed.map((row) => row.part.attempt))}, ${parameters.integers(consumed.map((row) => row.line.quantity))},
    ${parameters.integers(consumed.map((row) => row.line.unitPrice))}) as w (order_id, shard, caller, key, fingerprint, product_id, attempt, quantity, unit_price)
  join holds h on h.shard = w.shard and h.caller = w.caller and h.key = w.key and h.fingerprint = w.fingerprint and h.product_id = w.product_id
  where h.attempt = w.attempt and h.quantity = w.quantity and h.unit_price = w.unit_price and h.expires_at > lease.at
  for update of h skip locked
)`)
  }
  const checkouts = commands.filter((command) => command.cartVersion !== null)
  if (checkouts.length > 0) {
    parts.push(`cart as materialized (
  select c.account_id, w.order_id
  from lease
  cross join unnest(${parameters.uuids(checkouts.map((command) => command.orderId))}, ${parameters.uuids(checkouts.map((command) => command.caller))},
    ${parameters.doubles(checkouts.map((command) => command.cartVersion ?? 0))}) as w (order_id, account_id, version)
  join carts c on c.account_id = w.account_id
  where c.version = w.version::bigint
  for update of c skip locked
)`)
  }
  const conditions = [
    ...(consumed.length > 0 ? ["w.held_rows = (select count(*) from consumable c where c.order_id = w.id)"] : []),
    ...(checkouts.length > 0 ? ["(not w.has_cart or exists (select from cart where cart.order_id = w.id))"] : []),
  ]
  const extras = [
    ...(consumed.length > 0 ? [{ name: "held_rows", values: parameters.integers(heldRows) }] : []),
    ...(checkouts.length > 0
      ? [{ name: "has_cart", values: parameters.booleans(commands.map((command) => command.cartVersion !== null)) }]
      : []),
  ]
  parts.push(`placed as (
  insert into orders (id, caller, key, fingerprint, customer_ref, home_shard, total, currency, created_at, expires_at)
  select w.id, w.caller, w.key, w.fingerprint, w.customer_ref, lease.shard, w.total::bigint, w.currency, lease.at, lease.at + w.ttl * interval '1 millisecond'
  from lease
  cross join unnest(${parameters.uuids(commands.map((command) => command.orderId))}, ${parameters.uuids(commands.map((command) => command.caller))},
    ${parameters.texts(commands.map((command) => command.key))}, ${parameters.fingerprints(commands.map((command) => command.fingerprint))},
    ${parameters.texts(commands.map((command) => command.customerRef))}, ${parameters.doubles(wanted.map((order) => order.total))},
    ${parameters.texts(wanted.map((order) => order.currency))}, ${parameters.doubles(commands.map((command) => command.reservationTtlMillis))}${extras.map((extra) => `, ${extra.values}`).join("")})
    as w (id, caller, key, fingerprint, customer_ref, total, currency, ttl${extras.map((extra) => `, ${extra.name}`).join("")})
  ${conditions.length > 0 ? `where ${conditions.join(" and ")}` : ""}
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
  if (checkouts.length > 0) {
    parts.push(
      `emptied as (
  delete from cart_lines l using cart, placed where placed.id = cart.order_id and l.account_id = cart.account_id
)`,
      `checked_out as (
  update carts c set version = c.version + 1, updated_at = lease.at
  from lease, cart, placed where placed.id = cart.order_id and c.account_id = cart.account_id
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

interface CountedLine {
  readonly command: { readonly customer: string; readonly orderId?: string }
  readonly line: LineWrite
  readonly unitsBefore: number
}

const countedLines = (
  writes: ReadonlyArray<{ readonly command: CountedLine["command"]; readonly lines: ReadonlyArray<LineWrite> }>,
): ReadonlyArray<CountedLine> =>
  writes.flatMap(({ command, lines }) =>
    lines.flatMap((line) => (line.unitsBefore === null ? [] : [{ command, line, unitsBefore: line.unitsBefore }])),
  )

const countedByOrders = (parameters: SqlParameters, rows: ReadonlyArray<CountedLine>, isConditional: boolean): string =>
  `select w.product_id, w.customer, w.units, w.before from lease
  cross join unnest(${parameters.uuids(rows.map((row) => row.command.orderId ?? ""))}, ${parameters.uuids(rows.map((row) => row.line.productId))},
    ${parameters.texts(rows.map((row) => row.command.customer))}, ${parameters.integers(rows.map((row) => row.line.quantity))},
    ${parameters.integers(rows.map((row) => row.unitsBefore))}) as w (order_id, product_id, customer, units, before)
  ${isConditional ? "join placed on placed.id = w.order_id" : ""}`

const countedByHolds = (parameters: SqlParameters, rows: ReadonlyArray<CountedLine>): string =>
  `select w.product_id, w.customer, w.units, w.before from lease
  cross join unnest(${parameters.uuids(rows.map((row) => row.line.productId))}, ${parameters.texts(rows.map((row) => row.command.customer))},
    ${parameters.integers(rows.map((row) => row.line.quantity))}, ${parameters.integers(rows.map((row) => row.unitsBefore))})
    as w (product_id, customer, units, before)`

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

/**
 * A count that is there moves; one that is not begins, where units were taken, from what its customer had before. Two
 * statements, since a row that starts from elsewhere than it moves by is nothing that ON CONFLICT can say.
 */
const units = (changes: ReadonlyArray<string>): ReadonlyArray<string> => [
  `unit_change as materialized (
  select product_id, customer, sum(units)::integer as units, max(before) as before
  from (${changes.join("\n  union all ")}) as single group by product_id, customer
)`,
  `counted as (
  update customer_units u set units = u.units + c.units
  from unit_change c where u.product_id = c.product_id and u.customer = c.customer
  returning u.product_id, u.customer, u.units
)`,
  `begun as (
  insert into customer_units (product_id, customer, units)
  select c.product_id, c.customer, c.before + c.units from unit_change c
  where c.units > 0 and c.before is not null
    and (select true from customer_units u where u.product_id = c.product_id and u.customer = c.customer) is null
  returning product_id, customer, units
)`,
  `units_now as (
  select c.product_id, c.customer, coalesce(counted.units, begun.units) as units from unit_change c
  left join counted on counted.product_id = c.product_id and counted.customer = c.customer
  left join begun on begun.product_id = c.product_id and begun.customer = c.customer
)`,
]

/**
 * Reservations that end, and what they held: units of this shard at once, units of others by a return that the other
 * shard applies. An order is cancelled while its time runs and expires when it is over, by PostgreSQL's clock under the
 * lease, and only with all of its lines.
 */
const endings = (parameters: SqlParameters, wanted: ReadonlyArray<EndingWrite>): ReadonlyArray<string> => {
  const rows = wanted.flatMap(({ lines, orderId }) => lines.map((line) => ({ orderId, line })))
  return [
    `ended as (
  update orders o set status = w.status
  from lease
  cross join unnest(${parameters.uuids(wanted.map((ending) => ending.orderId))}, ${parameters.texts(wanted.map((ending) => ending.status))},
    ${parameters.integers(wanted.map((ending) => ending.lines.length))}) as w (id, status, lines)
  where o.id = w.id and o.home_shard = lease.shard and o.status = 'reserved'
    and (w.status = 'expired') = (o.expires_at <= lease.at)
    and w.lines = (select count(*) from order_lines l where l.order_id = o.id)
  returning o.id, o.status, coalesce('ref:' || o.customer_ref, o.caller::text) as customer
)`,
    `given_back as materialized (
  select l.order_id, l.product_id, l.quantity, ended.customer, w.shard, w.return_id, w.shard = lease.shard as is_home
  from lease
  cross join unnest(${parameters.uuids(rows.map((row) => row.orderId))}, ${parameters.uuids(rows.map((row) => row.line.productId))},
    ${parameters.integers(rows.map((row) => row.line.shard))}, ${parameters.uuids(rows.map((row) => row.line.returnId))})
    as w (order_id, product_id, shard, return_id)
  join ended on ended.id = w.order_id
  join order_lines l on l.order_id = w.order_id and l.product_id = w.product_id
)`,
    `sent_back as (
  insert into pending_returns (id, shard, product_id, order_id, customer, quantity, created_at)
  select g.return_id, g.shard, g.product_id, g.order_id, g.customer, g.quantity, lease.at
  from given_back g cross join lease where not g.is_home
)`,
  ]
}

/** What is null was not given and stays; where null is a value of its own, a flag tells the two apart. */
const amendments = (parameters: SqlParameters, wanted: ReadonlyArray<AmendmentWrite>): string => {
  const changes = wanted.map((amendment) => amendment.change)
  return `amended as (
  update products p set name = coalesce(w.name, p.name), description = coalesce(w.description, p.description),
    price = coalesce(w.price::bigint, p.price), paused = coalesce(w.paused, p.paused),
    archived = coalesce(w.archived, p.archived), waitlist = coalesce(w.waitlist, p.waitlist),
    limit_per_customer = case when w.sets_limit then w.limit_per_customer else p.limit_per_customer end,
    counts_units = p.counts_units or w.limit_per_customer is not null,
    sale_starts_at = case when w.sets_start then to_timestamp(w.sale_starts_at_millis / 1000) else p.sale_starts_at end,
    image_url = case when w.sets_image then w.image_url else p.image_url end,
    version = p.version + 1, updated_at = lease.at
  from lease
  cross join unnest(${parameters.uuids(wanted.map((amendment) => amendment.productId))}, ${parameters.integers(wanted.map((amendment) => amendment.version))},
    ${parameters.texts(changes.map((change) => change.name ?? null))}, ${parameters.texts(changes.map((change) => change.description ?? null))},
    ${parameters.doubles(changes.map((change) => change.price?.amount ?? null))}, ${parameters.booleans(changes.map((change) => change.paused ?? null))},
    ${parameters.booleans(changes.map((change) => change.archived ?? null))}, ${parameters.booleans(changes.map((change) => change.waitlist ?? null))},
    ${parameters.booleans(changes.map((change) => change.limitPerCustomer !== undefined))}, ${parameters.integers(changes.map((change) => change.limitPerCustomer ?? null))},
    ${parameters.booleans(changes.map((change) => change.saleStartsAtMillis !== undefined))}, ${parameters.doubles(changes.map((change) => change.saleStartsAtMillis ?? null))},
    ${parameters.booleans(changes.map((change) => change.imageUrl !== undefined))}, ${parameters.texts(changes.map((change) => change.imageUrl ?? null))})
    as w (id, version, name, description, price, paused, archived, waitlist, sets_limit, limit_per_customer, sets_start, sale_starts_at_millis, sets_image, image_url)
  where p.id = w.id and p.version = w.version
  returning p.id, p.version
)`
}

const log = (parameters: SqlParameters, write: BatchWrite, isConditional: boolean): string => {
  const isSure = !isConditional && write.endings.length + write.amendments.length === 0
  const events = isSure ? `${parameters.add(PgTypes.json(eventsPlanned(write)))}::json` : eventsHappened(write)
  return `logged as (
  insert into batches (shard, batch, epoch, committed_at, events)
  select lease.shard, lease.batch, lease.epoch, lease.at, ${events} from lease
)`
}

const eventsPlanned = (write: BatchWrite): ReadonlyArray<object> => [
  ...write.orders.map(({ command }) => ({ type: "order.reserved", orderId: command.orderId })),
  ...write.movements.map(({ movementId }) => ({ type: "stock.moved", movementId })),
]

const eventsHappened = (write: BatchWrite): string => {
  const sources: Array<string> = []
  if (write.orders.length > 0)
    sources.push("select json_build_object('type', 'order.reserved', 'orderId', id) as event from placed")
  if (write.endings.length > 0)
    sources.push("select json_build_object('type', 'order.' || status, 'orderId', id) as event from ended")
  if (write.movements.length > 0)
    sources.push("select json_build_object('type', 'stock.moved', 'movementId', id) as event from moved")
  if (write.amendments.length > 0)
    sources.push(
      "select json_build_object('type', 'product.amended', 'productId', id, 'version', version) as event from amended",
    )
  if (sources.length === 0) return "'[]'::json"
  return `coalesce((select json_agg(event) from (${sources.join(" union all ")}) as happened), '[]'::json)`
}

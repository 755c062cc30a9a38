/**
 * The one statement of a batch: text and parameters. Its parts are there only where the batch needs them, so the same
 * kind of batch is always the same text, and PostgreSQL plans it once a connection.
 *
 * Must stay true, each rule having broken the books in another form: the lease row is locked first and every other
 * part depends on it; hold rows and carts are locked before keys, keys are inserted sorted by caller and key, stock
 * comes after them; stock moves only for rows really inserted, deleted or ended, by relative amounts; a hold's lines are taken
 * from the locked rows; nothing an order needs is deleted before that order is inserted. Only the extension of holds
 * comes last: it never waits, and what it misses is told.
 *
 * Tried and lost: `FOR SHARE` on the lease (a late first attempt came in after "nothing happened"); holds deleted
 * before their orders were inserted (units lost); text and jsonb parameters (binary arrays are 15 to 25 % faster).
 */
import { PgTypes } from "@effect/sql-pg"
import type { BatchWrite } from "../../domain/batch.ts"
import { batchEvents, mayReimburse } from "./commitEvents.ts"
import { extensions, holds, releases } from "./commitHolds.ts"
import { deliveries, payments, reimbursed, settlements, shipments } from "./commitLives.ts"
import { endings, hasCart, mayLeaveOrdersOut, orders, returns } from "./commitOrders.ts"
import { amendments, movements } from "./commitProducts.ts"
import { countedByHolds, countedByOrders, countedLines, units } from "./commitUnits.ts"
import { countedByOffers, joins, leaves, offers } from "./commitWaitingLists.ts"
import { SqlParameters, type Statement, statement } from "./sqlParameters.ts"

/**
 * No row: not applied. One row: `at` in milliseconds since the epoch; `placed`, `moved`: ids really inserted, null
 * where all were; `extended`: positions of extensions, once a row; `carted`, `ended`, `amended`: orders whose cart was
 * as they knew it, orders that ended, products that were edited; `payments`: those begun or settled, as they are now;
 * `sent`, `arrived`: shipments; `offered`: offers made; and what stock and units became.
 */
export const commitStatement = (write: BatchWrite): Statement => {
  const parameters = new SqlParameters()
  const parts = [lease(parameters, write)]
  const changes: Array<string> = []
  const unitChanges: Array<string> = []
  const isConditional = mayLeaveOrdersOut(write)
  const sellsCarts = write.orders.some((order) => hasCart(order.command))

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
    unitChanges.push(
      "select product_id, customer, -quantity as units, null::integer as before from given_back where is_home",
    )
  }
  if (mayReimburse(write)) parts.push(reimbursed)
  if (write.payments.length > 0) parts.push(...payments(parameters, write))
  if (write.settlements.length > 0) parts.push(...settlements(parameters, write))
  if (write.shipments.length > 0) parts.push(...shipments(parameters, write))
  if (write.deliveries.length > 0) parts.push(...deliveries(parameters, write))
  if (write.leaves.length > 0) parts.push(leaves(parameters, write))
  if (write.joins.length > 0) parts.push(joins(parameters, write))
  if (write.offers.length > 0) {
    parts.push(...offers(parameters, write))
    changes.push("select product_id, -quantity as available, 0 as stocked from offered")
    if (write.offers.some((offer) => offer.unitsBefore !== null)) {
      unitChanges.push(countedByOffers(parameters, write.offers))
    }
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
  ${or(paymentSources(write).length > 0, `select json_agg(json_build_object('paymentId', id, 'status', status)) from (${paymentSources(write).join(" union all ")}) as p`)} as payments,
  ${or(write.shipments.length > 0, "select array_agg(id) from sent")} as sent,
  ${or(write.deliveries.length > 0, "select array_agg(id) from arrived")} as arrived,
  ${or(write.offers.length > 0, "select array_agg(id) from offered")} as offered,
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

const lease = (parameters: SqlParameters, write: Pick<BatchWrite, "shard" | "epoch" | "batch">): string => {
  const batch = parameters.add(PgTypes.int8(BigInt(write.batch)))
  const shard = parameters.add(PgTypes.int2(write.shard))
  const epoch = parameters.add(PgTypes.int8(BigInt(write.epoch)))
  return `lease as (
  update shard_leases set batch = ${batch} where shard = ${shard} and epoch = ${epoch} and batch = ${batch} - 1
  returning shard, epoch, batch, date_trunc('milliseconds', clock_timestamp()) as at
)`
}

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

const log = (parameters: SqlParameters, write: BatchWrite, isConditional: boolean): string => `logged as (
  insert into batches (shard, batch, epoch, committed_at, events)
  select lease.shard, lease.batch, lease.epoch, lease.at, ${batchEvents(parameters, write, isConditional)} from lease
)`

const paymentSources = ({ payments: begun, settlements: settled }: BatchWrite): ReadonlyArray<string> => [
  ...(begun.length > 0 ? ["select id, status from begun"] : []),
  ...(settled.length > 0 ? ["select id, status from settled"] : []),
]

/**
 * The parts of a batch's statement that keep waiting lists: places given and taken, and places that become offers. Must
 * stay true: units are held only for a place that was really taken off the list by this statement.
 */
import { offerHold } from "../../domain/commands.ts"
import type { BatchWrite, OfferWrite } from "../../domain/batch.ts"
import type { SqlParameters } from "./sqlParameters.ts"

/** The same wish again keeps its place; another quantity goes to the end. */
export const joins = (parameters: SqlParameters, { joins: wanted }: BatchWrite): string => `joined as (
  insert into waiting_list (id, product_id, account_id, shard, quantity, batch, number, joined_at)
  select w.id, w.product_id, w.account_id, lease.shard, w.quantity, lease.batch, w.number, lease.at
  from lease
  cross join unnest(${parameters.uuids(wanted.map((row) => row.offerId))}, ${parameters.uuids(wanted.map((row) => row.productId))},
    ${parameters.uuids(wanted.map((row) => row.accountId))}, ${parameters.integers(wanted.map((row) => row.quantity))},
    ${parameters.integers(wanted.map((_, number) => number))}) as w (id, product_id, account_id, quantity, number)
  on conflict on constraint waiting_list_one_place do update
    set quantity = excluded.quantity, batch = excluded.batch, number = excluded.number, joined_at = excluded.joined_at
    where waiting_list.quantity <> excluded.quantity
  returning id, product_id
)`

export const leaves = (parameters: SqlParameters, { leaves: wanted }: BatchWrite): string => `left_list as (
  delete from waiting_list q
  using lease cross join unnest(${parameters.uuids(wanted.map((row) => row.productId))}, ${parameters.uuids(wanted.map((row) => row.accountId))}) as w (product_id, account_id)
  where q.shard = lease.shard and q.product_id = w.product_id and q.account_id = w.account_id
  returning q.id, q.product_id
)`

export const offers = (
  parameters: SqlParameters,
  { offerTtlMillis, offers: wanted }: BatchWrite,
): ReadonlyArray<string> => {
  const names = wanted.map(({ accountId, offerId }) => offerHold(offerId, accountId))
  return [
    `chosen as (
  delete from waiting_list q
  using lease cross join unnest(${parameters.uuids(wanted.map((row) => row.offerId))}, ${parameters.texts(names.map((name) => name.key))},
    ${parameters.fingerprints(names.map((name) => name.fingerprint))}, ${parameters.integers(wanted.map((row) => row.quantity))},
    ${parameters.integers(wanted.map((row) => row.unitPrice))}, ${parameters.texts(wanted.map((row) => row.currency))})
    as w (id, key, fingerprint, quantity, unit_price, currency)
  where q.shard = lease.shard and q.id = w.id and q.quantity = w.quantity
  returning q.id, q.product_id, q.account_id, q.quantity, w.key, w.fingerprint, w.unit_price, w.currency
)`,
    `offered as (
  insert into holds (shard, caller, key, fingerprint, product_id, attempt, kind, customer, quantity, unit_price, currency, expires_at)
  select lease.shard, c.account_id, c.key, c.fingerprint, c.product_id, c.id, 'offer', c.account_id::text, c.quantity, c.unit_price, c.currency,
    lease.at + ${parameters.doubles([offerTtlMillis])}[1] * interval '1 millisecond'
  from lease cross join chosen c
  returning attempt as id, product_id, quantity
)`,
  ]
}

/** Offers of products that count units take them for their account, as any hold does. */
export const countedByOffers = (parameters: SqlParameters, wanted: ReadonlyArray<OfferWrite>): string => {
  const rows = wanted.filter((row) => row.unitsBefore !== null)
  return `select w.product_id, w.customer, w.units, w.before from offered
  join unnest(${parameters.uuids(rows.map((row) => row.offerId))}, ${parameters.uuids(rows.map((row) => row.productId))},
    ${parameters.texts(rows.map((row) => row.accountId))}, ${parameters.integers(rows.map((row) => row.quantity))},
    ${parameters.integers(rows.map((row) => row.unitsBefore))}) as w (id, product_id, customer, units, before) on w.id = offered.id`
}

/**
 * The parts of a batch's statement that make, prolong, release and consume holds. Must stay true: hold rows are locked
 * without waiting and before anything is written, and what is given back is what was really deleted.
 */
import type { BatchWrite, HoldExtension } from "../../domain/batch.ts"
import type { Reserve } from "../../domain/commands.ts"
import type { SqlParameters } from "./sqlParameters.ts"

const holdKey = "shard, caller, key, fingerprint, product_id"
const sameHold = (left: string, right: string): string =>
  holdKey
    .split(", ")
    .map((column) => `${left}.${column} = ${right}.${column}`)
    .join(" and ")

/** An earlier attempt's rows are taken over, unless they belong to a later one or are being consumed right now. */
export const extensions = (parameters: SqlParameters, wanted: ReadonlyArray<HoldExtension>): ReadonlyArray<string> => {
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

export const releases = (parameters: SqlParameters, { releases: wanted }: BatchWrite): ReadonlyArray<string> => [
  `releasable as materialized (
  select h.shard, h.caller, h.key, h.fingerprint, h.product_id, w.only_expired
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
  returning h.product_id, h.customer, h.quantity, h.kind, h.attempt, r.only_expired
)`,
]

export const holds = (parameters: SqlParameters, { holds: wanted }: BatchWrite): string => {
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

/** The rows that orders count on, as they count on them: of their attempt, quantity and price, and in time. */
export const consumable = (parameters: SqlParameters, commands: ReadonlyArray<Reserve>): string => {
  const rows = commands.flatMap((command) =>
    command.held.flatMap((part) => part.lines.map((line) => ({ command, part, line }))),
  )
  return `consumable as materialized (
  select h.shard, h.caller, h.key, h.fingerprint, h.product_id, h.quantity, h.unit_price, w.order_id
  from lease
  cross join unnest(${parameters.uuids(rows.map((row) => row.command.orderId))}, ${parameters.integers(rows.map((row) => row.part.shard))},
    ${parameters.uuids(rows.map((row) => row.command.caller))}, ${parameters.texts(rows.map((row) => row.part.key))},
    ${parameters.fingerprints(rows.map((row) => row.part.fingerprint))}, ${parameters.uuids(rows.map((row) => row.line.productId))},
    ${parameters.uuids(rows.map((row) => row.part.attempt))}, ${parameters.integers(rows.map((row) => row.line.quantity))},
    ${parameters.integers(rows.map((row) => row.line.unitPrice))}) as w (order_id, shard, caller, key, fingerprint, product_id, attempt, quantity, unit_price)
  join holds h on h.shard = w.shard and h.caller = w.caller and h.key = w.key and h.fingerprint = w.fingerprint and h.product_id = w.product_id
  where h.attempt = w.attempt and h.quantity = w.quantity and h.unit_price = w.unit_price and h.expires_at > lease.at
  for update of h skip locked
)`
}

/** Consumed by the orders really placed, whose lines they become. */
export const consumed: ReadonlyArray<string> = [
  `consumed as (
  delete from holds h using consumable c, placed where placed.id = c.order_id and ${sameHold("h", "c")}
  returning c.order_id, c.product_id, c.quantity, c.unit_price, h.kind, h.attempt
)`,
  `sold_from_holds as (
  insert into order_lines (order_id, product_id, quantity, unit_price)
  select order_id, product_id, quantity, unit_price from consumed
)`,
]

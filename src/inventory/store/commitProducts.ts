/**
 * The parts of a batch's statement that change products: movements of their stock and edits of their data.
 */
import type { AmendmentWrite, BatchWrite } from "../../domain/batch.ts"
import type { SqlParameters } from "./sqlParameters.ts"

export const movements = (parameters: SqlParameters, { form, movements: wanted }: BatchWrite): string => `moved as (
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

/** What is null was not given and stays; where null is a value of its own, a flag tells the two apart. */
export const amendments = (parameters: SqlParameters, wanted: ReadonlyArray<AmendmentWrite>): string => {
  const changes = wanted.map((amendment) => amendment.change)
  return `amended as (
  update products p set name = coalesce(w.name, p.name), description = coalesce(w.description, p.description),
    price = coalesce(w.price::bigint, p.price), paused = coalesce(w.paused, p.paused),
    archived = coalesce(w.archived, p.archived), waitlist = coalesce(w.waitlist, p.waitlist),
    limit_per_customer = case when w.sets_limit then w.limit_per_customer else p.limit_per_customer end,
    counts_units = p.counts_units or w.limit_per_customer is not null,
    reservation_ttl_seconds = case when w.sets_ttl then w.reservation_ttl_seconds else p.reservation_ttl_seconds end,
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
    ${parameters.booleans(changes.map((change) => change.imageUrl !== undefined))}, ${parameters.texts(changes.map((change) => change.imageUrl ?? null))},
    ${parameters.booleans(changes.map((change) => change.reservationTtlSeconds !== undefined))}, ${parameters.integers(changes.map((change) => change.reservationTtlSeconds ?? null))})
    as w (id, version, name, description, price, paused, archived, waitlist, sets_limit, limit_per_customer, sets_start, sale_starts_at_millis, sets_image, image_url,
      sets_ttl, reservation_ttl_seconds)
  where p.id = w.id and p.version = w.version
  returning p.id, p.version
)`
}

-- A product's version counts its edits, each of which the event log tells once, as far as the log is kept.
--
-- Versions begin at 1. Where the beginning of a shard's log was pruned, so may be the first edits, and only the
-- later ones have to follow each other.
with edited as (
  select e.event ->> 'productId' as product_id, count(*) as edits,
    min((e.event ->> 'version')::integer) as lowest, max((e.event ->> 'version')::integer) as highest
  from batches b cross join lateral json_array_elements(b.events) as e (event)
  where e.event ->> 'type' = 'product.amended'
  group by e.event ->> 'productId'
),
offenders as materialized (
  select p.id as "productId", p.version, coalesce(e.edits, 0) as edits, e.lowest, e.highest
  from products p
  left join event_log_beginnings l on l.shard = p.shard
  left join edited e on e.product_id = p.id::text
  where e.highest <> p.version
    or e.highest - e.lowest + 1 <> e.edits
    or (coalesce(l.after_batch, 0) = 0 and p.version <> 1 + coalesce(e.edits, 0))
)
select (select count(*) from offenders) as violations,
  (select count(*) from products) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

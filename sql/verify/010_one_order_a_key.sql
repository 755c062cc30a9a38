-- A caller's idempotency key belongs to one order.
--
-- A constraint says so too; this still holds where somebody dropped it or its index is damaged.
with offenders as materialized (
  select caller, key, count(*) as orders from orders group by caller, key having count(*) > 1
)
select (select count(*) from offenders) as violations,
  (select count(*) from orders) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

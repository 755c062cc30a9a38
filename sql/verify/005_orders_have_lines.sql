-- Every order has at least one line.
with offenders as materialized (
  select o.id as "orderId", o.caller, o.key, o.status
  from orders o
  where not exists (select from order_lines l where l.order_id = o.id)
)
select (select count(*) from offenders) as violations,
  (select count(*) from orders) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

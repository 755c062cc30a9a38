-- Every reservation in the event log is an order of that shard.
with reserved as materialized (
  select b.shard, b.batch, e.event ->> 'orderId' as order_id
  from batches b cross join lateral json_array_elements(b.events) as e (event)
  where e.event ->> 'type' = 'order.reserved'
),
offenders as materialized (
  select r.shard, r.batch, r.order_id as "orderId"
  from reserved r
  where not exists (select from orders o where o.id::text = r.order_id and o.home_shard = r.shard)
)
select (select count(*) from offenders) as violations,
  (select count(*) from reserved) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

-- Every cancellation, expiry and refund in the event log is how an order of that shard ended.
with told as materialized (
  select b.shard, b.batch, e.event ->> 'type' as type, e.event ->> 'orderId' as order_id
  from batches b cross join lateral json_array_elements(b.events) as e (event)
  where e.event ->> 'type' in ('order.cancelled', 'order.expired', 'order.refunded')
),
offenders as materialized (
  select t.shard, t.batch, t.type, t.order_id as "orderId"
  from told t
  where not exists (
    select from orders o
    where o.id::text = t.order_id and o.home_shard = t.shard and t.type = 'order.' || o.status
  )
)
select (select count(*) from offenders) as violations,
  (select count(*) from told) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

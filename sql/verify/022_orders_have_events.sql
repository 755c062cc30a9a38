-- Every order is reserved in the event log exactly once, as far as the log is kept.
--
-- An order has the time of its batch. Where the beginning of a shard's log was pruned, orders as old as what is gone are
-- not asked for.
with logged as materialized (
  select o.id, o.home_shard from orders o
  join event_log_beginnings l on l.shard = o.home_shard and o.created_at > l.after_time
),
reserved as (
  select b.shard, e.event ->> 'orderId' as order_id, count(*) as events
  from batches b cross join lateral json_array_elements(b.events) as e (event)
  where e.event ->> 'type' = 'order.reserved'
  group by b.shard, e.event ->> 'orderId'
),
offenders as materialized (
  select l.id as "orderId", l.home_shard as shard, coalesce(r.events, 0) as events
  from logged l left join reserved r on r.order_id = l.id::text and r.shard = l.home_shard
  where coalesce(r.events, 0) <> 1
)
select (select count(*) from offenders) as violations,
  (select count(*) from logged) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

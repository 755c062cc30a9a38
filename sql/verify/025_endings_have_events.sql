-- Every order that was cancelled, expired or was refunded did so in the event log exactly once, as far as the log is kept.
--
-- An order ends after its own batch. Where the beginning of a shard's log was pruned, orders as old as what is gone may
-- have ended in it, and are not asked for.
with logged as materialized (
  select o.id, o.home_shard, o.status
  from orders o join event_log_beginnings l on l.shard = o.home_shard and o.created_at > l.after_time
  where o.status in ('cancelled', 'expired', 'refunded')
),
told as (
  select b.shard, e.event ->> 'type' as type, e.event ->> 'orderId' as order_id, count(*) as events
  from batches b cross join lateral json_array_elements(b.events) as e (event)
  where e.event ->> 'type' in ('order.cancelled', 'order.expired', 'order.refunded')
  group by b.shard, e.event ->> 'type', e.event ->> 'orderId'
),
offenders as materialized (
  select l.id as "orderId", l.home_shard as shard, l.status, coalesce(t.events, 0) as events
  from logged l
  left join told t on t.order_id = l.id::text and t.shard = l.home_shard and t.type = 'order.' || l.status
  where coalesce(t.events, 0) <> 1
)
select (select count(*) from offenders) as violations,
  (select count(*) from logged) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

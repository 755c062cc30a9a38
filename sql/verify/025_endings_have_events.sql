-- Every order that was cancelled, expired or was refunded did so in the event log exactly once, as far as the log is kept.
--
-- An order ends after its own batch. Where the first batch of a shard is gone, orders as old as the oldest one that is
-- kept may have ended in a batch that was pruned, and are not asked for.
with oldest as (
  select l.shard, case when b.batch = 1 then '-infinity' else b.committed_at end as committed_at
  from shard_leases l
  cross join lateral (
    select batch, committed_at from batches where batches.shard = l.shard order by batch limit 1
  ) as b
),
logged as materialized (
  select o.id, o.home_shard, o.status
  from orders o join oldest on oldest.shard = o.home_shard and o.created_at > oldest.committed_at
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

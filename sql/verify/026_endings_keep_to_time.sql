-- An order is cancelled while its time runs, and expires when it is over.
with told as materialized (
  select b.shard, b.batch, b.committed_at, e.event ->> 'type' as type, e.event ->> 'orderId' as order_id
  from batches b cross join lateral json_array_elements(b.events) as e (event)
  where e.event ->> 'type' in ('order.cancelled', 'order.expired')
),
offenders as materialized (
  select t.shard, t.batch, t.type, o.id as "orderId", o.expires_at as "expiresAt", t.committed_at as "endedAt"
  from told t join orders o on o.id::text = t.order_id
  where (t.type = 'order.expired') <> (o.expires_at <= t.committed_at)
)
select (select count(*) from offenders) as violations,
  (select count(*) from told) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

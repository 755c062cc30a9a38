-- Every payment, every shipment and what they made of their order is in the event log exactly once, as far as it is kept.
--
-- Each of them is younger than the batch that placed or began it. Where the beginning of a shard's log was pruned, what is
-- as old as what is gone may have been told in it, and is not asked for.
with happened as (
  select o.home_shard as shard, p.created_at, p.id as subject,
    unnest(array['payment.' || case when p.method = 'external' then 'succeeded' else 'processing' end, 'payment.' || p.status]) as type
  from payments p join orders o on o.id = p.order_id
  union
  select o.home_shard, s.created_at, s.id, 'shipment.sent' from shipments s join orders o on o.id = s.order_id
  union
  select o.home_shard, s.created_at, s.id, 'shipment.delivered' from shipments s join orders o on o.id = s.order_id
  where s.delivered_at is not null
  union
  select o.home_shard, o.created_at, o.id, unnest(array['order.paid', 'order.' || o.status]) from orders o
  where o.status in ('paid', 'partiallyShipped', 'shipped', 'delivered')
),
logged as materialized (
  select h.* from happened h join event_log_beginnings l on l.shard = h.shard and h.created_at > l.after_time
),
told as (
  select b.shard, e.event ->> 'type' as type,
    coalesce(e.event ->> 'paymentId', e.event ->> 'shipmentId', e.event ->> 'orderId') as subject, count(*) as events
  from batches b cross join lateral json_array_elements(b.events) as e (event)
  where e.event ->> 'type' like any (array['payment.%', 'shipment.%', 'order.%'])
  group by 1, 2, 3
),
offenders as materialized (
  select l.subject as "id", l.type, l.shard, coalesce(t.events, 0) as events
  from logged l left join told t on t.subject = l.subject::text and t.type = l.type and t.shard = l.shard
  where coalesce(t.events, 0) <> 1
)
select (select count(*) from offenders) as violations,
  (select count(*) from logged) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

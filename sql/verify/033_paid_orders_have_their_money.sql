-- An order that was paid has exactly one payment that succeeded, and no other order has one.
with succeeded as (
  select order_id, count(*) as payments from payments where status = 'succeeded' group by order_id
),
offenders as materialized (
  select o.id as "orderId", o.status, coalesce(s.payments, 0) as payments
  from orders o left join succeeded s on s.order_id = o.id
  where coalesce(s.payments, 0) <> case when o.status in ('paid', 'partiallyShipped', 'shipped', 'delivered') then 1 else 0 end
)
select (select count(*) from offenders) as violations,
  (select count(*) from orders) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

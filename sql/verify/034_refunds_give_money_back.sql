-- A refunded order has its money back, or on its way.
with offenders as materialized (
  select o.id as "orderId", o.total, o.currency
  from orders o
  where o.status = 'refunded'
    and not exists (select from payments p where p.order_id = o.id and p.status in ('refunding', 'refunded'))
)
select (select count(*) from offenders) as violations,
  (select count(*) from orders where status = 'refunded') as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

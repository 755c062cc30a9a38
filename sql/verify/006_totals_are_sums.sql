-- The total of an order is the sum of its lines, at the prices they were sold at.
with summed as (
  select order_id, sum(quantity * unit_price) as total from order_lines group by order_id
),
offenders as materialized (
  select o.id as "orderId", o.total, s.total as "sumOfLines"
  from orders o join summed s on s.order_id = o.id
  where o.total <> s.total
)
select (select count(*) from offenders) as violations,
  (select count(*) from orders) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

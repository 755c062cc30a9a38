-- Every line sells a product that exists.
with offenders as materialized (
  select l.order_id as "orderId", l.product_id as "productId", l.quantity
  from order_lines l
  where not exists (select from products p where p.id = l.product_id)
)
select (select count(*) from offenders) as violations,
  (select count(*) from order_lines) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

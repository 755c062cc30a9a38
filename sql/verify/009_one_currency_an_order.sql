-- Every product of an order is sold in the order's currency.
with offenders as materialized (
  select o.id as "orderId", o.currency, l.product_id as "productId", p.currency as "productCurrency"
  from orders o
  join order_lines l on l.order_id = o.id
  join products p on p.id = l.product_id
  where p.currency <> o.currency
)
select (select count(*) from offenders) as violations,
  (select count(*) from order_lines) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

-- Whoever ships something of an order sells something in it.
with offenders as materialized (
  select s.id as "shipmentId", s.order_id as "orderId", s.merchant_id as "merchantId"
  from shipments s
  where not exists (
    select from order_lines l join products p on p.id = l.product_id
    where l.order_id = s.order_id and p.merchant_id = s.merchant_id
  )
)
select (select count(*) from offenders) as violations,
  (select count(*) from shipments) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

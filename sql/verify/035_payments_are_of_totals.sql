-- A payment is of the total of its order, in the order's currency.
with offenders as materialized (
  select p.id as "paymentId", p.order_id as "orderId", p.status, p.amount, p.currency, o.total, o.currency as "orderCurrency"
  from payments p join orders o on o.id = p.order_id
  where p.amount <> o.total or p.currency <> o.currency
)
select (select count(*) from offenders) as violations,
  (select count(*) from payments) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

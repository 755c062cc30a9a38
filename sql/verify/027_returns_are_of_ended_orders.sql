-- Units on their way back are a whole line of an order that ended, on their way once, and its customer's.
with sent as (
  select r.id, r.order_id, r.product_id, r.customer, r.quantity,
    count(*) over (partition by r.order_id, r.product_id) as times
  from pending_returns r
),
offenders as materialized (
  select s.id as "returnId", s.order_id as "orderId", s.product_id as "productId", s.quantity, l.quantity as ordered,
    o.status, s.times
  from sent s
  left join orders o on o.id = s.order_id
  left join order_lines l on l.order_id = s.order_id and l.product_id = s.product_id
  where s.times > 1
    or o.status is null or o.status not in ('cancelled', 'expired', 'refunded')
    or s.quantity is distinct from l.quantity
    or s.customer <> coalesce('ref:' || o.customer_ref, o.caller::text)
)
select (select count(*) from offenders) as violations,
  (select count(*) from pending_returns) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

-- What is counted for a customer of a limited product is what that customer has in live orders, holds and returns.
with taken as (
  select product_id, customer, sum(quantity) as units
  from (
    select l.product_id, coalesce('ref:' || o.customer_ref, o.caller::text) as customer, l.quantity
    from order_lines l join orders o on o.id = l.order_id
    where o.status not in ('cancelled', 'expired', 'refunded')
    union all
    select product_id, customer, quantity from holds
    union all
    select product_id, customer, quantity from pending_returns
  ) as single
  where product_id in (select id from products where limit_per_customer is not null)
  group by product_id, customer
),
counted as (
  select u.product_id, u.customer, u.units
  from customer_units u join products p on p.id = u.product_id
  where p.limit_per_customer is not null
),
compared as materialized (
  select product_id as "productId", customer, coalesce(c.units, 0) as counted, coalesce(t.units, 0) as taken
  from counted c full join taken t using (product_id, customer)
)
select (select count(*) from compared where counted <> taken) as violations,
  (select count(*) from compared) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from compared where counted <> taken limit 100) as o) as examples;

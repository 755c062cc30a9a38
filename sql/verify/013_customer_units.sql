-- What is counted for a customer of a product is what that customer has of it in live orders, holds and returns.
--
-- Only counts that are there are compared: a customer without one is counted from these rows when it is needed.
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
  where product_id in (select product_id from customer_units)
  group by product_id, customer
),
offenders as materialized (
  select u.product_id as "productId", u.customer, u.units as counted, coalesce(t.units, 0) as taken
  from customer_units u left join taken t on t.product_id = u.product_id and t.customer = u.customer
  where u.units <> coalesce(t.units, 0)
)
select (select count(*) from offenders) as violations,
  (select count(*) from customer_units) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

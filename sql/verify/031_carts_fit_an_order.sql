-- What is in a cart is in a cart that exists, of products that exist, and never more lines than an order may have.
with strays as (
  select l.account_id as account_id, l.product_id, null::bigint as lines
  from cart_lines l
  where not exists (select from carts c where c.account_id = l.account_id)
    or not exists (select from products p where p.id = l.product_id)
),
full_ones as (
  select account_id, null::uuid as product_id, count(*) as lines from cart_lines group by account_id having count(*) > 100
),
offenders as materialized (
  select account_id as "accountId", product_id as "productId", lines from strays
  union all
  select account_id, product_id, lines from full_ones
)
select (select count(*) from offenders) as violations,
  (select count(*) from cart_lines) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

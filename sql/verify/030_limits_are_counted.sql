-- Units of a product are counted where it has a limit, and never where it has not had any.
with offenders as materialized (
  select p.id as "productId", p.limit_per_customer as "limitPerCustomer", p.counts_units as "countsUnits", u.customer
  from products p
  left join lateral (select customer from customer_units where customer_units.product_id = p.id limit 1) as u on true
  where not p.counts_units and (p.limit_per_customer is not null or u.customer is not null)
)
select (select count(*) from offenders) as violations,
  (select count(*) from products) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

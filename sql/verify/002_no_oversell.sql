-- No product has less than nothing available, or more than was stocked.
with offenders as materialized (
  select product_id as "productId", stocked, available from stock where available not between 0 and stocked
)
select (select count(*) from offenders) as violations,
  (select count(*) from stock) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

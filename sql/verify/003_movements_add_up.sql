-- What a product has stocked is the sum of its stock movements.
with moved as (
  select product_id, sum(delta) as units from stock_movements group by product_id
),
offenders as materialized (
  select s.product_id as "productId", s.stocked, coalesce(m.units, 0) as moved
  from stock s left join moved m on m.product_id = s.product_id
  where s.stocked <> coalesce(m.units, 0)
)
select (select count(*) from offenders) as violations,
  (select count(*) from stock) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

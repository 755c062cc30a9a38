-- Every product has its stock row and its first movement, which came into being with it.
with offenders as materialized (
  select p.id as "productId", s.product_id is not null as "hasStock", m.id is not null as "hasFirstMovement"
  from products p
  left join stock s on s.product_id = p.id
  left join stock_movements m on m.caller = p.id and m.key = 'created' and m.product_id = p.id
  where s.product_id is null or m.id is null
)
select (select count(*) from offenders) as violations,
  (select count(*) from products) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

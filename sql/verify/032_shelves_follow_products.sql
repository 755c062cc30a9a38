-- What lists choose by beside the stock, whose product it is and whether it is archived, is what its product says.
with offenders as materialized (
  select p.id as "productId", s.merchant_id as "merchantId", s.archived
  from stock s join products p on p.id = s.product_id
  where s.merchant_id <> p.merchant_id or s.archived <> p.archived
)
select (select count(*) from offenders) as violations,
  (select count(*) from stock) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

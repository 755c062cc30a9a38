-- No product was changed before it was created, or later than now.
--
-- An edit has the time of its batch, which is cut to milliseconds.
with offenders as materialized (
  select id as "productId", version, created_at as "createdAt", updated_at as "updatedAt"
  from products
  where updated_at < date_trunc('milliseconds', created_at) or updated_at > clock_timestamp()
)
select (select count(*) from offenders) as violations,
  (select count(*) from products) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

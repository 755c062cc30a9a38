-- Every product lives in a shard that has a lease.
with offenders as materialized (
  select p.id as "productId", p.shard
  from products p
  where not exists (select from shard_leases l where l.shard = p.shard)
)
select (select count(*) from offenders) as violations,
  (select count(*) from products) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

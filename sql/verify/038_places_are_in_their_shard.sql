-- A place on a waiting list is in the shard of its product, and was given by a batch of that shard.
with offenders as materialized (
  select q.id as "offerId", q.product_id as "productId", q.shard, p.shard as "productShard", q.batch, l.batch as "leaseBatch"
  from waiting_list q
  join products p on p.id = q.product_id
  join shard_leases l on l.shard = p.shard
  where q.shard <> p.shard or q.batch > l.batch
)
select (select count(*) from offenders) as violations,
  (select count(*) from waiting_list) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

-- No batch was written under an epoch above its shard's lease.
with offenders as materialized (
  select b.shard, b.batch, b.epoch, l.epoch as "leaseEpoch"
  from batches b join shard_leases l on l.shard = b.shard
  where b.epoch > l.epoch
)
select (select count(*) from offenders) as violations,
  (select count(*) from batches) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

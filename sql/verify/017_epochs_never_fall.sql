-- No batch was written under an older epoch than the batch before it.
with paired as (
  select shard, batch, epoch, lag(epoch) over (partition by shard order by batch) as previous from batches
),
offenders as materialized (
  select shard, batch, epoch, previous as "previousEpoch" from paired where epoch < previous
)
select (select count(*) from offenders) as violations,
  (select count(*) from batches) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

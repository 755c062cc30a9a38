-- From a shard's oldest kept batch to its lease's number none is missing.
--
-- Old batches may be pruned, the lease's own number never: an unknown outcome is settled by looking it up.
with numbered as (
  select b.shard, b.batch, lag(b.batch) over (partition by b.shard order by b.batch) as previous
  from batches b join shard_leases l on l.shard = b.shard and b.batch <= l.batch
),
newest as (
  select l.shard, l.batch, coalesce((select max(n.batch) from numbered n where n.shard = l.shard), 0) as kept
  from shard_leases l
),
offenders as materialized (
  select shard, previous + 1 as "missingFrom", batch - 1 as "missingTo" from numbered where batch > previous + 1
  union all
  select shard, kept + 1, batch from newest where kept < batch
)
select (select count(*) from offenders) as violations,
  (select count(*) from batches) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

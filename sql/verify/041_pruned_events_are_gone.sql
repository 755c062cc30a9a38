-- Where a shard's events were pruned, no batch up to there has any, and its lease is as far at least.
with offenders as materialized (
  select p.shard, p.pruned_through as "prunedThrough", l.batch as "leaseBatch", kept.batch as "keptBatch"
  from event_log_prunings p
  left join shard_leases l on l.shard = p.shard
  left join lateral (
    select b.batch from batches b
    where b.shard = p.shard and b.batch <= p.pruned_through and b.events::text <> '[]' order by b.batch limit 1
  ) as kept on true
  where kept.batch is not null or l.batch is null or l.batch < p.pruned_through
)
select (select count(*) from offenders) as violations,
  (select count(*) from event_log_prunings) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

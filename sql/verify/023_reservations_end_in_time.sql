-- A reservation whose time is over has ended within a minute.
--
-- Only minutes with a writer count: nobody can end one while the service is stopped. A shard had one until now if
-- its owner or a writer is connected, and otherwise until its last batch.
with watched as (
  select l.shard, l.acquired_at as since, case
      when exists (
        select from pg_stat_activity
        where datname = current_database() and application_name in ('hedonify owner', 'hedonify writer')
      ) then now()
      else (select b.committed_at from batches b where b.shard = l.shard order by b.batch desc limit 1)
    end as until
  from shard_leases l
),
offenders as materialized (
  select o.id as "orderId", o.home_shard as "homeShard", o.expires_at as "expiresAt"
  from orders o join watched w on w.shard = o.home_shard
  where o.status = 'reserved' and greatest(o.expires_at, w.since) < w.until - interval '1 minute'
)
select (select count(*) from offenders) as violations,
  (select count(*) from orders where status = 'reserved') as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

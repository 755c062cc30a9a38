-- A hold whose time is over gives its units back within a minute.
--
-- Only minutes with a writer count: nobody can give back while the service is stopped. A shard had one until now if
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
  select h.shard, h.caller, h.key, h.product_id as "productId", h.quantity, h.expires_at as "expiresAt"
  from holds h join watched w on w.shard = h.shard
  where greatest(h.expires_at, w.since) < w.until - interval '1 minute'
)
select (select count(*) from offenders) as violations,
  (select count(*) from holds) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

-- What is delivered is an event of the log, of that type, as far as the log is kept.
with offenders as materialized (
  select d.id as "deliveryId", d.webhook_id as "webhookId", d.shard, d.batch, d.position, d.type,
    b.events -> d.position ->> 'type' as logged
  from webhook_deliveries d
  left join event_log_prunings p on p.shard = d.shard
  left join batches b on b.shard = d.shard and b.batch = d.batch
  where d.batch > coalesce(p.pruned_through, 0)
    and (b.events -> d.position ->> 'type') is distinct from d.type
)
select (select count(*) from offenders) as violations,
  (select count(*) from webhook_deliveries) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

-- A webhook that is turned on and has something to deliver is one that the relay looks at in time.
--
-- Unless a relay is at it: then the webhook is due again when that relay lets go of it, or its lease ends.
with offenders as materialized (
  select w.id as "webhookId", r.due_at as "dueAt", first.next_attempt_at as "nextAttemptAt"
  from webhooks w
  left join webhook_relays r on r.webhook_id = w.id
  cross join lateral (
    select min(d.next_attempt_at) as next_attempt_at from webhook_deliveries d
    where d.webhook_id = w.id and d.state = 'pending'
  ) as first
  where w.enabled and w.deleted_at is null and first.next_attempt_at is not null
    and r.due_at is null
)
select (select count(*) from offenders) as violations,
  (select count(*) from webhooks where enabled and deleted_at is null) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

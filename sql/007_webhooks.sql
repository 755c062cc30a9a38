-- The event log is read by others: how far it was pruned, who is told of it over HTTP, and what came of each telling.

-- How far a shard's events are gone. The row of a batch stays, since it proves that the batch was applied; its events
-- become an empty list. Beside the leases and not in them: a lease is the row that every batch waits for.
create table event_log_prunings (
  shard smallint primary key references shard_leases (shard),
  -- Up to this batch none has its events any more, after it all do.
  pruned_through bigint not null check (pruned_through > 0),
  -- The latest time of those batches.
  committed_at timestamptz not null
);

-- From where on a shard's log is complete: after which batch, and after which time.
create view event_log_beginnings as
select l.shard, coalesce(p.pruned_through, f.batch - 1) as after_batch,
  case when p.shard is not null then p.committed_at when f.batch = 1 then '-infinity' else f.committed_at end as after_time
from shard_leases l
cross join lateral (select b.batch, b.committed_at from batches b where b.shard = l.shard order by b.batch limit 1) as f
left join event_log_prunings p on p.shard = l.shard;

-- Who is told. Each merchant's are its own; those of nobody are the admins', who are told of everything.
create table webhooks (
  id uuid primary key,
  merchant_id uuid references merchants (id),
  url text not null check (char_length(url) between 1 and 2000),
  description text not null default '' check (char_length(description) <= 500),
  -- Empty: of everything.
  types text[] not null default '{}' check (cardinality(types) <= 50),
  -- Kept as it is, since it signs; shown once. A rotated one signs beside its successor for a while.
  secret text not null check (secret like 'whsec\_%'),
  previous_secret text check (previous_secret like 'whsec\_%'),
  previous_secret_until timestamptz,
  enabled boolean not null default true,
  -- Why it was turned off, where the service did it.
  disabled_reason text check (disabled_reason in ('gone', 'failing')),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- Gone for everybody; its deliveries are deleted in steps, and then it is.
  deleted_at timestamptz,
  check ((previous_secret is null) = (previous_secret_until is null)),
  check (disabled_reason is null or not enabled)
);
create index webhooks_of_merchant on webhooks (merchant_id, id) where deleted_at is null;
create index webhooks_enabled on webhooks (id) where enabled and deleted_at is null;
create index webhooks_deleted on webhooks (id) where deleted_at is not null;

-- What the relay writes of a webhook all the time, apart from what people write.
create table webhook_relays (
  webhook_id uuid primary key references webhooks (id),
  -- How far it was read into webhook_deliveries: a cursor of GET /v1/events.
  cursor text not null check (char_length(cursor) between 1 and 2000),
  -- When there is something to deliver, as far as anybody knows; null while there is nothing.
  due_at timestamptz,
  -- Which relay delivers now, and for how long nobody else may.
  leased_by uuid,
  leased_until timestamptz,
  -- Since when nothing was accepted; null while the last attempt was.
  failing_since timestamptz,
  check ((leased_by is null) = (leased_until is null))
) with (fillfactor = 70);
create index webhook_relays_due on webhook_relays (due_at) where due_at is not null;

-- One event for one webhook. No index has ids alone in their order: a plan went along it through the deliveries of all
-- webhooks to find those of one.
create table webhook_deliveries (
  id uuid not null,
  webhook_id uuid not null references webhooks (id),
  -- Where the event stands in the log.
  shard smallint not null check (shard >= 0),
  batch bigint not null check (batch > 0),
  position integer not null check (position >= 0),
  event_id text not null check (char_length(event_id) between 1 and 100),
  type text not null check (char_length(type) between 1 and 100),
  -- What the event is of, an order or a product: events of one are delivered one after the other, in their order.
  subject text not null check (char_length(subject) between 1 and 100),
  -- The body, letter by letter as it is signed, so that each attempt sends the same.
  payload text not null,
  state text not null default 'pending' check (state in ('pending', 'succeeded', 'dead')),
  attempts integer not null default 0 check (attempts >= 0),
  created_at timestamptz not null,
  next_attempt_at timestamptz,
  last_attempt_at timestamptz,
  last_status integer check (last_status between 100 and 999),
  last_error text check (char_length(last_error) between 1 and 200),
  finished_at timestamptz,
  primary key (webhook_id, id),
  constraint webhook_deliveries_once unique (webhook_id, shard, batch, position),
  check ((state = 'pending') = (next_attempt_at is not null)),
  check ((state = 'pending') = (finished_at is null))
) with (fillfactor = 80);
create index webhook_deliveries_in_state on webhook_deliveries (webhook_id, state, id);
create index webhook_deliveries_pending on webhook_deliveries (webhook_id, subject, batch, position) where state = 'pending';
create index webhook_deliveries_finished on webhook_deliveries (state, finished_at) where state <> 'pending';

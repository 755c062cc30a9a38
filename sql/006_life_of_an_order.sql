-- What follows a reservation: payments, shipments, and those who wait for what comes back.

-- How an order is paid. Written by the writer of the order's home shard alone, in its batches.
create table payments (
  id uuid primary key,
  order_id uuid not null references orders (id),
  -- Whose key it is, as in orders.
  caller uuid not null,
  key text not null check (char_length(key) between 1 and 255),
  fingerprint bytea not null check (octet_length(fingerprint) = 16),
  method text not null check (char_length(method) between 1 and 100),
  -- Where a channel took the payment elsewhere: its own name for it.
  reference text check (char_length(reference) between 1 and 200),
  amount bigint not null check (amount between 0 and 9007199254740991),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  -- refunding: the money was taken, or may yet have been, for an order that is gone; it goes back.
  status text not null check (status in ('processing', 'succeeded', 'declined', 'refunding', 'refunded')),
  decline_code text check (char_length(decline_code) between 1 and 100),
  created_at timestamptz not null,
  settled_at timestamptz check (settled_at >= created_at),
  constraint payments_key unique (caller, key),
  check ((status = 'declined') = (decline_code is not null)),
  check ((status = 'processing') = (settled_at is null)),
  check ((method = 'external') = (reference is not null)),
  check (method <> 'external' or status in ('succeeded', 'refunded'))
);
create index payments_of_order on payments (order_id, id);
-- An order is never paid twice: at most one payment has its money, or may still get it.
create unique index payments_one_an_order on payments (order_id) where status in ('processing', 'succeeded');
-- What is to be reconciled with the payment provider, the oldest first.
create index payments_open on payments (created_at) where status in ('processing', 'refunding');

-- One merchant's lines of an order, on their way.
create table shipments (
  id uuid primary key,
  order_id uuid not null references orders (id),
  merchant_id uuid not null references merchants (id),
  carrier text not null check (char_length(carrier) between 1 and 100),
  tracking_number text not null check (char_length(tracking_number) between 1 and 100),
  created_at timestamptz not null,
  delivered_at timestamptz check (delivered_at >= created_at),
  constraint shipments_one_a_merchant unique (order_id, merchant_id)
);
create index shipments_of_merchant on shipments (merchant_id, id);

-- Who waits for a product, one place an account. Written by the product's own shard; a place is the batch that gave it
-- and its number in there, so places are in the order of the mailbox. The id is that of the offer that comes of it.
create table waiting_list (
  id uuid primary key,
  product_id uuid not null references products (id),
  account_id uuid not null references accounts (id),
  shard smallint not null references shard_leases (shard),
  quantity integer not null check (quantity between 1 and 10000),
  batch bigint not null,
  number integer not null check (number >= 0),
  joined_at timestamptz not null,
  constraint waiting_list_one_place unique (product_id, account_id)
);
create unique index waiting_list_places on waiting_list (product_id, batch, number);
create index waiting_list_of_account on waiting_list (account_id, product_id);
-- What the sweeper looks along: whether what there is of a product fits anybody.
create index waiting_list_of_shard on waiting_list (shard, product_id, quantity);

-- Offers are holds of their own account.
alter table holds add check (kind <> 'offer' or key = 'offer/' || attempt);
create index holds_of_customer on holds (caller, product_id) where kind = 'offer';

alter table products alter column waitlist set default true;
-- How long a reservation with this product lasts; null leaves it to the service's setting.
alter table products add column reservation_ttl_seconds integer check (reservation_ttl_seconds between 1 and 2592000);

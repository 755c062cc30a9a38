-- What is sold, who may write it, and every order ever placed.
--
-- Each shard of products has one writer. Every statement that changes stock, orders, holds, returns or units takes the
-- shard's row of shard_leases first, and changes nothing unless epoch and batch are its own.

create table shard_leases (
  shard smallint primary key check (shard >= 0),
  -- Raised once per acquisition, never lowered: who may write.
  epoch bigint not null default 0 check (epoch >= 0),
  -- Counts the batches of this shard over all epochs: which write comes next.
  batch bigint not null default 0 check (batch >= 0),
  owner text not null default '',
  acquired_at timestamptz
) with (fillfactor = 50);

-- The event log, the outbox and the proof that a batch was applied, in one row a batch: it is written under the lease
-- row, so a reader that follows batch numbers never passes over one that commits late. One row a batch instead of one
-- an event measured 1.2x the throughput and a fifth less WAL.
create table batches (
  shard smallint not null references shard_leases (shard),
  batch bigint not null check (batch > 0),
  epoch bigint not null check (epoch > 0),
  committed_at timestamptz not null,
  -- A voided number changed nothing: it was given up so that a late attempt under it could not be applied.
  voided boolean not null default false,
  -- json and not jsonb: it is written once and read whole, and parsing it a second time costs the writer.
  events json not null default '[]',
  primary key (shard, batch),
  check (not voided or events::text = '[]')
);

create table products (
  id uuid primary key,
  merchant_id uuid not null references merchants (id),
  shard smallint not null references shard_leases (shard),
  name text not null check (char_length(name) between 1 and 200),
  description text not null default '' check (char_length(description) <= 5000),
  price bigint not null check (price between 0 and 1000000000),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  limit_per_customer integer check (limit_per_customer > 0),
  sale_starts_at timestamptz,
  paused boolean not null default false,
  archived boolean not null default false,
  waitlist boolean not null default false,
  stock_group text check (char_length(stock_group) between 1 and 100),
  image_url text check (char_length(image_url) <= 2000),
  version integer not null default 1 check (version > 0),
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index products_of_merchant on products (merchant_id, id);
create index products_of_shard on products (shard);
-- What GET /v1/products?q= looks in: the beginnings of words of the name.
create index products_by_words on products using gin (to_tsvector('simple', name));

-- Narrow, and updated by the shard's writer alone, so that an open edit of a product never stalls its sale. No index
-- mentions available, so nearly every update stays on its page (HOT); in_stock changes only at zero.
create table stock (
  product_id uuid primary key references products (id),
  stocked integer not null check (stocked >= 0),
  available integer not null,
  in_stock boolean not null generated always as (available > 0) stored,
  constraint stock_no_oversell check (available between 0 and stocked)
) with (fillfactor = 50);
create index stock_on_the_shelf on stock (product_id) where in_stock;

-- Append-only; a product's movements add up to its stocked. The first is its creation, whose caller is the product
-- itself and whose key is 'created'.
create table stock_movements (
  id uuid primary key,
  product_id uuid not null references products (id),
  caller uuid not null,
  key text not null check (char_length(key) between 1 and 255),
  fingerprint bytea not null check (octet_length(fingerprint) = 16),
  kind text not null check (kind in ('received', 'writtenOff', 'corrected')),
  -- What it added to stocked and to available.
  delta integer not null check (delta <> 0 or kind = 'received'),
  reason text check (char_length(reason) <= 500),
  created_at timestamptz not null,
  unique (caller, key),
  check (case kind when 'received' then delta >= 0 when 'writtenOff' then delta < 0 else true end)
);
create index stock_movements_of_product on stock_movements (product_id, id);

create table orders (
  id uuid primary key,
  -- Whose key it is: an account, or the merchant whose channel called. No foreign key, since it is one of two tables.
  caller uuid not null,
  key text not null check (char_length(key) between 1 and 255),
  -- The first 128 bits of a SHA-256 over what was asked for, so that a key cannot be used for something else.
  fingerprint bytea not null check (octet_length(fingerprint) = 16),
  customer_ref text check (char_length(customer_ref) between 1 and 200),
  home_shard smallint not null,
  status text not null default 'reserved' check (status in
    ('reserved', 'paid', 'partiallyShipped', 'shipped', 'delivered', 'cancelled', 'expired', 'refunded')),
  total bigint not null check (total between 0 and 9007199254740991),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  created_at timestamptz not null,
  expires_at timestamptz not null check (expires_at > created_at),
  paid_at timestamptz,
  constraint orders_key unique (caller, key),
  check (paid_at is not null or status in ('reserved', 'cancelled', 'expired')),
  check (paid_at is null or status <> 'reserved')
);
create index orders_of_caller on orders (caller, id);

-- No foreign keys here: on lines they cost 19 to 28 % of all throughput, and a line is only ever written in the
-- statement that writes its order and takes its stock; npm run verify looks for lines without either.
create table order_lines (
  order_id uuid not null,
  product_id uuid not null,
  quantity integer not null check (quantity between 1 and 10000),
  unit_price bigint not null check (unit_price between 0 and 1000000000),
  primary key (order_id, product_id)
);

-- Units taken from a shard for an order whose home is another shard (kind order), one row a product. The order's own
-- statement consumes them, whoever gave up releases them, and the sweeper releases what is past its time.
create table holds (
  shard smallint not null references shard_leases (shard),
  caller uuid not null,
  key text not null check (char_length(key) between 1 and 255),
  fingerprint bytea not null check (octet_length(fingerprint) = 16),
  product_id uuid not null references products (id),
  -- Which attempt of its caller may consume or release it; a later attempt takes it over and never gives it back.
  attempt uuid not null,
  kind text not null default 'order' check (kind in ('order', 'offer')),
  customer text not null check (char_length(customer) between 1 and 250),
  quantity integer not null check (quantity between 1 and 10000),
  unit_price bigint not null check (unit_price between 0 and 1000000000),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  expires_at timestamptz not null,
  primary key (shard, caller, key, fingerprint, product_id)
);
create index holds_by_expiry on holds (shard, expires_at);
create index holds_of_product on holds (product_id);

-- Units on their way back to a shard from an order whose home is another; applied once, by deleting the row.
create table pending_returns (
  id uuid primary key,
  shard smallint not null references shard_leases (shard),
  product_id uuid not null references products (id),
  order_id uuid not null references orders (id),
  customer text not null check (char_length(customer) between 1 and 250),
  quantity integer not null check (quantity between 1 and 10000),
  created_at timestamptz not null,
  unique (order_id, product_id)
);
create index pending_returns_of_shard on pending_returns (shard, id);
create index pending_returns_of_product on pending_returns (product_id);

-- Units a customer has of a limited product, in orders, holds and returns. Changed only by the product's own shard.
-- No foreign key, for the reason given at order_lines.
create table customer_units (
  product_id uuid not null,
  customer text not null check (char_length(customer) between 1 and 250),
  units integer not null check (units >= 0),
  primary key (product_id, customer)
) with (fillfactor = 70);

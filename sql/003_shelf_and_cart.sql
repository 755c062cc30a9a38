-- Edits of products, carts, and the end of reservations that nobody paid.

-- Whether customers' units of it are counted: from its first limit on, and still once the limit is gone, so that a row
-- of customer_units, where there is one, is always exact. A customer without a row is counted from its orders.
alter table products add column counts_units boolean not null default false;
update products set counts_units = limit_per_customer is not null;
alter table products add check (counts_units or limit_per_customer is null);

-- What the sweeper looks along: reservations by the moment their time is over.
create index orders_by_expiry on orders (home_shard, expires_at) where status = 'reserved';

-- The orders of one customer of a channel; its orders are the channel's, so the caller alone says little.
create index orders_of_customer_ref on orders (caller, customer_ref, id) where customer_ref is not null;

-- What an account has put aside to buy. The version counts its changes: a checkout sells what it has read or nothing.
create table carts (
  account_id uuid primary key references accounts (id),
  version bigint not null default 1 check (version > 0),
  updated_at timestamptz not null
) with (fillfactor = 70);

create table cart_lines (
  account_id uuid not null references carts (account_id),
  product_id uuid not null references products (id),
  quantity integer not null check (quantity between 1 and 10000),
  -- What it cost when it was put in, to say so when it costs something else.
  unit_price bigint not null check (unit_price between 0 and 1000000000),
  added_at timestamptz not null,
  primary key (account_id, product_id)
);
create index cart_lines_of_product on cart_lines (product_id);

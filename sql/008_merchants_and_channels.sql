-- Channels: the keys with which a merchant's own back end orders, and merchants who are off the shelf for a while.

-- Only the hash of a secret is kept. 256 random bits cannot be guessed, so a plain SHA-256 is as good as a slow hash.
create table api_keys (
  id uuid primary key,
  merchant_id uuid not null references merchants (id),
  name text not null check (char_length(name) between 1 and 200),
  secret_hash bytea not null check (octet_length(secret_hash) = 32),
  created_by uuid not null references accounts (id),
  created_at timestamptz not null default now(),
  -- Written at most once a minute, in the background.
  last_used_at timestamptz check (last_used_at >= created_at),
  revoked_at timestamptz check (revoked_at >= created_at)
);
create unique index api_keys_secret on api_keys (secret_hash);
create index api_keys_of_merchant on api_keys (merchant_id, id);
create index api_keys_of_creator on api_keys (created_by);

-- Whose products no list shows. Few, and each list asks for all of them.
create index merchants_suspended on merchants (id) where status = 'suspended';

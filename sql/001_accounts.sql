-- Who calls: accounts, their sessions, and the merchants they belong to.
--
-- Roles are never stored as such: a customer is any account, a merchant is a member of an approved merchant, an admin
-- has is_admin. They are read for each request, so that an approval or a suspension holds at once.

create table accounts (
  id uuid primary key,
  -- As it was typed; compared without regard to case. Null once erased, as name and password_hash.
  email text check (char_length(email) between 3 and 254 and position('@' in email) > 1),
  name text check (char_length(name) between 1 and 200),
  -- PHC string of Argon2id with its own salt and cost, so that the cost can be raised later.
  password_hash text check (password_hash like '$argon2id$%'),
  is_admin boolean not null default false,
  created_at timestamptz not null default now(),
  -- Personal data is gone, the row stays: the books refer to it.
  erased_at timestamptz check (erased_at >= created_at),
  constraint accounts_personal_data check (
    case
      when erased_at is null then email is not null and name is not null and password_hash is not null
      else email is null and name is null and password_hash is null and not is_admin
    end
  )
);
-- One account an address, however it is written.
create unique index accounts_email on accounts (lower(email));

create table sessions (
  id uuid primary key,
  account_id uuid not null references accounts (id),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz check (revoked_at >= created_at),
  check (expires_at > created_at)
);
create index sessions_of_account on sessions (account_id);
-- Ended sessions say nothing to anybody: the pruner deletes them along these two.
create index sessions_by_expiry on sessions (expires_at);
create index sessions_revoked on sessions (revoked_at) where revoked_at is not null;

create table merchants (
  id uuid primary key,
  name text not null check (char_length(name) between 1 and 200),
  status text not null default 'pending' check (status in ('pending', 'approved', 'suspended')),
  created_at timestamptz not null default now(),
  approved_at timestamptz check (approved_at >= created_at),
  -- Only what was approved once can be suspended.
  check ((status = 'pending') = (approved_at is null))
);

create table merchant_members (
  merchant_id uuid not null references merchants (id),
  account_id uuid not null references accounts (id),
  created_at timestamptz not null default now(),
  primary key (merchant_id, account_id)
);
create index merchant_members_of_account on merchant_members (account_id, merchant_id);

-- The catalogue at a million products: lists that read a page along an index whatever they ask for, and imports.

-- What lists choose by stands beside in_stock, so that one index can serve each of them: whose product it is, which
-- never changes, and whether it is archived. Two joined tables have no index in common: of a million products, most in
-- stock and most archived, a page of those that are in stock went past 210,000 of them and through 70,000 pages.
alter table stock add column merchant_id uuid, add column archived boolean not null default false;
update stock set merchant_id = p.merchant_id, archived = p.archived from products p where p.id = stock.product_id;
alter table stock alter column merchant_id set not null;

-- Both follow the product, whoever writes it, in the statement that does.
create function stock_follows_product() returns trigger language plpgsql as $$
begin
  select p.merchant_id, p.archived into new.merchant_id, new.archived from products p where p.id = new.product_id;
  return new;
end $$;
create trigger stock_follows_product before insert on stock for each row execute function stock_follows_product();

create function archive_stock() returns trigger language plpgsql as $$
begin
  update stock set archived = new.archived where product_id = new.id;
  return null;
end $$;
create trigger archive_stock after update of archived on products for each row
  when (old.archived <> new.archived) execute function archive_stock();

-- Lists that do not ask for stock.
create index products_listed on products (id) where not archived;
drop index products_of_merchant;
create index products_of_merchant on products (merchant_id, archived, id);

-- Lists that do. None mentions available, so a sale stays on its page as before; in_stock changes only at zero.
drop index stock_on_the_shelf;
create index stock_on_the_shelf on stock (in_stock, product_id) where not archived;
create index stock_of_merchant on stock (merchant_id, in_stock, product_id) where not archived;

-- The words that a search looks for in a name: split at ASCII punctuation, which PostgreSQL's parser would read numbers,
-- hosts, paths and signs into ("USB 3.5", "black/white", "Series-2000" were found by their beginnings alone), and one
-- word however its accents were typed. What is asked for is split in the same way, in searchWords.ts. By characters
-- and not by [[:alnum:]], which is another set in another locale.
create function words_of(name text) returns tsvector language sql immutable parallel safe
  return to_tsvector('simple',
    translate(normalize(name, nfc), $$!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~$$, repeat(' ', 32)));

-- Kept with the product: a search along the list asks 20,000 of them, and to split each name then took it 170 ms.
alter table products add column words tsvector not null generated always as (words_of(name)) stored;

-- Words of what is listed only. Without a pending list: every search would have to read all of it.
drop index products_by_words;
create index products_by_words on products using gin (words) with (fastupdate = off) where not archived;

-- A merchant's import: which body its key stands for, and chunk by chunk what came of its rows. A chunk's row is
-- written in the statement that creates its products, so that whoever sends the import again goes on where it ended.
create table imports (
  id uuid primary key,
  caller uuid not null,
  key text not null check (char_length(key) between 1 and 255),
  -- The first 128 bits of a SHA-256 over the body and what it was sent for.
  fingerprint bytea not null check (octet_length(fingerprint) = 16),
  created_at timestamptz not null,
  constraint imports_key unique (caller, key)
);

create table import_chunks (
  import_id uuid not null references imports (id),
  chunk smallint not null check (chunk >= 0),
  results json not null,
  primary key (import_id, chunk)
);

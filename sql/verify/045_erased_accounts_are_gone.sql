-- An erased account is nobody's member any more.
with offenders as materialized (
  select a.id as "accountId", m.merchant_id as "merchantId"
  from accounts a join merchant_members m on m.account_id = a.id
  where a.erased_at is not null
)
select (select count(*) from offenders) as violations,
  (select count(*) from accounts where erased_at is not null) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

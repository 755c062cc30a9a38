-- An offer holds one product for its own account, and its place on the waiting list is gone.
with offers as (
  select h.*, count(*) over (partition by h.attempt) as products from holds h where h.kind = 'offer'
),
offenders as materialized (
  select o.attempt as "offerId", o.product_id as "productId", o.caller, o.customer, o.products, q.id is not null as "stillWaits"
  from offers o left join waiting_list q on q.id = o.attempt
  where o.customer <> o.caller::text or o.products > 1 or q.id is not null
)
select (select count(*) from offenders) as violations,
  (select count(*) from holds where kind = 'offer') as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

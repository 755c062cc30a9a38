-- Holds and returns are in the shard of their product.
with away as (
  select 'hold' as kind, shard, product_id, quantity from holds
  union all
  select 'return', shard, product_id, quantity from pending_returns
),
offenders as materialized (
  select a.kind, a.shard, a.product_id as "productId", p.shard as "productShard", a.quantity
  from away a join products p on p.id = a.product_id
  where a.shard <> p.shard
)
select (select count(*) from offenders) as violations,
  (select count(*) from away) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

-- The home shard of an order is the lowest of its products' shards.
with lowest as (
  select l.order_id, min(p.shard) as shard
  from order_lines l join products p on p.id = l.product_id
  group by l.order_id
),
offenders as materialized (
  select o.id as "orderId", o.home_shard as "homeShard", w.shard as "lowestShard"
  from orders o join lowest w on w.order_id = o.id
  where o.home_shard <> w.shard
)
select (select count(*) from offenders) as violations,
  (select count(*) from orders) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

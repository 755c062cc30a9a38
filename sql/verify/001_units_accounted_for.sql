-- Every unit of a product is available, in a live order, under a hold or on its way back.
with taken as (
  select product_id, sum(ordered) as ordered, sum(held) as held, sum(on_the_way) as on_the_way
  from (
    select l.product_id, l.quantity as ordered, 0 as held, 0 as on_the_way
    from order_lines l join orders o on o.id = l.order_id
    where o.status not in ('cancelled', 'expired', 'refunded')
    union all
    select product_id, 0, quantity, 0 from holds
    union all
    select product_id, 0, 0, quantity from pending_returns
  ) as single
  group by product_id
),
offenders as materialized (
  select s.product_id as "productId", s.stocked, s.available, coalesce(t.ordered, 0) as ordered,
    coalesce(t.held, 0) as held, coalesce(t.on_the_way, 0) as "onTheWay"
  from stock s left join taken t on t.product_id = s.product_id
  where s.stocked <> s.available + coalesce(t.ordered + t.held + t.on_the_way, 0)
)
select (select count(*) from offenders) as violations,
  (select count(*) from stock) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

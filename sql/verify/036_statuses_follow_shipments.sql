-- An order is shipped in part, shipped or delivered exactly as far as the shipments of its merchants are.
with sold as (
  select l.order_id, count(distinct p.merchant_id) as merchants
  from orders o join order_lines l on l.order_id = o.id join products p on p.id = l.product_id
  where o.status in ('partiallyShipped', 'shipped', 'delivered')
  group by l.order_id
),
sent as (
  select order_id, count(*) as shipments, count(delivered_at) as arrived from shipments group by order_id
),
counted as (
  select o.id, o.status, coalesce(sold.merchants, 0) as merchants, coalesce(sent.shipments, 0) as shipments,
    coalesce(sent.arrived, 0) as arrived
  from orders o left join sold on sold.order_id = o.id left join sent on sent.order_id = o.id
),
offenders as materialized (
  select id as "orderId", status, merchants, shipments, arrived
  from counted
  where not case status
      when 'partiallyShipped' then shipments between 1 and merchants - 1
      when 'shipped' then shipments = merchants and arrived < merchants
      when 'delivered' then shipments = merchants and arrived = merchants
      else shipments = 0
    end
)
select (select count(*) from offenders) as violations,
  (select count(*) from orders) as checked,
  (select coalesce(json_agg(o), '[]') from (select * from offenders limit 100) as o) as examples;

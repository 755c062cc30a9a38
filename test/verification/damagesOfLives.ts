/**
 * Damage to payments, shipments, waiting lists and offers; each breaks one rule alone.
 */
import type { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { newCaller } from "../inventory/fixtures.ts"
import { appendBatch, type WorldValues } from "./world.ts"

type Damage = (
  world: WorldValues,
  sql: PgClient.PgClient,
) => Effect.Effect<unknown, SqlError.SqlError, PgClient.PgClient>

export const damagesOfLives: ReadonlyArray<readonly [rule: string, what: string, damage: Damage]> = [
  [
    "paid_orders_have_their_money",
    "a paid order whose payment is gone",
    ({ paid }, sql) => sql`delete from payments where order_id = ${paid}::uuid`,
  ],
  [
    "paid_orders_have_their_money",
    "a reservation that somebody has paid for",
    ({ paying }, sql) =>
      Effect.gen(function* () {
        const [payment] = yield* sql<{ readonly id: string }>`
          update payments set status = 'succeeded', settled_at = created_at where order_id = ${paying}::uuid returning id`
        yield* appendBatch(0, [{ type: "payment.succeeded", orderId: paying, paymentId: payment?.id }])
      }),
  ],
  [
    "refunds_give_money_back",
    "a refunded order that was never paid",
    ({ refunded }, sql) => sql`delete from payments where order_id = ${refunded}::uuid`,
  ],
  [
    "payments_are_of_totals",
    "a charge of a cent more than the order",
    ({ paid }, sql) =>
      sql`update payments set amount = amount + 1 where order_id = ${paid}::uuid and status = 'succeeded'`,
  ],
  [
    "payments_are_of_totals",
    "a charge in another currency",
    ({ paid }, sql) => sql`update payments set currency = 'USD' where order_id = ${paid}::uuid and status = 'declined'`,
  ],
  [
    "statuses_follow_shipments",
    "a delivered order of which a parcel is under way",
    ({ delivered }, sql) => sql`
      update shipments set delivered_at = null
      where id = (select id from shipments where order_id = ${delivered}::uuid limit 1)`,
  ],
  [
    "statuses_follow_shipments",
    "a shipped order whose parcels have all arrived",
    ({ shipped }, sql) =>
      Effect.gen(function* () {
        const [parcel] = yield* sql<{ readonly id: string }>`
          update shipments set delivered_at = created_at where order_id = ${shipped}::uuid returning id`
        yield* appendBatch(0, [{ type: "shipment.delivered", orderId: shipped, shipmentId: parcel?.id }])
      }),
  ],
  [
    "statuses_follow_shipments",
    "an order shipped in part of which nothing was sent",
    ({ partly }, sql) => sql`delete from shipments where order_id = ${partly}::uuid`,
  ],
  [
    "statuses_follow_shipments",
    "a parcel of an order that nobody has paid",
    ({ paying, seller }, sql) =>
      Effect.gen(function* () {
        const [parcel] = yield* sql<{ readonly id: string }>`
          insert into shipments (id, order_id, merchant_id, carrier, tracking_number, created_at)
          values (gen_random_uuid(), ${paying}::uuid, ${seller}::uuid, 'post', '1', now()) returning id`
        yield* appendBatch(0, [{ type: "shipment.sent", orderId: paying, shipmentId: parcel?.id }])
      }),
  ],
  [
    "shipments_are_of_sellers",
    "a parcel of a merchant who sells nothing in it",
    ({ seller, shipped }, sql) =>
      sql`update shipments set merchant_id = ${seller}::uuid where order_id = ${shipped}::uuid`,
  ],
  [
    "places_are_in_their_shard",
    "a place in a shard that does not have its product",
    (_world, sql) => sql`update waiting_list set shard = 0`,
  ],
  [
    "places_are_in_their_shard",
    "a place given by a batch that nobody wrote yet",
    (_world, sql) => sql`update waiting_list set batch = batch + 1000`,
  ],
  [
    "offers_are_of_one_place",
    "an offer whose place is still on the list",
    ({ offer, wanted }, sql) =>
      Effect.gen(function* () {
        const account = newCaller()
        yield* sql`insert into accounts (id, email, name, password_hash) values (${account}::uuid, 'again@example.com', 'A', '$argon2id$x')`
        yield* sql`
          insert into waiting_list (id, product_id, account_id, shard, quantity, batch, number, joined_at)
          values (${offer}::uuid, ${wanted}::uuid, ${account}::uuid, 1, 1, 1, 9, now())`
      }),
  ],
  [
    "offers_are_of_one_place",
    "an offer that is held for somebody else",
    ({ offer }, sql) => sql`update holds set caller = gen_random_uuid() where attempt = ${offer}::uuid`,
  ],
  [
    "lives_have_events",
    "a payment that the log does not tell of",
    ({ paying }, sql) =>
      sql`update batches set events = '[]' where events::text like ${`%payment.processing%${paying}%`}`,
  ],
  [
    "lives_have_events",
    "an order that is paid twice",
    ({ paid }) => appendBatch(0, [{ type: "order.paid", orderId: paid }]),
  ],
  [
    "lives_have_events",
    "a parcel that is sent twice",
    ({ shipped }, sql) =>
      Effect.gen(function* () {
        const [parcel] = yield* sql<{ readonly id: string }>`select id from shipments where order_id = ${shipped}::uuid`
        yield* appendBatch(0, [{ type: "shipment.sent", orderId: shipped, shipmentId: parcel?.id }])
      }),
  ],
  [
    "lives_have_events",
    "a delivery that the log does not tell of",
    ({ delivered }, sql) =>
      sql`update batches set events = '[]' where events::text like ${`%shipment.delivered%${delivered}%`}`,
  ],
  [
    "events_have_endings",
    "a refund told of an order that goes on",
    ({ paid }) => appendBatch(0, [{ type: "order.refunded", orderId: paid }]),
  ],
  [
    "endings_have_events",
    "a refund that is told twice",
    ({ refunded }) => appendBatch(0, [{ type: "order.refunded", orderId: refunded }]),
  ],
  [
    "holds_end_in_time",
    "an offer that nobody took back, under a writer of long standing",
    ({ offer }, sql) =>
      Effect.andThen(
        sql`update shard_leases set acquired_at = now() - interval '1 hour'`,
        sql`update holds set expires_at = now() - interval '61 s' where attempt = ${offer}::uuid`,
      ),
  ],
]

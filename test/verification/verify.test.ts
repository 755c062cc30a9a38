/** Every rule of `verify` holds over a shop that sold, and sees the damage it is there for and no other rule does. */
import { NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import { cartLinesMax } from "../../src/carts/cart.ts"
import * as PostgresShardStore from "../../src/inventory/store/PostgresShardStore.ts"
import { readRules, verify } from "../../src/verification/verify.ts"
import { testDatabase } from "../platform/testDatabase.ts"
import { damagesOfLives } from "./damagesOfLives.ts"
import { webhookDamages } from "./webhookDamages.ts"
import { appendBatch, cancelBoth, makeWorld, rolledBack, violated, type WorldValues } from "./world.ts"

const databases = testDatabase.pipe(Layer.provideMerge(NodeServices.layer))

layer(databases, { excludeTestServices: true })("verify of a database without any row", (it) => {
  it.effect("finds nothing to check and nothing wrong", () =>
    Effect.gen(function* () {
      const results = yield* verify()
      assert.deepStrictEqual(yield* violated, [])
      assert.strictEqual(results.length, (yield* readRules).length)
      for (const { checked, examples } of results)
        assert.deepStrictEqual({ checked, examples }, { checked: 0, examples: [] })
    }),
  )

  it.effect("has a sentence for every rule, and no two of one name", () =>
    Effect.gen(function* () {
      const rules = yield* readRules
      for (const { sentence } of rules) assert.match(sentence, /^[A-Z].+\.$/)
      assert.strictEqual(new Set(rules.map((rule) => rule.name)).size, rules.length)
    }),
  )
})

class World extends Context.Service<World, Effect.Success<typeof makeWorld>>()("test/verification/World") {
  static readonly layer = Layer.effect(World, makeWorld)
}
const worlds = World.layer.pipe(
  Layer.provideMerge(PostgresShardStore.layer),
  Layer.provideMerge(databases),
  Layer.orDie,
)

type Damage = (
  world: WorldValues,
  sql: PgClient.PgClient,
) => Effect.Effect<unknown, SqlError.SqlError, PgClient.PgClient>

const each = (...statements: ReadonlyArray<Effect.Effect<unknown, SqlError.SqlError>>) =>
  Effect.all(statements, { discard: true })

/** Puts lines of products that nobody knows into the cart of the world, which has one line. */
const putMoreIntoCart = (sql: PgClient.PgClient, lines: number) => sql`
  insert into cart_lines (account_id, product_id, quantity, unit_price, added_at)
  select account_id, gen_random_uuid(), 1, 1, now() from carts, generate_series(1, ${lines}::integer)`

/** One more unit of an order on its way back to a shard. */
const sendBack = Effect.fnUntraced(function* (orderId: string, productId: string, shard: number) {
  const sql = yield* PgClient.PgClient
  yield* sql`
    insert into pending_returns (id, shard, product_id, order_id, customer, quantity, created_at)
    select gen_random_uuid(), ${shard}::smallint, ${productId}::uuid, id, caller::text, 1, now() from orders
    where id = ${orderId}::uuid`
})

/** By rule and in words; the damage breaks that rule alone. */
const damages: ReadonlyArray<readonly [rule: string, what: string, damage: Damage]> = [
  [
    "units_accounted_for",
    "a unit that left the shelf for nobody",
    ({ plain }, sql) => sql`update stock set available = available - 1 where product_id = ${plain}::uuid`,
  ],
  [
    "units_accounted_for",
    "an order cancelled without giving its units back",
    ({ single }, sql) =>
      Effect.gen(function* () {
        yield* sql`update orders set status = 'cancelled' where id = ${single}::uuid`
        yield* appendBatch(0, [{ type: "order.cancelled", orderId: single }])
      }),
  ],
  [
    "units_accounted_for",
    "an order expired whose units came back twice",
    ({ plain, single }, sql) =>
      Effect.gen(function* () {
        yield* sql`
          update orders set status = 'expired', expires_at = created_at + interval '1 us' where id = ${single}::uuid`
        yield* sql`update stock set available = available + 4 where product_id = ${plain}::uuid`
        yield* appendBatch(0, [{ type: "order.expired", orderId: single }])
      }),
  ],
  [
    "units_accounted_for",
    "units on their way back that are on the shelf already",
    (world, sql) =>
      Effect.gen(function* () {
        yield* cancelBoth(world)
        yield* sql`update stock set available = available + 1 where product_id = ${world.limited}::uuid`
      }),
  ],
  [
    "no_oversell",
    "a hold of more than there is",
    ({ unsold }, sql) =>
      each(
        sql`alter table stock drop constraint stock_no_oversell`,
        sql`update stock set available = -1 where product_id = ${unsold}::uuid`,
        sql`
          insert into holds (shard, caller, key, fingerprint, product_id, attempt, customer, quantity, unit_price, currency, expires_at)
          select 0, id, 'k', decode(repeat('00', 16), 'hex'), id, id, 'c', 11, 1, 'EUR', now() + interval '30 s'
          from products where id = ${unsold}::uuid`,
      ),
  ],
  [
    "movements_add_up",
    "stock that was never received",
    ({ plain }, sql) =>
      sql`update stock set stocked = stocked + 1, available = available + 1 where product_id = ${plain}::uuid`,
  ],
  [
    "products_are_complete",
    "a product without its stock row",
    ({ unsold }, sql) => sql`delete from stock where product_id = ${unsold}::uuid`,
  ],
  [
    "products_are_complete",
    "a product whose first movement is gone",
    ({ unsold }, sql) => sql`update stock_movements set key = 'other' where product_id = ${unsold}::uuid`,
  ],
  [
    "orders_have_lines",
    "an order of nothing",
    (_world, sql) =>
      Effect.gen(function* () {
        const [order] = yield* sql<{ readonly id: string }>`
          insert into orders (id, caller, key, fingerprint, home_shard, total, currency, created_at, expires_at)
          values (gen_random_uuid(), gen_random_uuid(), 'k', decode(repeat('00', 16), 'hex'), 0, 0, 'EUR', now(), now() + interval '1 h')
          returning id`
        yield* appendBatch(0, [{ type: "order.reserved", orderId: order?.id }])
      }),
  ],
  [
    "totals_are_sums",
    "an order that costs a cent more than its lines",
    ({ single }, sql) => sql`update orders set total = total + 1 where id = ${single}::uuid`,
  ],
  [
    "lines_have_orders",
    "a line of no order",
    ({ plain }, sql) =>
      sql`insert into order_lines (order_id, product_id, quantity, unit_price) values (gen_random_uuid(), ${plain}::uuid, 1, 1)`,
  ],
  [
    "lines_have_products",
    "a line that sells something unknown",
    ({ single }, sql) =>
      sql`insert into order_lines (order_id, product_id, quantity, unit_price) values (${single}::uuid, gen_random_uuid(), 1, 0)`,
  ],
  [
    "one_currency_an_order",
    "a product sold in another currency",
    ({ plain }, sql) => sql`update products set currency = 'USD' where id = ${plain}::uuid`,
  ],
  [
    "one_order_a_key",
    "two orders of one caller with one key",
    ({ other, single }, sql) =>
      each(
        sql`alter table orders drop constraint orders_key`,
        sql`
          update orders o set caller = s.caller, key = s.key from orders s
          where o.id = ${other}::uuid and s.id = ${single}::uuid`,
      ),
  ],
  [
    "holds_end_in_time",
    "a hold that nobody gave back, under a writer of long standing",
    (_world, sql) =>
      each(
        sql`update shard_leases set acquired_at = now() - interval '1 hour'`,
        sql`update holds set expires_at = now() - interval '61 s'`,
      ),
  ],
  [
    "returns_arrive_in_time",
    "units that nobody took back, under a writer of long standing",
    (world, sql) =>
      Effect.gen(function* () {
        yield* cancelBoth(world)
        yield* sql`update shard_leases set acquired_at = now() - interval '1 hour'`
        yield* sql`update pending_returns set created_at = now() - interval '61 s'`
      }),
  ],
  [
    "customer_units",
    "a customer counted for more than was taken",
    (_world, sql) => sql`update customer_units set units = units + 1 where customer = 'ref:somebody'`,
  ],
  [
    "customer_units",
    "a count that went wrong after its product lost its limit",
    ({ limited }, sql) =>
      each(
        sql`update products set limit_per_customer = null where id = ${limited}::uuid`,
        sql`update customer_units set units = units - 1 where customer = 'ref:somebody'`,
      ),
  ],
  [
    "batches_without_gaps",
    "a batch missing between others",
    (_world, sql) =>
      Effect.gen(function* () {
        yield* appendBatch(0)
        yield* appendBatch(0)
        yield* sql`delete from batches b using shard_leases l where l.shard = 0 and b.shard = 0 and b.batch = l.batch - 1`
      }),
  ],
  [
    "batches_without_gaps",
    "the lease's own batch missing",
    (_world, sql) => sql`update shard_leases set batch = batch + 1 where shard = 0`,
  ],
  [
    "batches_up_to_the_lease",
    "a batch that the lease does not know",
    (_world, sql) =>
      sql`
        insert into batches (shard, batch, epoch, committed_at)
        select shard, batch + 1, epoch, now() from shard_leases where shard = 0`,
  ],
  [
    "epochs_up_to_the_lease",
    "a batch of an epoch that never began",
    (_world, sql) => sql`update shard_leases set epoch = epoch - 1 where shard = 0`,
  ],
  [
    "epochs_never_fall",
    "a fenced writer's batch after its successor's",
    (_world, sql) =>
      each(
        sql`update shard_leases set epoch = epoch + 2 where shard = 0`,
        sql`update batches set epoch = epoch + 1 where shard = 0 and batch = 1`,
      ),
  ],
  [
    "shards_have_leases",
    "a product in a shard that nobody can write",
    ({ unsold }, sql) =>
      each(
        sql`alter table products drop constraint products_shard_fkey`,
        sql`update products set shard = 9 where id = ${unsold}::uuid`,
      ),
  ],
  [
    "orders_are_at_home",
    "an order at home above its lowest shard",
    ({ plain }, sql) => sql`update products set shard = 1 where id = ${plain}::uuid`,
  ],
  [
    "units_return_to_their_shard",
    "a hold in a shard that does not have its product",
    ({ unsold }, sql) =>
      each(
        sql`update stock set available = available - 1 where product_id = ${unsold}::uuid`,
        sql`
          insert into holds (shard, caller, key, fingerprint, product_id, attempt, customer, quantity, unit_price, currency, expires_at)
          select 1, id, 'k', decode(repeat('00', 16), 'hex'), id, id, 'c', 1, 1, 'EUR', now() + interval '30 s'
          from products where id = ${unsold}::uuid`,
      ),
  ],
  [
    "events_have_orders",
    "an order told of and never placed",
    () => appendBatch(0, [{ type: "order.reserved", orderId: "0193d5a0-0000-7000-8000-000000000000" }]),
  ],
  [
    "orders_have_events",
    "an order that the log does not tell of",
    ({ single }, sql) => sql`update batches set events = '[]' where events::text like ${`%${single}%`}`,
  ],
  [
    "orders_have_events",
    "an order that the log tells of twice",
    ({ single }) => appendBatch(0, [{ type: "order.reserved", orderId: single }]),
  ],
  [
    "reservations_end_in_time",
    "a reservation that nobody ended, under a writer of long standing",
    ({ single }, sql) =>
      each(
        sql`update shard_leases set acquired_at = now() - interval '1 hour'`,
        sql`
          update orders set created_at = now() - interval '1 hour', expires_at = now() - interval '61 s'
          where id = ${single}::uuid`,
      ),
  ],
  [
    "events_have_endings",
    "a cancellation told of an order that goes on",
    ({ single }) => appendBatch(0, [{ type: "order.cancelled", orderId: single }]),
  ],
  [
    "endings_have_events",
    "an order cancelled that the log does not tell of",
    ({ cancelled }, sql) =>
      sql`update batches set events = '[]' where events::text like ${`%order.cancelled%${cancelled}%`}`,
  ],
  [
    "endings_have_events",
    "an order that expired twice",
    ({ expired }) => appendBatch(0, [{ type: "order.expired", orderId: expired }]),
  ],
  [
    "endings_keep_to_time",
    "an order cancelled after its time",
    ({ cancelled }, sql) =>
      sql`update orders set expires_at = created_at + interval '1 us' where id = ${cancelled}::uuid`,
  ],
  [
    "endings_keep_to_time",
    "an order that expired before its time",
    ({ expired }, sql) => sql`update orders set expires_at = now() + interval '1 hour' where id = ${expired}::uuid`,
  ],
  [
    "returns_are_of_ended_orders",
    "a return of what the order never had",
    (world, sql) =>
      Effect.gen(function* () {
        yield* cancelBoth(world)
        yield* sql`update stock set available = available - 1 where product_id = ${world.unsold}::uuid`
        yield* sendBack(world.both, world.unsold, 0)
      }),
  ],
  [
    "returns_are_of_ended_orders",
    "a line that comes back twice",
    (world, sql) =>
      Effect.gen(function* () {
        yield* cancelBoth(world)
        yield* sql`alter table pending_returns drop constraint pending_returns_order_id_product_id_key`
        yield* sql`update stock set available = available - 1 where product_id = ${world.limited}::uuid`
        yield* sql`
          update customer_units set units = units + 1
          where customer = (select caller::text from orders where id = ${world.both}::uuid)`
        yield* sendBack(world.both, world.limited, 1)
      }),
  ],
  [
    "returns_are_of_ended_orders",
    "units of an order that still has them",
    ({ plain, single }, sql) =>
      each(
        sql`update stock set available = available - 2 where product_id = ${plain}::uuid`,
        sql`
          insert into pending_returns (id, shard, product_id, order_id, customer, quantity, created_at)
          select gen_random_uuid(), 0, ${plain}::uuid, id, caller::text, 2, now() from orders where id = ${single}::uuid`,
      ),
  ],
  [
    "versions_count_edits",
    "a product edited past its writer",
    ({ plain }, sql) => sql`update products set version = version + 1 where id = ${plain}::uuid`,
  ],
  [
    "versions_count_edits",
    "an edit that the log tells of twice",
    ({ unsold }) => appendBatch(0, [{ type: "product.amended", productId: unsold, version: 2 }]),
  ],
  [
    "products_change_in_time",
    "a product that was changed before it was there",
    ({ plain }, sql) =>
      sql`update products set updated_at = created_at - interval '1 second' where id = ${plain}::uuid`,
  ],
  [
    "limits_are_counted",
    "a limited product whose units nobody counts",
    ({ limited }, sql) =>
      each(
        sql`alter table products drop constraint products_check`,
        sql`delete from customer_units`,
        sql`update products set counts_units = false where id = ${limited}::uuid`,
      ),
  ],
  [
    "carts_fit_an_order",
    "a line of a cart that is gone",
    (_world, sql) =>
      each(
        sql`alter table cart_lines drop constraint cart_lines_account_id_fkey`,
        sql`update cart_lines set account_id = gen_random_uuid()`,
      ),
  ],
  [
    "carts_fit_an_order",
    "a cart with more than an order may have",
    (_world, sql) =>
      each(sql`alter table cart_lines drop constraint cart_lines_product_id_fkey`, putMoreIntoCart(sql, cartLinesMax)),
  ],
  [
    "shelves_follow_products",
    "a product on the shelf that is archived",
    ({ limited }, sql) => sql`update stock set archived = true where product_id = ${limited}::uuid`,
  ],
  ...damagesOfLives,
  ...webhookDamages,
  [
    "erased_accounts_are_gone",
    "a member whose account is erased",
    (_world, sql) => sql`
      with gone as (
        insert into accounts (id, created_at, erased_at) values (gen_random_uuid(), now(), now()) returning id)
      insert into merchant_members (merchant_id, account_id) select m.id, gone.id from merchants m, gone`,
  ],
]

layer(worlds, { excludeTestServices: true })("verify of a shop that sold", (it) => {
  it.effect("holds after orders, holds and movements through the writers, and looked at all of them", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* violated, [])
      const checked = Object.fromEntries((yield* verify()).map((result) => [result.name, result.checked]))
      assert.deepStrictEqual(
        [checked["units_accounted_for"], checked["orders_have_lines"], checked["lines_have_orders"]],
        [6, 13, 16],
      )
      assert.deepStrictEqual(
        [checked["holds_end_in_time"], checked["customer_units"], checked["orders_have_events"]],
        [2, 5, 13],
      )
      assert.deepStrictEqual(
        [checked["events_have_endings"], checked["endings_have_events"], checked["carts_fit_an_order"]],
        [3, 3, 1],
      )
      assert.deepStrictEqual(
        [checked["payments_are_of_totals"], checked["shipments_are_of_sellers"], checked["statuses_follow_shipments"]],
        [7, 4, 13],
      )
      assert.deepStrictEqual(
        [checked["places_are_in_their_shard"], checked["offers_are_of_one_place"], checked["refunds_give_money_back"]],
        [1, 1, 1],
      )
    }),
  )

  for (const [rule, what, damage] of damages) {
    it.effect(`${rule} alone sees ${what}`, () =>
      Effect.gen(function* () {
        const world = yield* World
        const sql = yield* PgClient.PgClient
        const found = yield* rolledBack(Effect.andThen(damage(world, sql), violated))
        assert.deepStrictEqual(
          found?.map(({ name }) => name),
          [rule],
        )
        assert.isDefined(found?.[0]?.example)
      }),
    )
  }

  it.effect("has a damage for every rule", () =>
    Effect.gen(function* () {
      const rules = (yield* readRules).map((rule) => rule.name)
      assert.deepStrictEqual([...new Set(damages.map(([rule]) => rule))], rules)
    }),
  )

  it.effect("holds while units are on their way back and after the oldest batches were pruned", () =>
    Effect.gen(function* () {
      const world = yield* World
      const sql = yield* PgClient.PgClient
      const prune = sql`delete from batches b using shard_leases l where l.shard = b.shard and b.batch < l.batch`
      const found = yield* rolledBack(Effect.andThen(cancelBoth(world), Effect.andThen(prune, violated)))
      assert.deepStrictEqual(found, [])
    }),
  )

  it.effect("does not blame a writer that has just come for what it found", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const found = yield* rolledBack(
        Effect.andThen(sql`update holds set expires_at = now() - interval '1 hour'`, violated),
      )
      assert.deepStrictEqual(found, [])
    }),
  )

  it.effect("blames a cart for the first line above what the service lets in, and not before", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const violations = (lines: number) =>
        rolledBack(
          each(
            sql`alter table cart_lines drop constraint cart_lines_product_id_fkey`,
            putMoreIntoCart(sql, lines - 1),
          ).pipe(Effect.andThen(verify())),
        ).pipe(Effect.map((results) => results?.find(({ name }) => name === "carts_fit_an_order")?.violations))
      const unknownProducts = cartLinesMax - 1
      assert.strictEqual(yield* violations(cartLinesMax), unknownProducts)
      assert.strictEqual(yield* violations(cartLinesMax + 1), unknownProducts + 1 + 1)
    }),
  )

  it.effect("counts every offender and shows a hundred", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const strays = sql`
        insert into order_lines (order_id, product_id, quantity, unit_price)
        select gen_random_uuid(), id, 1, 1 from products, generate_series(1, 35) where shard = 0`
      const results = yield* rolledBack(Effect.andThen(strays, verify()))
      const stray = results?.find((result) => result.name === "lines_have_orders")
      assert.deepStrictEqual([stray?.violations, stray?.examples.length], [140, 100])
    }),
  )
})

layer(databases, { excludeTestServices: true })("verify while no service runs", (it) => {
  it.effect("blames nobody for a hold that ran out after the last batch, but for one long before it", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* sql`insert into shard_leases (shard, epoch, acquired_at) values (0, 1, now() - interval '1 day')`
      yield* sql`insert into merchants (id, name) values (gen_random_uuid(), 'M')`
      yield* sql`
        insert into products (id, merchant_id, shard, name, price, currency, created_at, updated_at)
        select gen_random_uuid(), id, 0, 'P', 1, 'EUR', now(), now() from merchants`
      yield* sql`
        insert into stock_movements (id, product_id, caller, key, fingerprint, kind, delta, created_at)
        select id, id, id, 'created', decode(repeat('00', 16), 'hex'), 'received', 1, now() from products`
      yield* sql`insert into stock (product_id, stocked, available) select id, 1, 0 from products`
      yield* sql`
        insert into holds (shard, caller, key, fingerprint, product_id, attempt, customer, quantity, unit_price, currency, expires_at)
        select 0, id, 'k', decode(repeat('00', 16), 'hex'), id, id, 'c', 1, 1, 'EUR', now() - interval '1 hour' from products`
      yield* appendBatch(0)
      yield* sql`update batches set committed_at = now() - interval '1 hour'`
      assert.deepStrictEqual(yield* violated, [])
      yield* sql`update batches set committed_at = now() - interval '58 min'`
      assert.deepStrictEqual(
        (yield* violated).map(({ name }) => name),
        ["holds_end_in_time"],
      )
    }),
  )
})

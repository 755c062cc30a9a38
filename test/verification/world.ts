/**
 * A shop that has sold: orders of one shard and of two, one cancelled and one expired, a hold, a limited product, an
 * edit and movements, all made by real actors, and a cart. Tests damage it inside transactions that are rolled back.
 */
import { PgClient } from "@effect/sql-pg"
import { Clock, Effect, Record, Schema } from "effect"
import type { Command } from "../../src/domain/commands.ts"
import type { Shard } from "../../src/domain/ids.ts"
import * as ShardActor from "../../src/inventory/shard/ShardActor.ts"
import { ShardStore } from "../../src/inventory/store/ShardStore.ts"
import { isViolated, verify } from "../../src/verification/verify.ts"
import { makeLives } from "./worldOfLives.ts"
import { hold, makeMerchant, makeProduct, makeShards, newAttempt, reserve, restock } from "../inventory/fixtures.ts"

const startActor = Effect.fnUntraced(function* (shard: Shard) {
  const store = yield* ShardStore
  const actor = yield* ShardActor.make(
    shard,
    store,
    { mailboxSize: 100, batchSizeMax: 512, lingerMillis: 0, offerTtlMillis: 60_000 },
    () => {},
  )
  const lease = (yield* store.acquire([shard], "test")).get(shard)
  if (lease !== undefined) actor.grant(lease)
  return Effect.fnUntraced(function* <C extends Command>(command: C) {
    return yield* actor.submit(command, (yield* Clock.currentTimeMillis) + 5_000)
  })
})

const fillCart = Effect.fnUntraced(function* (productId: string) {
  const sql = yield* PgClient.PgClient
  yield* sql`
    with account as (
      insert into accounts (id, email, name, password_hash)
      values (gen_random_uuid(), 'a@example.com', 'A', '$argon2id$x') returning id
    ), cart as (
      insert into carts (account_id, updated_at) select id, now() from account returning account_id
    )
    insert into cart_lines (account_id, product_id, quantity, unit_price, added_at)
    select account_id, ${productId}::uuid, 1, 1000, now() from cart`
})

/**
 * Products: `plain` and `unsold` in shard 0, `limited` in shard 1; orders: `single`, `other`, `cancelled` and `expired`
 * of shard 0, `both`. `unsold` was edited, and is in somebody's cart. Beside them the orders and waiters of `makeLives`,
 * with products of their own.
 */
export const makeWorld = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* makeShards(2)
  const atZero = yield* startActor(0)
  const atOne = yield* startActor(1)
  const merchant = yield* makeMerchant()
  const plain = yield* makeProduct(merchant, 10)
  const unsold = yield* makeProduct(merchant, 10)
  const limited = yield* makeProduct(merchant, 10, { shard: 1, price: 7, limitPerCustomer: 5 })

  const single = reserve([[plain, 2]])
  yield* atZero(single)
  const other = reserve([[plain, 1]])
  yield* atZero(other)
  yield* atOne(reserve([[limited, 2]], { customer: "ref:somebody", customerRef: "somebody" }))
  const both = reserve([[plain, 1]])
  const attempt = newAttempt()
  const { caller, fingerprint, key } = both
  yield* atOne(hold([[limited, 1]], { caller, key, fingerprint, attempt }))
  const lines = [{ productId: limited, quantity: 1, unitPrice: 7 }]
  yield* atZero({
    ...both,
    held: [{ shard: 1, attempt, key, fingerprint, currency: "EUR", lines, reservationTtlSeconds: null }],
  })
  yield* atZero(restock(plain, 5))
  yield* atOne(hold([[limited, 1]]))

  const [cancelled, expired] = [reserve([[plain, 1]]), reserve([[plain, 1]])]
  const plainLine = () => [{ productId: plain, shard: 0, returnId: newAttempt() }]
  yield* atZero(cancelled)
  yield* atZero({ _tag: "Cancel", orderId: cancelled.orderId, lines: plainLine() })
  yield* atZero(expired)
  yield* sql`update orders set expires_at = created_at + interval '1 us' where id = ${expired.orderId}::uuid`
  yield* atZero({ _tag: "Expire", orderId: expired.orderId, lines: plainLine() })
  yield* atZero({ _tag: "Amend", productId: unsold, expectedVersion: 1, change: { name: "Edited" } })
  yield* fillCart(unsold)
  const { merchant: seller, orders: lives, waiters } = yield* makeLives(atZero, atOne)
  const orders = { single, other, both, cancelled, expired, ...lives }
  return { plain, unsold, limited, seller, ...waiters, ...Record.map(orders, (order) => order.orderId) }
})

export type WorldValues = Effect.Success<typeof makeWorld>

/** The order over two shards is cancelled: its own line is back, the other one's units are on their way. */
export const cancelBoth = Effect.fnUntraced(function* (world: {
  readonly both: string
  readonly plain: string
  readonly limited: string
}) {
  const sql = yield* PgClient.PgClient
  yield* sql`update orders set status = 'cancelled' where id = ${world.both}::uuid`
  yield* appendBatch(0, [{ type: "order.cancelled", orderId: world.both }])
  yield* sql`update stock set available = available + 1 where product_id = ${world.plain}::uuid`
  yield* sql`
    insert into pending_returns (id, shard, product_id, order_id, customer, quantity, created_at)
    select gen_random_uuid(), 1, ${world.limited}::uuid, id, caller::text, 1, now() from orders
    where id = ${world.both}::uuid`
})

/** One more batch of a shard, as its writer would have logged it. */
export const appendBatch = Effect.fnUntraced(function* (shard: Shard, events: ReadonlyArray<object> = []) {
  const sql = yield* PgClient.PgClient
  yield* sql`
    with lease as (update shard_leases set batch = batch + 1 where shard = ${shard}::smallint returning *)
    insert into batches (shard, batch, epoch, committed_at, events)
    select shard, batch, epoch, clock_timestamp(), ${JSON.stringify(events)}::text::json from lease`
})

/** The rules that are violated, each with its first offender. */
export const violated = Effect.map(verify(), (results) =>
  results.filter(isViolated).map(({ examples, name, violations }) => ({ name, violations, example: examples[0] })),
)

class Rollback extends Schema.TaggedError<Rollback>()("Rollback", {}) {}

/** Runs it in a transaction that leaves nothing behind. */
export const rolledBack = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    let result: A | undefined
    yield* Effect.gen(function* () {
      result = yield* effect
      return yield* new Rollback()
    }).pipe(
      sql.withTransaction,
      Effect.catchTag("Rollback", () => Effect.void),
    )
    return result
  })

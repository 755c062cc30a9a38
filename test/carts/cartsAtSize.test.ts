import { assert, layer } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import type { Statement } from "effect/sql"
import * as statements from "../../src/carts/cartStatements.ts"
import { CallerId, ProductId } from "../../src/domain/ids.ts"
import { makeMerchant, makeShards } from "../inventory/fixtures.ts"
import { testDatabase } from "../platform/testDatabase.ts"

/** An id that is its number, so that rows can be generated beside each other. */
const id = (number: string) => `lpad(to_hex(${number}), 32, '0')::uuid`
const caller = CallerId.make("00000000-0000-0000-0000-000000000007")
const productId = ProductId.make("00000000-0000-0000-0000-000000000007")

/** 4,000 products, half of them limited; 1,000 accounts with four lines, six orders and a hold each. */
const manyRows = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* makeShards(1)
  const merchantId = yield* makeMerchant()
  const accounts = 1_000
  const products = 4_000
  for (const rows of [
    `insert into accounts (id, email, name, password_hash)
      select ${id("n")}, n || '@example.com', 'A', '$argon2id$x' from generate_series(1, ${accounts}) as n`,
    `insert into products (id, merchant_id, shard, name, price, currency, limit_per_customer, counts_units, created_at,
        updated_at)
      select ${id("n")}, '${merchantId}', 0, 'P', 100, 'EUR', case when n % 2 = 1 then 5 end, n % 2 = 1, now(), now()
      from generate_series(1, ${products}) as n`,
    `insert into stock (product_id, stocked, available) select id, 10, 10 from products`,
    `insert into carts (account_id, updated_at) select id, now() from accounts`,
    `insert into cart_lines (account_id, product_id, quantity, unit_price, added_at)
      select ${id("n")}, ${id("n + m")}, 1, 100, now() from generate_series(1, ${accounts}) as n, generate_series(0, 3) as m`,
    `insert into orders (id, caller, key, fingerprint, home_shard, total, currency, created_at, expires_at)
      select ${id("n * 10 + m")}, ${id("n")}, m::text, decode(repeat('00', 16), 'hex'), 0, 100, 'EUR', now(),
        now() + interval '1 hour'
      from generate_series(1, ${accounts}) as n, generate_series(1, 6) as m`,
    `insert into order_lines (order_id, product_id, quantity, unit_price)
      select o.id, ${id("1 + (row_number() over ()) % 4000")}, 1, 100 from orders o`,
    `insert into holds (shard, caller, key, fingerprint, product_id, attempt, customer, quantity, unit_price, currency,
        expires_at)
      select 0, ${id("n")}, '1', decode(repeat('00', 16), 'hex'), ${id("n + 1")}, ${id("n")}, ${id("n")}::text, 1, 100,
        'EUR', now()
      from generate_series(1, ${accounts}) as n`,
    `insert into pending_returns (id, shard, product_id, order_id, customer, quantity, created_at)
      select o.id, 0, ${id("1 + (row_number() over ()) % 4000")}, o.id, o.caller::text, 1, now() from orders o`,
    `insert into merchants (id, name, status, approved_at)
      select ${id("n")}, 'M', 'approved', now() from generate_series(1, ${accounts}) as n`,
    `insert into customer_units (product_id, customer, units)
      select ${id("n")}, ${id("n")}::text, 1 from generate_series(1, ${products}) as n`,
    `analyze`,
  ]) {
    yield* sql.unsafe(rows)
  }
})

/** What the plan reads from end to end. */
const scansOf = Effect.fnUntraced(function* (statement: Pick<Statement.Statement<unknown>, "compile">) {
  const sql = yield* PgClient.PgClient
  const [text, parameters] = statement.compile()
  const rows = yield* sql.unsafe<{ readonly "QUERY PLAN": string }>(`explain analyze ${text}`, parameters)
  return rows
    .map((row) => row["QUERY PLAN"])
    .filter((line) => line.includes("Seq Scan") && !line.includes("never executed"))
})

layer(testDatabase, { excludeTestServices: true })("among many carts", (it) => {
  it.effect("each statement finds its rows along an index", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* manyRows
      for (const statement of [
        statements.setLine(sql, caller, productId, 2),
        statements.contents(sql, caller),
        statements.pricedLines(sql, caller),
        statements.removeLine(sql, caller, productId),
        statements.removeLines(sql, caller),
      ]) {
        assert.deepStrictEqual(yield* scansOf(statement), [])
      }
    }),
  )
})

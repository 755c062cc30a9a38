/** What a page of orders costs among a hundred thousand: its own rows, and a look for sales that ends at its bound. */
import { PgConnection } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { CallerId, MerchantId, OrderId } from "../../src/domain/ids.ts"
import type { OrderStatus } from "../../src/domain/order.ts"
import { type OrderFilter, type OrderListing, ordersOfPage } from "../../src/orders/orderLists.ts"
import { DatabaseAddress } from "../../src/platform/Database.ts"
import { explained } from "../catalogue/explained.ts"
import { testDatabase } from "../platform/testDatabase.ts"

const idOf = (number: number) => `00000000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`
const [large, small, idle] = [1, 2, 3].map((number) => MerchantId.make(idOf(number)))
const [busyBuyer, seldomBuyer] = [1, 2].map((number) => CallerId.make(idOf(number)))
const orders = 100_000
const rowsMax = 5_000

/** One merchant sells in nearly all orders, one in every twenty-thousandth, one in none; one buyer placed nearly all. */
const fill = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into shard_leases (shard) values (0)`
  yield* sql`insert into merchants (id, name)
    select id, 'Shop' from unnest(string_to_array(${`${large},${small},${idle}`}, ',')::uuid[]) id`
  yield* sql`
    insert into products (id, merchant_id, shard, name, price, currency, created_at, updated_at)
    select ('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
      case when i = 1 then ${small}::uuid else ${large}::uuid end, 0, 'Lamp', 1, 'EUR', now(), now()
    from generate_series(1, 2000) i`
  yield* sql`
    insert into orders (id, caller, key, fingerprint, home_shard, status, total, currency, created_at, expires_at, paid_at)
    select ('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
      case when i % 30000 = 0 then ${seldomBuyer}::uuid else ${busyBuyer}::uuid end, i::text,
      decode(repeat('ab', 16), 'hex'), 0, case when i % 7 = 0 then 'paid' else 'cancelled' end, 1, 'EUR', now(),
      now() + interval '1 h', case when i % 7 = 0 then now() end
    from generate_series(1, ${orders}::integer) i`
  yield* sql`
    insert into order_lines (order_id, product_id, quantity, unit_price)
    select ('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid,
      ('00000000-0000-7000-8000-' || lpad(to_hex(case when i % 20000 = 0 then 1 else 2 + i % 1999 end), 12, '0'))::uuid,
      1, 1
    from generate_series(1, ${orders}::integer) i`
  for (const table of ["products", "orders", "order_lines"]) yield* sql`vacuum analyze ${sql(table)}`
})

const filterOf = (startingAfter: number | null, status: OrderStatus | null): OrderFilter => ({
  status,
  customerRef: null,
  idempotencyKey: null,
  startingAfter: startingAfter === null ? null : OrderId.make(idOf(startingAfter)),
  limit: 20,
})

layer(testDatabase, { excludeTestServices: true, timeout: 300_000 })("pages of orders at size", (it) => {
  it.effect("a look for sales ends at its bound and the page says where; nothing is left out on the way", () =>
    Effect.gen(function* () {
      yield* fill
      const sql = yield* SqlClient.SqlClient
      const found: Array<string> = []
      let [pages, startingAfter]: [number, OrderId | null] = [0, null]
      do {
        const listing: OrderListing = {
          callers: [seldomBuyer ?? CallerId.make("")],
          sellers: [small ?? MerchantId.make("")],
        }
        const filter: OrderFilter = { ...filterOf(null, null), startingAfter }
        const rows = yield* ordersOfPage<{ readonly id: OrderId }>(sql, sql.literal("o.id"), listing, filter, rowsMax)
        found.push(...rows.flatMap(({ id }) => (id === null ? [] : [id])))
        startingAfter = rows[0]?.stoppedAt ?? null
        pages += 1
      } while (startingAfter !== null)
      const numbers = [100_000, 90_000, 80_000, 60_000, 40_000, 30_000, 20_000]
      assert.deepStrictEqual(found, numbers.map(idOf))
      assert.strictEqual(pages, orders / rowsMax + 1)
    }),
  )

  it.effect("no page reads a table from end to end, or more orders than its bound, whichever way it is planned", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const connection = yield* PgConnection.make(yield* DatabaseAddress)
      for (const status of [null, "paid", "shipped"] as const) {
        for (const startingAfter of [null, 50_000]) {
          for (const sellers of ["everybody", [], [large], [small], [idle], [large, small]] as const) {
            const callers = [CallerId.make(idOf(77))]
            const listing = { callers, sellers: sellers === "everybody" ? sellers : sellers.flatMap((id) => id ?? []) }
            const filter = filterOf(startingAfter, status)
            for (const mode of ["force_custom_plan", "force_generic_plan"] as const) {
              const statement = ordersOfPage(sql, sql.literal("o.id"), listing, filter, rowsMax)
              const cost = yield* explained(connection, statement, mode)
              const told = `${JSON.stringify([listing, filter])} ${mode} ${JSON.stringify(cost)}`
              assert.deepStrictEqual(cost.scanned, [], told)
              assert.isAtMost(cost.rowsMax, rowsMax, told)
              assert.isAtMost(cost.millis, 500, told)
            }
          }
        }
      }
    }),
  )
})

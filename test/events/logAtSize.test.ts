/** What reading a log of two hundred thousand batches costs, and deliveries among many: rows along an index, few of them. */
import { PgConnection } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient, type Statement } from "effect/sql"
import { batchesOfPageMax, batchesOfShardMax } from "../../src/events/eventBounds.ts"
import { readHeads } from "../../src/events/eventLog.ts"
import { DatabaseAddress } from "../../src/platform/Database.ts"
import { dueDeliveries } from "../../src/webhooks/deliveryStatements.ts"
import { WebhookId } from "../../src/webhooks/webhook.ts"
import { deliveriesTakenMax } from "../../src/webhooks/webhookBounds.ts"
import { listDeliveries } from "../../src/webhooks/webhookStatements.ts"
import { explained } from "../catalogue/explained.ts"
import { testDatabase } from "../platform/testDatabase.ts"

const shards = 16
const batches = 12_000
const webhooks = 50
const deliveries = 100_000

const webhookId = (number: number) => WebhookId.make(`00000000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`)

/** The second webhook has all that is pending: a thousand, of ten orders. */
const fill = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into shard_leases (shard, epoch, batch)
    select s, 1, ${batches}::integer from generate_series(0, ${shards}::integer - 1) as s`
  yield* sql`insert into batches (shard, batch, epoch, committed_at, events)
    select s, b, 1, now() + b * interval '1 ms', '[{"type":"stock.moved"}]'
    from generate_series(1, ${batches}::integer) as b, generate_series(0, ${shards}::integer - 1) as s`
  yield* sql`insert into webhooks (id, url, secret, created_at, updated_at)
    select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'https://example.com', 'whsec_x', now(), now()
    from generate_series(1, ${webhooks}::integer) as n`
  yield* sql`insert into webhook_relays (webhook_id, cursor) select id, 'AQ' from webhooks`
  yield* sql`insert into webhook_deliveries (id, webhook_id, shard, batch, position, event_id, type, subject, payload,
      state, created_at, next_attempt_at, finished_at)
    select ('00000000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid,
      ('00000000-0000-7000-8000-' || lpad(to_hex(case when n <= 1000 then 2 else 1 + n % ${webhooks}::integer end), 12, '0'))::uuid,
      0, n, 0, 'evt_x', 'stock.moved', case when n <= 1000 then 'order-' || n % 10 else n::text end, '{}',
      case when n <= 1000 then 'pending' else 'succeeded' end, now(),
      case when n <= 1000 then now() - interval '1 s' end, case when n > 1000 then now() end
    from generate_series(1, ${deliveries}::integer) as n`
  yield* sql`vacuum analyze batches`
  yield* sql`vacuum analyze webhook_deliveries`
})

layer(testDatabase, { excludeTestServices: true, timeout: 300_000 })("at size", (it) => {
  it.effect("a page of the log and what is due are found along an index, whichever way they are planned", () =>
    Effect.gen(function* () {
      yield* fill
      const sql = yield* SqlClient.SqlClient
      const connection = yield* PgConnection.make(yield* DatabaseAddress)
      const check = Effect.fnUntraced(function* (
        what: string,
        statement: Statement.Statement<unknown>,
        rowsMax: number,
        buffersMax: number,
      ) {
        for (const mode of ["force_custom_plan", "force_generic_plan"] as const) {
          const cost = yield* explained(connection, statement, mode)
          const told = `${what} by ${mode}: ${JSON.stringify(cost)}`
          assert.notIncludeMembers([...cost.scanned], ["batches", "webhook_deliveries"], told)
          assert.isAtMost(cost.rowsMax, rowsMax, told)
          assert.isAtMost(cost.buffers, buffersMax, told)
        }
      })
      for (const batch of [1, batches / 2, batches - 2, batches + 1]) {
        const positions = Array.from({ length: shards }, () => ({ batch, offset: 0 }))
        const rows = shards * batchesOfShardMax
        yield* check(`after batch ${batch}`, readHeads(sql, positions), rows, 6 * rows)
      }
      assert.isAtMost(batchesOfPageMax, shards * batchesOfShardMax)
      // Each of the thousand that wait looks for one before it, and finds it at once or not at all.
      yield* check("what is due", dueDeliveries(sql, webhookId(2)), 1_000, 12_000)
      yield* check("nothing due", dueDeliveries(sql, webhookId(3)), deliveriesTakenMax, 20)
      const page = { before: "ffffffff-ffff-ffff-ffff-ffffffffffff", rowsMax: 101 }
      yield* check("newest deliveries", listDeliveries(sql, webhookId(7), { ...page, state: null }), 101, 500)
      yield* check("dead deliveries", listDeliveries(sql, webhookId(7), { ...page, state: "dead" }), 101, 20)
    }),
  )
})

import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { call, newCustomer, newMerchant, newProduct, testServer } from "./testServer.ts"

it.live("a table that is gone is our fault: 500 with nothing of the inside, and the log has the rest", () =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`alter table merchant_members rename to members_elsewhere`
    const { token } = yield* newCustomer().pipe(Effect.orElseSucceed(() => ({ token: "" })))
    const answer = yield* call("/v1/products?q=lamp")
    assert.strictEqual(answer.status, 200)
    const failed = yield* call("/v1/me", { token })
    assert.strictEqual(failed.status, 500)
    assert.strictEqual(failed.body["code"], "internal")
    assert.strictEqual(failed.body["requestId"], failed.headers.get("x-request-id"))
    assert.notMatch(failed.text, /merchant|relation|select|sql|postgres|42P01|node_modules|\.ts/i)
  }).pipe(Effect.provide(testServer)),
)

it.live("connections that PostgreSQL cuts are opened again without a caller noticing for long", () =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const lamp = yield* newProduct(yield* newMerchant(), {})
    yield* sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`
    const answers = yield* Effect.forEach(Array.from({ length: 20 }), () => call(`/v1/products/${lamp}`))
    for (const answer of answers) {
      assert.include([200, 503], answer.status)
      if (answer.status === 503) assert.strictEqual(answer.headers.get("retry-after"), "1")
    }
    assert.strictEqual(answers.at(-1)?.status, 200)
  }).pipe(Effect.provide(testServer)),
)

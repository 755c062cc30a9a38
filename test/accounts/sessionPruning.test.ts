import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { SqlClient } from "effect/sql"
import { pruneSessions } from "../../src/accounts/sessionPruning.ts"
import { testDatabase } from "../platform/testDatabase.ts"

layer(testDatabase, { excludeTestServices: true })("sessions that ended", (it) => {
  it.effect("are deleted a day later, and no others", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const account = SecureRandom.uuidV7Unsafe()
      yield* sql`insert into accounts (id, email, name, password_hash)
        values (${account}, 'a@example.com', 'A', '$argon2id$x')`
      const insert = (created: string, expires: string, revoked: string | null) => sql`
        insert into sessions (id, account_id, created_at, expires_at, revoked_at)
        values (${SecureRandom.uuidV7Unsafe()}, ${account}, now() + ${created}::interval, now() + ${expires}::interval,
          now() + ${revoked}::interval)`
      yield* insert("-3 days", "-2 days", null)
      yield* insert("-3 days", "2 days", "-2 days")
      yield* insert("-3 days", "-1 hour", null)
      yield* insert("-3 days", "2 days", "-1 hour")
      yield* insert("-3 days", "2 days", null)
      yield* pruneSessions(sql)
      const left = yield* sql`select id from sessions`
      assert.strictEqual(left.length, 3)
    }),
  )
})

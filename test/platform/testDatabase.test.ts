import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { testDatabase } from "./testDatabase.ts"

layer(testDatabase)("a test file's database", (withDatabase) => {
  withDatabase.effect("is migrated", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const rows = yield* sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM schema_migrations`
      assert.isAbove(rows[0]?.count ?? 0, 0)
    }),
  )
})

describe("two databases", () => {
  it.effect("share nothing", () =>
    Effect.gen(function* () {
      const name = Effect.provide(
        Effect.flatMap(SqlClient.SqlClient, (sql) => sql<{ readonly name: string }>`SELECT current_database() AS name`),
        testDatabase,
        { local: true },
      )
      const [first, second] = yield* Effect.all([name, name])
      assert.notStrictEqual(first[0]?.name, second[0]?.name)
    }),
  )
})

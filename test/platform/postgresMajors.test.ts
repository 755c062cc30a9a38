import { assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { inject } from "vitest"
import { askedMajors } from "./postgresMajors.ts"
import { testDatabase } from "./testDatabase.ts"

describe("the majors of PostgreSQL that a run asks for", () => {
  it("are none where nothing is said", () => {
    assert.deepStrictEqual(askedMajors(undefined), [])
    assert.deepStrictEqual(askedMajors(" "), [])
  })

  it("are those of the list, each once", () => {
    assert.deepStrictEqual(askedMajors("15, 18,15"), [15, 18])
  })

  it.each(["14", "15,", "newest", "15;16", "1.8e1x"])("are refused in one sentence where the list says %s", (list) => {
    assert.strictEqual(
      askedMajors(list),
      `TEST_POSTGRES_MAJORS is "${list}"; allowed are 18, 17, 16, 15, separated by commas.`,
    )
  })
})

layer(testDatabase)("the server of a run that is for one major", (withDatabase) => {
  withDatabase.effect("is of that major", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const [server] = yield* sql<{ readonly major: number }>`
        SELECT current_setting('server_version_num')::int / 10000 AS major`
      assert.strictEqual(server?.major, inject("postgresMajor") ?? server?.major)
    }),
  )
})

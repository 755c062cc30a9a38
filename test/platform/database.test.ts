import { PgConnection } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { checkDatabase } from "../../src/platform/Database.ts"
import { freshDatabase } from "./testDatabase.ts"

const refusalOf = (address: PgConnection.Config) =>
  Effect.map(Effect.flip(checkDatabase(address, { unsafeDurability: false })), ({ message }) => message)

/** A database whose sessions run with a setting off, on a server that may itself have fsync off. */
const withOff = (setting: string) =>
  Effect.gen(function* () {
    const address = yield* freshDatabase("empty")
    yield* Effect.scoped(
      Effect.flatMap(PgConnection.make(address), (connection) =>
        connection.query(`ALTER DATABASE ${address.database ?? ""} SET ${setting} = off`, [], false),
      ),
    )
    return address
  })

describe("the database at the start", () => {
  it.effect("is refused where it may lose commits, in one sentence that says what to do", () =>
    Effect.gen(function* () {
      const address = yield* withOff("synchronous_commit")
      assert.match(
        yield* refusalOf(address),
        /^PostgreSQL runs with (fsync|synchronous_commit) = off and may lose orders that were confirmed: turn it on, or set HEDONIFY_UNSAFE_DURABILITY=on if losing orders is acceptable\.$/,
      )
      yield* checkDatabase(address, { unsafeDurability: true })
    }),
  )

  it.effect("is refused where it keeps text in anything but UTF-8", () =>
    Effect.gen(function* () {
      const address = yield* freshDatabase("empty")
      const database = `${address.database ?? ""}_ascii`
      const connection = yield* PgConnection.make(address)
      const options = "encoding 'SQL_ASCII' locale_provider libc lc_collate 'C' lc_ctype 'C' template template0"
      yield* Effect.acquireRelease(connection.query(`create database ${database} ${options}`, [], false), () =>
        Effect.ignore(connection.query(`drop database ${database} with (force)`, [], false)),
      )
      const { url: _, ...server } = address
      assert.strictEqual(
        yield* refusalOf({ ...server, database }),
        "The database is in SQL_ASCII; create it with ENCODING 'UTF8', which names are kept in.",
      )
    }).pipe(Effect.scoped),
  )

  it.effect("is refused in one sentence where it cannot be reached, without its password", () =>
    Effect.gen(function* () {
      const message = yield* refusalOf({ url: Redacted.make("postgres://somebody:hush@127.0.0.1:1/shop") })
      assert.strictEqual(
        message,
        "PostgreSQL cannot be reached (connect ECONNREFUSED 127.0.0.1:1): check DATABASE_URL.",
      )
    }),
  )
})

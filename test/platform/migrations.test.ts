import { NodeServices } from "@effect/platform-node"
import { PgConnection } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { migrate } from "../../src/platform/migrations.ts"
import { freshDatabase } from "./testDatabase.ts"

const folderWith = (files: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "hedonify-migrations-" })
    for (const [name, script] of Object.entries(files)) yield* fileSystem.writeFileString(`${folder}/${name}`, script)
    return folder
  })

const rowsOf = (address: PgConnection.Config, query: string) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make(address), (connection) => Effect.map(connection.query(query), ({ rows }) => rows)),
  )

const appliedIn = (address: PgConnection.Config) =>
  Effect.map(rowsOf(address, "SELECT name FROM schema_migrations ORDER BY number"), (rows) =>
    rows.map((row) => row["name"]),
  )

const refusalOf = (address: PgConnection.Config, folder: string) =>
  Effect.map(Effect.flip(migrate(address, folder)), ({ message }) => message)

const one = { "001_one.sql": "CREATE TABLE one (id int PRIMARY KEY);" }
const two = { "002_two.sql": "CREATE TABLE two (id int REFERENCES one);" }

/** Everything that a splitter would get wrong. */
const intricate = String.raw`
-- a comment; with a semicolon and an ' apostrophe
/* outer /* inner; */ still; */
CREATE TABLE notes (body text DEFAULT 'it''s; here', "odd;name" int, other text DEFAULT E'a\';b');
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM 1; -- '; unbalanced
  RETURN NEW;
END $body$;
CREATE TRIGGER noted BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION noted();
CREATE FUNCTION two() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;
COMMENT ON TABLE notes IS $$dollar; $x$ $$;
INSERT INTO notes (body) VALUES ('$1; a row');
`

layer(NodeServices.layer)("migrations", (it) => {
  it.effect("are applied in order, each once", () =>
    Effect.gen(function* () {
      const address = yield* freshDatabase("empty")
      const folder = yield* folderWith({ ...two, ...one })
      assert.deepStrictEqual(yield* migrate(address, folder), ["001_one", "002_two"])
      assert.deepStrictEqual(yield* migrate(address, folder), [])
      assert.deepStrictEqual(yield* appliedIn(address), ["one", "two"])
    }),
  )

  it.effect("may hold any statements, taken apart by PostgreSQL itself", () =>
    Effect.gen(function* () {
      const address = yield* freshDatabase("empty")
      yield* migrate(address, yield* folderWith({ "001_intricate.sql": intricate }))
      assert.deepStrictEqual(yield* rowsOf(address, "SELECT body, other, two() AS two FROM notes"), [
        { body: "$1; a row", other: "a';b", two: 2 },
      ])
    }),
  )

  it.effect("that fail change nothing, and leave what was applied before", () =>
    Effect.gen(function* () {
      const address = yield* freshDatabase("empty")
      const broken = { "002_broken.sql": "CREATE TABLE half (id int); SELECT 1 / 0;" }
      const message = yield* refusalOf(address, yield* folderWith({ ...one, ...broken }))
      assert.strictEqual(message, "Migration 002_broken failed and changed nothing: division by zero")
      assert.deepStrictEqual(yield* appliedIn(address), ["one"])
      assert.deepStrictEqual(yield* rowsOf(address, "SELECT to_regclass('half') AS half"), [{ half: null }])
    }),
  )

  it.effect("are refused when a file changed after it was applied", () =>
    Effect.gen(function* () {
      const address = yield* freshDatabase("empty")
      yield* migrate(address, yield* folderWith(one))
      const changed = yield* folderWith({ "001_one.sql": `${one["001_one.sql"]} -- better`, ...two })
      assert.strictEqual(
        yield* refusalOf(address, changed),
        "sql/001_one.sql changed after it was applied: undo the change and add a new migration.",
      )
      assert.deepStrictEqual(yield* appliedIn(address), ["one"])
    }),
  )

  it.effect("are refused when the database is newer than the code", () =>
    Effect.gen(function* () {
      const address = yield* freshDatabase("empty")
      yield* migrate(address, yield* folderWith({ ...one, ...two }))
      assert.strictEqual(
        yield* refusalOf(address, yield* folderWith(one)),
        "The database is newer than this code: it has migration 002_two, this code ends with 001_one.",
      )
    }),
  )

  it.effect("run once when two processes start at the same time", () =>
    Effect.gen(function* () {
      const address = yield* freshDatabase("empty")
      const slow = { "001_one.sql": `SELECT pg_sleep(0.2); ${one["001_one.sql"]}` }
      const folder = yield* folderWith({ ...slow, ...two })
      const attempts = yield* Effect.all([migrate(address, folder), migrate(address, folder)], { concurrency: 2 })
      assert.deepStrictEqual(attempts.map((applied) => applied.length).sort(), [0, 2])
    }),
  )

  it.effect("are refused when a number is missing or a name is no migration's", () =>
    Effect.gen(function* () {
      const address = yield* freshDatabase("empty")
      assert.match(yield* refusalOf(address, yield* folderWith(two)), /002_two\.sql should have the number 1\.$/)
      const misnamed = yield* folderWith({ "1-one.sql": "SELECT 1" })
      assert.match(
        yield* refusalOf(address, misnamed),
        /1-one\.sql is no migration: its name has to be NNN_name\.sql\.$/,
      )
    }),
  )
})

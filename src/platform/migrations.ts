/**
 * Brings a database to the schema of this code: the files sql/NNN_name.sql in the order of their numbers, forward only,
 * each in a transaction with its row in schema_migrations, one process at a time. Must stay true: a file that was
 * applied never changes. The driver speaks the extended protocol, one statement at a time, so the server itself takes a
 * file apart, inside a temporary function; the splitter libraries tried broke on semicolons in comments and in strings.
 */
import { PgConnection } from "@effect/sql-pg"
import { Effect, FileSystem, Path } from "effect"
import type { PlatformError } from "effect/PlatformError"
import type { SqlError } from "effect/sql/SqlError"
import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"
import { type CannotStart, cannotStart } from "./CannotStart.ts"

/** The folder of this project's own migrations. */
export const migrationsFolder = fileURLToPath(new URL("../../sql", import.meta.url))

export interface Migration {
  readonly number: number
  readonly name: string
  readonly sha256: string
  readonly script: string
}

/** Any number that nobody else locks in this database. */
const migrationsLock = 4_736_252

const fileName = /^(\d{3})_([a-z0-9_]+)\.sql$/

/** The files as they are, whatever else the folder's subfolders hold. */
export const readMigrations = Effect.fnUntraced(function* (folder: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const migrations: Array<Migration> = []
  for (const file of (yield* fileSystem.readDirectory(folder)).filter((name) => name.endsWith(".sql")).sort()) {
    const [, digits, name] = fileName.exec(file) ?? []
    if (digits === undefined || name === undefined) {
      return yield* cannotStart(`${path.join(folder, file)} is no migration: its name has to be NNN_name.sql.`)
    }
    const number = Number(digits)
    if (number !== migrations.length + 1) {
      return yield* cannotStart(`${path.join(folder, file)} should have the number ${migrations.length + 1}.`)
    }
    const script = yield* fileSystem.readFileString(path.join(folder, file))
    migrations.push({ number, name, sha256: createHash("sha256").update(script).digest("hex"), script })
  }
  return migrations
})

const label = (migration: { readonly number: number; readonly name: string }) =>
  `${String(migration.number).padStart(3, "0")}_${migration.name}`

interface Applied {
  readonly number: number
  readonly name: string
  readonly sha256: string
}

const readApplied = Effect.fnUntraced(function* (connection: PgConnection.PgConnection) {
  yield* connection.query(`
    CREATE TABLE IF NOT EXISTS schema_migrations (
      number integer PRIMARY KEY,
      name text NOT NULL,
      sha256 text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`)
  const { rows } = yield* connection.query("SELECT number, name, sha256 FROM schema_migrations ORDER BY number")
  return rows.map((row): Applied => ({
    number: Number(row["number"]),
    name: String(row["name"]),
    sha256: String(row["sha256"]),
  }))
})

/** What is left to do, or the sentence that says why this code and this database do not belong together. */
export const pending = (
  migrations: ReadonlyArray<Migration>,
  applied: ReadonlyArray<Applied>,
): Effect.Effect<ReadonlyArray<Migration>, CannotStart> => {
  for (const [index, done] of applied.entries()) {
    const migration = migrations[index]
    if (migration === undefined) {
      return Effect.fail(
        cannotStart(
          `The database is newer than this code: it has migration ${label(done)}, this code ends with ${label(migrations.at(-1) ?? { number: 0, name: "none" })}.`,
        ),
      )
    }
    if (migration.number !== done.number || migration.name !== done.name) {
      return Effect.fail(
        cannotStart(
          `The database has migration ${label(done)} where this code has ${label(migration)}: they do not belong together.`,
        ),
      )
    }
    if (migration.sha256 !== done.sha256) {
      return Effect.fail(
        cannotStart(
          `sql/${label(migration)}.sql changed after it was applied: undo the change and add a new migration.`,
        ),
      )
    }
  }
  return Effect.succeed(migrations.slice(applied.length))
}

/** What the server said, which stands in the cause of the driver's error. */
const serverMessage = (error: SqlError | PlatformError): string => {
  const { cause } = error.reason
  return cause instanceof Error ? cause.message : error.message
}

const apply = Effect.fnUntraced(function* (connection: PgConnection.PgConnection, migration: Migration) {
  yield* connection.query("BEGIN")
  yield* connection.query("SELECT pg_temp.hedonify_run_script($1)", [migration.script])
  yield* connection.query("INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)", [
    migration.number,
    migration.name,
    migration.sha256,
  ])
  yield* connection.query("COMMIT")
})

/** Applies what is missing and returns the names of what was applied. */
export const migrate = Effect.fn("migrations.migrate")(
  function* (address: PgConnection.Config, folder: string = migrationsFolder) {
    const migrations = yield* readMigrations(folder)
    return yield* Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* PgConnection.make({ ...address, prepare: false, applicationName: "hedonify migrate" })
        yield* connection.query("SELECT pg_advisory_lock($1)", [migrationsLock])
        yield* connection.query("SET client_min_messages = warning")
        const missing = yield* pending(migrations, yield* readApplied(connection))
        if (missing.length === 0) return []
        yield* connection.query(
          `CREATE FUNCTION pg_temp.hedonify_run_script(script text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE script; END'`,
        )
        for (const migration of missing) {
          yield* apply(connection, migration).pipe(
            Effect.mapError((error) =>
              cannotStart(`Migration ${label(migration)} failed and changed nothing: ${serverMessage(error)}`),
            ),
          )
        }
        return missing.map(label)
      }),
    )
  },
  Effect.mapError((error) =>
    error._tag === "CannotStart" ? error : cannotStart(`The database cannot be migrated: ${serverMessage(error)}`),
  ),
)

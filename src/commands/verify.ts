/**
 * `hedonify verify`: the promise checked over the whole database, while the service runs or not. It only reads, on one
 * connection that PostgreSQL itself keeps from writing; it ends with 1 where a rule is violated.
 */
import { PgClient } from "@effect/sql-pg"
import { Clock, Console, Effect, Layer, Runtime, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import type { SqlError } from "effect/sql"
import { type CannotStart, cannotStart } from "../platform/CannotStart.ts"
import { Configuration } from "../platform/Configuration.ts"
import { DatabaseAddress } from "../platform/Database.ts"
import { reportLines, summary } from "../verification/report.ts"
import { isViolated, readOnlySession, verify } from "../verification/verify.ts"

/** The report has said everything; what is left is the exit code. */
export class RulesViolated extends Schema.TaggedError<RulesViolated>()("RulesViolated", { message: Schema.String }) {
  override readonly [Runtime.errorReported] = false
}

/** PostgreSQL's codes for a table or column that is not there: another schema than this version's. */
const missing = new Set(["42P01", "42703"])

const cannotRead = (error: SqlError.SqlError): CannotStart => {
  const { cause } = error.reason
  const isMissing = cause instanceof Error && "code" in cause && missing.has(String(cause.code))
  return cannotStart(
    isMissing
      ? "The database does not have the schema of this version: run npm run migrate."
      : `The database cannot be read: ${cause instanceof Error ? cause.message : error.message}.`,
  )
}

/** Verifies and prints; fails where a rule is violated. */
export const run = Effect.fnUntraced(function* (options: { readonly json: boolean }) {
  const startedAt = yield* Clock.currentTimeMillis
  const rules = yield* verify().pipe(Effect.catchTag("SqlError", (error) => Effect.fail(cannotRead(error))))
  const seconds = ((yield* Clock.currentTimeMillis) - startedAt) / 1_000
  const holds = !rules.some(isViolated)
  yield* options.json
    ? Console.log(JSON.stringify({ holds, rules }, null, 2))
    : Console.log([...reportLines(rules), "", `${summary(rules)} (${seconds.toFixed(2)} s)`].join("\n"))
  if (!holds) return yield* new RulesViolated({ message: summary(rules) })
})

const readOnlyClient = Layer.unwrap(
  Effect.map(DatabaseAddress, (address) =>
    PgClient.layer({
      ...address,
      applicationName: "hedonify verify",
      maxConnections: 1,
      prepare: false,
      startupParameters: { ...address.startupParameters, ...readOnlySession },
    }),
  ),
).pipe(Layer.provide(DatabaseAddress.layer), Layer.provide(Configuration.layer))

export const verifyCommand = Command.make(
  "verify",
  { json: Flag.Boolean("json").pipe(Flag.withDescription("Print the result as JSON"), Flag.withDefault(false)) },
  (options) =>
    run(options).pipe(
      Effect.provide(readOnlyClient),
      Effect.catchTag("SqlError", (error) => Effect.fail(cannotRead(error))),
    ),
).pipe(Command.withDescription("Check the promise over the whole database; exits with 1 where a rule is violated"))

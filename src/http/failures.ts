/**
 * What it means to the caller that something failed. Must stay true: "nothing happened" is said only where nothing did.
 */
import { Predicate } from "effect"
import type { SqlError } from "effect/sql"
import { busy, outcomeUnknown } from "../domain/refusals.ts"
import type { CommandError } from "../inventory/shard/mailboxEntry.ts"
import type { Refusal } from "./problems.ts"

/**
 * What a database error means to the caller. Reading changed nothing, so it is `busy`; a write whose connection was
 * lost under way may have happened; what PostgreSQL refused for another reason is a mistake of ours.
 */
export const refusalOfSqlError = (error: SqlError.SqlError, writes: boolean): Refusal => {
  const reason = error.reason
  switch (reason._tag) {
    case "ConnectionError":
      return writes && reason.operation !== "connect" ? outcomeUnknown : busy
    case "DeadlockError":
    case "LockTimeoutError":
    case "SerializationError":
    case "StatementTimeoutError":
      return busy
    case "UnknownError":
      // Class 57: the server is stopping or starting; class 53: it has no room. Both refuse before they change anything
      // or cut the connection, which a write cannot tell apart.
      return /^5[37]/.test(sqlState(reason.cause)) ? (writes ? outcomeUnknown : busy) : { code: "internal" }
    case "AuthenticationError":
    case "AuthorizationError":
    case "ConstraintError":
    case "SqlSyntaxError":
    case "UniqueViolation":
      return { code: "internal" }
  }
}

/** What it means that a command was not decided. */
export const refusalOfCommandError = (error: CommandError): Refusal => {
  switch (error._tag) {
    case "Busy":
      return busy
    case "OutcomeUnknown":
      return outcomeUnknown
    case "CommandFailed":
      return { code: "internal" }
  }
}

const sqlState = (cause: unknown): string =>
  Predicate.hasProperty(cause, "code") && Predicate.isString(cause.code) ? cause.code : ""

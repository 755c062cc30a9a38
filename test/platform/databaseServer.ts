/**
 * The PostgreSQL that a run of tests stands on, as its workers know it, and how to speak to it beside any test. Kept
 * apart from the choice of the server, for every test file reads this and only the run's start needs the other.
 */
import { PgConnection } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"

/** What workers need to know; it travels as JSON, so without Redacted. */
export interface TestServer {
  readonly url?: string
  readonly path?: string
  readonly host?: string
  readonly port?: number
  readonly username?: string
  readonly password?: string
  readonly template: string
}

declare module "vitest" {
  export interface ProvidedContext {
    testServer: TestServer
  }
}

/** The address of one database of the server. */
export const addressOf = (server: TestServer, database: string): PgConnection.Config => ({
  ...(server.url === undefined ? { ssl: false } : { url: Redacted.make(server.url) }),
  ...(server.path === undefined ? {} : { path: server.path }),
  ...(server.host === undefined ? {} : { host: server.host }),
  ...(server.port === undefined ? {} : { port: server.port }),
  ...(server.username === undefined ? {} : { username: server.username }),
  ...(server.password === undefined ? {} : { password: Redacted.make(server.password) }),
  database,
})

/** One statement outside any transaction, on a connection of its own. */
export const administer = (server: TestServer, statement: string) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make(addressOf(server, "postgres")), (connection) =>
      connection.query(statement, [], false),
    ),
  )

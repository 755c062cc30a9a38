/**
 * One PostgreSQL for the whole test run: TEST_DATABASE_URL where it is set, otherwise an embedded server in a folder
 * of its own that goes with the run. It makes one migrated template, from which each test file copies its database.
 */
import { NodeServices } from "@effect/platform-node"
import { PgConnection } from "@effect/sql-pg"
import { Effect, Exit, FileSystem, Redacted, Scope } from "effect"
import { randomBytes } from "node:crypto"
import type { TestProject } from "vitest/node"
import * as EmbeddedPostgres from "../../src/platform/embeddedPostgres.ts"
import { migrate } from "../../src/platform/migrations.ts"

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

const embeddedServer = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const dataFolder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "hedonify-test-" })
  // The server's user has to pass through; nothing lies here but the cluster.
  yield* fileSystem.chmod(dataFolder, 0o711)
  const address = yield* EmbeddedPostgres.acquire({ dataFolder, fsync: false })
  return {
    ...(address.path === undefined ? {} : { path: address.path }),
    ...(address.host === undefined ? {} : { host: address.host }),
    ...(address.port === undefined ? {} : { port: address.port }),
    username: address.username,
    password: Redacted.value(address.password),
  }
})

const testServer = Effect.gen(function* () {
  const template = `hedonify_test_${randomBytes(4).toString("hex")}`
  const url = process.env["TEST_DATABASE_URL"]
  const server: TestServer = { ...(url === undefined || url === "" ? yield* embeddedServer : { url }), template }
  yield* Effect.acquireRelease(administer(server, `CREATE DATABASE ${template} TEMPLATE template0`), () =>
    administer(server, `DROP DATABASE IF EXISTS ${template} WITH (FORCE)`).pipe(Effect.ignore),
  )
  yield* migrate(addressOf(server, template))
  return server
})

export default async (project: TestProject) => {
  const scope = await Effect.runPromise(Scope.make())
  const server = await Effect.runPromise(
    testServer.pipe(
      Scope.provide(scope),
      Effect.onError(() => Scope.close(scope, Exit.void)),
      Effect.provide(NodeServices.layer),
    ),
  )
  project.provide("testServer", server)
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}

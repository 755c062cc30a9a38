/**
 * A fresh, migrated database for a test file: copied from the run's template when the layer is built, dropped with it.
 * Its server has fsync off, which only a crash of the machine could show; synchronous_commit is on, so commits behave
 * as in production. Provide it once a file (`layer(testDatabase)` of @effect/vitest), or once a test for isolation.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import { randomBytes } from "node:crypto"
import { inject } from "vitest"
import { DatabaseAddress } from "../../src/platform/Database.ts"
import { addressOf, administer } from "./databaseServer.ts"

/** Tests share one server with 200 connections; a file that needs more for itself makes its own pool. */
const connectionsMax = 8

/** The address of a fresh database, migrated or, with `empty`, without any table. */
export const freshDatabase = (contents: "migrated" | "empty" = "migrated") =>
  Effect.gen(function* () {
    const server = inject("testServer")
    const database = `${server.template}_${randomBytes(4).toString("hex")}`
    const template = contents === "migrated" ? server.template : "template0"
    yield* Effect.acquireRelease(administer(server, `CREATE DATABASE ${database} TEMPLATE ${template}`), () =>
      administer(server, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`).pipe(Effect.ignore),
    )
    return addressOf(server, database)
  })

/** DatabaseAddress, PgClient and SqlClient of a fresh migrated database. */
export const testDatabase = Layer.unwrap(
  Effect.map(DatabaseAddress, (address) => PgClient.layer({ ...address, maxConnections: connectionsMax })),
).pipe(Layer.provideMerge(Layer.effect(DatabaseAddress, freshDatabase())), Layer.orDie)

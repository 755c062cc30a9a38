/**
 * `hedonify migrate`: brings the database to the schema of this code and ends. Safe to repeat, and safe beside another
 * process that does the same.
 */
import { Console, Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { Configuration } from "../platform/Configuration.ts"
import { DatabaseAddress } from "../platform/Database.ts"
import { migrate } from "../platform/migrations.ts"

const run = Effect.gen(function* () {
  const applied = yield* migrate(yield* DatabaseAddress)
  yield* Console.log(
    applied.length === 0 ? "The database is up to date." : `Applied ${applied.join(", ")}: the database is up to date.`,
  )
})

const layer = DatabaseAddress.layer.pipe(Layer.provide(Configuration.layer))

export const migrateCommand = Command.make("migrate", {}, () => Effect.provide(run, layer)).pipe(
  Command.withDescription("Bring the database to the schema of this version; safe to repeat"),
)

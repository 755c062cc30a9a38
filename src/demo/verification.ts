/**
 * The outcome of `verify` for the sale that was just held: on the very database the service uses, or an honest word
 * that this process cannot reach it. Must stay true: no PostgreSQL is made or asked that is not the service's own, so
 * the product of the sale has to be in it.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, FileSystem, Layer, Option, Path } from "effect"
import { Configuration } from "../platform/Configuration.ts"
import { DatabaseAddress } from "../platform/Database.ts"
import { reportLines, summary } from "../verification/report.ts"
import { isViolated, verify } from "../verification/verify.ts"

export interface Verdict {
  readonly holds: boolean
  readonly lines: ReadonlyArray<string>
}

const notThis = { holds: true, lines: ["verify: not from here; run npm run verify where the service's database is."] }

const client = Layer.unwrap(
  Effect.map(DatabaseAddress, (address) =>
    PgClient.layer({ ...address, applicationName: "hedonify demo", maxConnections: 1, prepare: false }),
  ),
).pipe(Layer.provide(DatabaseAddress.layer))

const verdict = Effect.fnUntraced(function* (productId: string) {
  const sql = yield* PgClient.PgClient
  const found = yield* sql`select 1 from products where id = ${productId}::uuid`
  if (found.length === 0) return notThis
  const rules = yield* verify()
  const violated = rules.filter(isViolated)
  return { holds: violated.length === 0, lines: [...reportLines(violated), `verify: ${summary(rules)}`] }
})

/** Whether there is a database that settings of this process lead to, without making one. */
const isThere = Effect.gen(function* () {
  const { dataDir, databaseUrl } = yield* Configuration
  if (Option.isSome(databaseUrl)) return true
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return yield* fileSystem.exists(path.join(dataDir, "postgres"))
})

/** Checks every rule on the database that the configuration names, if the product was sold there. */
export const verified = (
  productId: string,
): Effect.Effect<Verdict, never, Configuration | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    if (!(yield* isThere)) return notThis
    return yield* Effect.provide(verdict(productId), client)
  }).pipe(Effect.orElseSucceed(() => notThis))

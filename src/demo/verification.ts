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

const client = Layer.unwrap(
  Effect.map(DatabaseAddress, (address) =>
    PgClient.layer({ ...address, applicationName: "hedonify demo", maxConnections: 1, prepare: false }),
  ),
).pipe(Layer.provide(DatabaseAddress.layer))

const verdict = Effect.fnUntraced(function* (productId: string) {
  const sql = yield* PgClient.PgClient
  const found = yield* sql`select 1 from products where id = ${productId}::uuid`
  if (found.length === 0) return Option.none<Verdict>()
  const rules = yield* verify()
  const violated = rules.filter(isViolated)
  const lines = [...reportLines(violated), `verify: ${summary(rules)}`]
  return Option.some<Verdict>({ holds: violated.length === 0, lines })
})

/** Whether there is a database that settings of this process lead to, without making one. */
const isThere = Effect.gen(function* () {
  const { dataDir, databaseUrl } = yield* Configuration
  if (Option.isSome(databaseUrl)) return true
  const fileSystem = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return yield* fileSystem.exists(path.join(dataDir, "postgres"))
})

/** Every rule, on the database that the configuration names; none where that is not the one the product was sold from. */
const verified = (productId: string) =>
  Effect.gen(function* () {
    if (!(yield* isThere)) return Option.none<Verdict>()
    return yield* Effect.provide(verdict(productId), client)
  }).pipe(Effect.orElseSucceed(() => Option.none<Verdict>()))

const elsewhere: Verdict = {
  holds: true,
  lines: ["verify: not from here; run npm run verify where the service's database is."],
}
const unverified: Verdict = { holds: false, lines: ["verify: the database of this run could not be read."] }

/** The last word on the service that sold this product. A service of our own has a database that must be readable. */
export const verdictOn = (productId: string, isOwn: boolean) =>
  Effect.map(
    verified(productId),
    Option.getOrElse(() => (isOwn ? unverified : elsewhere)),
  )

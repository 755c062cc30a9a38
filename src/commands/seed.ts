/**
 * `hedonify seed` and what `serve` does with an empty database: the demo shop and its accounts, all or nothing, through
 * the services that the API uses. Must stay true: it adds what is missing and changes nothing that is there; and a
 * password that everybody knows is only ever given where nobody but this machine can reach the API.
 */
import { Clock, Console, Effect, Layer, Option, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { Command } from "effect/cli"
import { SqlClient } from "effect/sql"
import { Accounts, type NewAccount } from "../accounts/Accounts.ts"
import { Passwords } from "../accounts/Passwords.ts"
import type { Account } from "../accounts/principal.ts"
import { Sessions } from "../accounts/Sessions.ts"
import { Tokens } from "../accounts/Tokens.ts"
import { TokenSecret } from "../accounts/TokenSecret.ts"
import { CatalogueCache } from "../catalogue/CatalogueCache.ts"
import { Products } from "../catalogue/Products.ts"
import { pageSizeMax } from "../domain/bounds.ts"
import { AccountId, type MerchantId } from "../domain/ids.ts"
import { ensureShards } from "../inventory/shards.ts"
import { Merchants } from "../merchants/Merchants.ts"
import { cannotStart } from "../platform/CannotStart.ts"
import { Configuration } from "../platform/Configuration.ts"
import * as Database from "../platform/Database.ts"
import { migrate } from "../platform/migrations.ts"
import { TokenBuckets } from "../platform/redis/TokenBuckets.ts"
import { demoAccounts, demoMerchantName, demoProducts } from "./demoCatalogue.ts"

type DemoRole = keyof typeof demoAccounts

export interface Seeded {
  readonly productsAdded: number
  /** Accounts made just now and their password; it is nowhere else to be read. */
  readonly accountsAdded: ReadonlyArray<{ readonly role: DemoRole; readonly email: string }>
  readonly password: Redacted.Redacted
}

/** Any number that nobody else locks in this database: two seeds wait for each other. */
const seedLock = 4_736_253

/** What the demo accounts sign in with where only this machine can try. */
export const knownPassword = "hedonify-demo"
const reachableFromHereOnly = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/

const demoPassword = Effect.map(Configuration, ({ host }) =>
  Redacted.make(reachableFromHereOnly.test(host) ? knownPassword : SecureRandom.uuidV4Unsafe()),
)

/** The account's id, and whether it was made just now. */
const ensureAccount = Effect.fnUntraced(function* (input: NewAccount) {
  const sql = yield* SqlClient.SqlClient
  const accounts = yield* Accounts
  const byEmail = sql<{ readonly id: string }>`select id from accounts where lower(email) = lower(${input.email})`
  const [existing] = yield* byEmail
  if (existing !== undefined) return { id: AccountId.make(existing.id), made: false }
  const { id } = yield* accounts.signUp(input)
  return { id, made: true }
})

/** Where an admin exists already, another one that comes with a demo is only a risk. */
const ensureAdmin = Effect.fnUntraced(function* (input: NewAccount) {
  const sql = yield* SqlClient.SqlClient
  const accounts = yield* Accounts
  const admins = yield* sql`select 1 from accounts where is_admin limit 1`
  return admins.length === 0 && (yield* accounts.ensureAdmin(input))
})

const ensureMerchant = Effect.fnUntraced(function* (memberId: AccountId) {
  const merchants = yield* Merchants
  const { data } = yield* merchants.list({ memberId, startingAfter: null, limit: pageSizeMax })
  const { id, status } =
    data.find(({ name }) => name === demoMerchantName) ?? (yield* merchants.apply(memberId, demoMerchantName))
  if (status === "pending") yield* merchants.approve(id)
  return id
})

/** Adds the products whose name the merchant does not have yet, and says how many. */
const addProducts = Effect.fnUntraced(function* (account: Account, merchantId: MerchantId) {
  const products = yield* Products
  const page = { limit: pageSizeMax, startingAfter: null, words: null, merchantId, inStock: null }
  const names = new Set((yield* products.list(page)).data.map(({ name }) => name))
  const missing = demoProducts(yield* Clock.currentTimeMillis).filter(({ name }) => !names.has(name))
  yield* Effect.forEach(missing, (product) => products.create(account, Option.some(merchantId), product), {
    discard: true,
  })
  return missing.length
})

const addAll = Effect.gen(function* () {
  const password = yield* demoPassword
  const customer = yield* ensureAccount({ ...demoAccounts.customer, password })
  const merchant = yield* ensureAccount({ ...demoAccounts.merchant, password })
  const adminIsMade = yield* ensureAdmin({ ...demoAccounts.admin, password })
  const merchantId = yield* ensureMerchant(merchant.id)
  const account: Account = {
    ...demoAccounts.merchant,
    id: merchant.id,
    isAdmin: false,
    memberships: [{ merchantId, status: "approved" }],
  }
  const productsAdded = yield* addProducts(account, merchantId)
  const made = { customer: customer.made, merchant: merchant.made, admin: adminIsMade }
  const roles: ReadonlyArray<DemoRole> = ["customer", "merchant", "admin"]
  const accountsAdded = roles.filter((role) => made[role]).map((role) => ({ role, email: demoAccounts[role].email }))
  return { productsAdded, accountsAdded, password } satisfies Seeded
})

/** In one transaction and one seed at a time, so that a half-made shop is never found. */
const inOneGo = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    sql.withTransaction(Effect.andThen(sql`select pg_advisory_xact_lock(${seedLock}::bigint)`, effect)),
  )

/** Refusals of our own values are defects; what can fail is the database. */
const add = addAll.pipe(Effect.catchIf((error) => "code" in error, Effect.die))

/** Adds what is missing of the demo. Needs a migrated database that has its shards. */
export const seed = inOneGo(add).pipe(Effect.withSpan("seed"))

const isEmpty = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const found = yield* sql`select 1 where exists (select from merchants) or exists (select from products)`
  return found.length === 0
})

/** For `serve`: the demo where there is neither a merchant nor a product yet and HEDONIFY_DEMO is on. */
export const seedWhenEmpty = Effect.gen(function* () {
  const { demo } = yield* Configuration
  if (!demo) return Option.none<Seeded>()
  return yield* inOneGo(
    Effect.gen(function* () {
      return (yield* isEmpty) ? yield* Effect.asSome(add) : Option.none<Seeded>()
    }),
  )
}).pipe(Effect.withSpan("seedWhenEmpty"))

/** What was added, for the person who has to sign in with it. */
export const seededLines = ({ accountsAdded, password, productsAdded }: Seeded): ReadonlyArray<string> => {
  const emailWidth = Math.max(0, ...accountsAdded.map(({ email }) => email.length))
  return [
    productsAdded === 0 && accountsAdded.length === 0
      ? "The demo was there already."
      : `Added ${productsAdded} demo products and ${accountsAdded.length} demo accounts.`,
    ...accountsAdded.map(
      ({ email, role }) => `  ${role.padEnd(8)}  ${email.padEnd(emailWidth)}  ${Redacted.value(password)}`,
    ),
  ]
}

const run = Effect.gen(function* () {
  const { shards } = yield* Configuration
  yield* migrate(yield* Database.DatabaseAddress)
  yield* ensureShards(shards)
  yield* Console.log(seededLines(yield* seed).join("\n"))
}).pipe(
  Effect.catchTag("SqlError", ({ message, reason: { cause } }) =>
    Effect.fail(cannotStart(`The demo cannot be added: ${cause instanceof Error ? cause.message : message}.`)),
  ),
)

/** No session is opened here, so a secret for this moment is enough. */
const secret = Layer.unwrap(
  Effect.sync(() => TokenSecret.layerOf(Redacted.make(`${SecureRandom.uuidV4Unsafe()}${SecureRandom.uuidV4Unsafe()}`))),
)

const services = Layer.mergeAll(Accounts.layer, Merchants.layer, Products.layer).pipe(
  Layer.provide([Sessions.layer, CatalogueCache.layerLocal]),
  Layer.provide(Tokens.layer),
  Layer.provide([Passwords.layer, secret, TokenBuckets.layerLocal]),
  Layer.provideMerge(Database.layer),
  Layer.provideMerge(Configuration.layer),
)

export const seedCommand = Command.make("seed", {}, () => Effect.provide(run, services)).pipe(
  Command.withDescription("Add the demo products and accounts that are missing; safe to repeat"),
)

/** The demo shop, as `npm run seed` and the first start of a service make it. */
import { NodeServices } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { Accounts } from "../../src/accounts/Accounts.ts"
import { Sessions } from "../../src/accounts/Sessions.ts"
import { Products } from "../../src/catalogue/Products.ts"
import { demoAccounts } from "../../src/commands/demoCatalogue.ts"
import { seed, seededLines, seedWhenEmpty } from "../../src/commands/seed.ts"
import { Configuration } from "../../src/platform/Configuration.ts"
import { testDatabase } from "../platform/testDatabase.ts"
import { makeMerchant, makeShards } from "../inventory/fixtures.ts"
import { demoServices } from "./demoServices.ts"
import { violated } from "./world.ts"

/** A service's parts over a database of their own, with the shards it starts with. */
const shop = (environment: Readonly<Record<string, string>> = {}) =>
  Layer.effectDiscard(makeShards(16)).pipe(
    Layer.provideMerge(demoServices),
    Layer.provideMerge(testDatabase),
    Layer.provideMerge(Layer.mergeAll(Configuration.layerOf(environment), NodeServices.layer)),
    Layer.orDie,
  )

const allProducts = Effect.flatMap(Products, (products) =>
  products.list({ limit: 100, startingAfter: null, words: null, merchantId: null, inStock: null }),
)

it.live("a new database gets a dozen products of an approved merchant and three accounts that can sign in", () =>
  Effect.gen(function* () {
    const sessions = yield* Sessions
    const { accountsAdded, password, productsAdded } = yield* seed
    assert.strictEqual(productsAdded, 12)
    assert.deepStrictEqual(
      accountsAdded.map(({ role }) => role),
      ["customer", "merchant", "admin"],
    )
    const signedIn = yield* Effect.forEach(accountsAdded, ({ email }) =>
      sessions.signIn({ address: "127.0.0.1", email, password }),
    )
    assert.deepStrictEqual(
      signedIn.map(({ account }) => [account.isAdmin, account.memberships.map(({ status }) => status)]),
      [
        [false, []],
        [false, ["approved"]],
        [true, []],
      ],
    )
    assert.deepStrictEqual(yield* violated, [])
  }).pipe(Effect.provide(shop())),
)

it.live("its products show every way a sale can go", () =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    yield* seed
    const { data } = yield* allProducts
    const named = (has: (product: (typeof data)[number]) => boolean) => data.filter(has).length
    assert.strictEqual(
      named((product) => product.price.currency === "EUR"),
      12,
    )
    assert.strictEqual(
      named((product) => product.limitPerCustomer !== null),
      1,
    )
    assert.strictEqual(
      named((product) => product.saleStartsAtMillis !== null),
      1,
    )
    assert.strictEqual(
      named((product) => product.paused),
      1,
    )
    assert.strictEqual(
      named((product) => product.available < 10),
      1,
    )
    const shards = yield* sql`select distinct shard from products where stock_group is not null`
    assert.strictEqual(
      named((product) => product.stockGroup !== null),
      2,
    )
    assert.strictEqual(shards.length, 1)
  }).pipe(Effect.provide(shop())),
)

it.live("a second seed adds only what is missing and changes no password", () =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const sessions = yield* Sessions
    const first = yield* seed
    const again = yield* seed
    assert.deepStrictEqual([again.productsAdded, again.accountsAdded], [0, []])
    assert.deepStrictEqual(seededLines(again), ["The demo was there already."])
    yield* sql`update products set name = 'Renamed' where name = 'Tote bag'`
    assert.strictEqual((yield* seed).productsAdded, 1)
    const { email } = demoAccounts.customer
    yield* sessions.signIn({ address: "127.0.0.1", email, password: first.password })
    assert.strictEqual((yield* allProducts).data.length, 13)
  }).pipe(Effect.provide(shop())),
)

it.live("two seeds at once make one shop", () =>
  Effect.gen(function* () {
    const both = yield* Effect.all([seed, seed], { concurrency: 2 })
    assert.sameMembers(
      both.map(({ productsAdded }) => productsAdded),
      [0, 12],
    )
    assert.strictEqual((yield* allProducts).data.length, 12)
  }).pipe(Effect.provide(shop())),
)

it.live("a service fills only an empty database, and only where the demo is on", () =>
  Effect.gen(function* () {
    assert.isTrue(Option.isSome(yield* seedWhenEmpty))
    assert.isTrue(Option.isNone(yield* seedWhenEmpty))
  }).pipe(
    Effect.provide(shop()),
    Effect.andThen(
      Effect.gen(function* () {
        yield* makeMerchant()
        assert.isTrue(Option.isNone(yield* seedWhenEmpty))
      }).pipe(Effect.provide(shop())),
    ),
    Effect.andThen(
      Effect.gen(function* () {
        assert.isTrue(Option.isNone(yield* seedWhenEmpty))
      }).pipe(Effect.provide(shop({ HEDONIFY_DEMO: "off" }))),
    ),
  ),
)

it.live("an admin of one's own is joined by none of the demo", () =>
  Effect.gen(function* () {
    const accounts = yield* Accounts
    const own = { email: "me@example.com", name: "Me", password: Redacted.make("a password of mine") }
    yield* accounts.ensureAdmin(own)
    const { accountsAdded } = yield* seed
    assert.deepStrictEqual(
      accountsAdded.map(({ role }) => role),
      ["customer", "merchant"],
    )
  }).pipe(Effect.provide(shop())),
)

it.live("where others can reach the API the password is not one that everybody knows", () =>
  Effect.gen(function* () {
    const { password } = yield* seed
    assert.match(Redacted.value(password), /^[0-9a-f-]{36}$/)
  }).pipe(Effect.provide(shop({ HEDONIFY_HOST: "0.0.0.0" }))),
)

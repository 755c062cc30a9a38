import { assert, describe, it } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { CatalogueCache } from "../../src/catalogue/CatalogueCache.ts"
import type { ProductQuery } from "../../src/catalogue/product.ts"
import { MerchantId, ProductId } from "../../src/domain/ids.ts"
import { DatabaseAddress } from "../../src/platform/Database.ts"
import { RedisLink } from "../../src/platform/redis/RedisLink.ts"
import { testDatabase } from "../platform/testDatabase.ts"
import { connected } from "./connected.ts"
import { redisIsMissing, redisServer } from "./redisServer.ts"

const merchantId = MerchantId.make("0190a0a0-0000-7000-8000-000000000001")
const idOf = (number: number) => ProductId.make(`0190a0a0-0000-7000-8000-${String(number).padStart(12, "0")}`)

const lamps: ProductQuery = { limit: 3, startingAfter: null, words: ["lamp"], merchantId: null, inStock: null }

const openShop = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into shard_leases (shard) values (0)`
  yield* sql`insert into merchants (id, name, status, created_at) values (${merchantId}, 'Shop', 'pending', now())`
})

const addProduct = Effect.fnUntraced(function* (number: number, name: string) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`insert into products (id, merchant_id, shard, name, price, currency, created_at, updated_at)
    values (${idOf(number)}, ${merchantId}, 0, ${name}, 100, 'EUR', now(), now())`
  yield* sql`insert into stock (product_id, stocked, available) values (${idOf(number)}, 10, 10)`
})

/** A process of its own on the test's database, with this Redis or none. */
const processWith = Effect.fnUntraced(function* (url: string | null) {
  const address = yield* DatabaseAddress
  const context = yield* Layer.build(
    CatalogueCache.layerNoDeps.pipe(
      Layer.provideMerge(url === null ? RedisLink.layerOff : RedisLink.layerOf(Redacted.make(url))),
      Layer.provide(PgClient.layer({ ...address, maxConnections: 2 })),
    ),
  )
  const cache = yield* Effect.gen(function* () {
    if (url !== null) yield* TestClock.withLive(connected)
    return yield* CatalogueCache
  }).pipe(Effect.provideContext(context))
  const names = (query: ProductQuery) => Effect.map(cache.page(query), ({ data }) => data.map(({ name }) => name))
  return { ...cache, names }
})

const inAShop = <A, E>(test: Effect.Effect<A, E, SqlClient.SqlClient | DatabaseAddress | Scope.Scope>) =>
  Effect.andThen(openShop, test).pipe(Effect.scoped, Effect.provide(testDatabase))

describe("a search that was kept", () => {
  it.live("shows stock, price and words of this moment, told or not", () =>
    inAShop(
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        for (const number of [1, 2, 3, 4]) yield* addProduct(number, `Lamp ${number}`)
        const { page } = yield* processWith(null)
        for (let available = 10; available >= 0; available -= 5) {
          yield* sql`update stock set available = ${available} where product_id = ${idOf(2)}`
          const { data, hasMore } = yield* page(lamps)
          assert.deepStrictEqual(
            data.map((product) => product.available),
            [10, available, 10],
          )
          assert.isTrue(hasMore)
        }
        yield* sql`update products set price = 250, version = version + 1 where id = ${idOf(1)}`
        assert.strictEqual((yield* page(lamps)).data[0]?.price.amount, 250)
      }),
    ),
  )

  it.live("loses a product that is archived or no longer called so, before anybody is told", () =>
    inAShop(
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        for (const number of [1, 2, 3, 4]) yield* addProduct(number, `Lamp ${number}`)
        const { names } = yield* processWith(null)
        assert.deepStrictEqual(yield* names(lamps), ["Lamp 1", "Lamp 2", "Lamp 3"])
        yield* sql`update products set archived = true, version = version + 1 where id = ${idOf(2)}`
        assert.deepStrictEqual(yield* names(lamps), ["Lamp 1", "Lamp 3", "Lamp 4"])
        yield* sql`update products set name = 'Chair', version = version + 1 where id = ${idOf(1)}`
        assert.deepStrictEqual(yield* names(lamps), ["Lamp 3", "Lamp 4"])
      }),
    ),
  )

  it.live("has what was added or renamed, in every process, as soon as it was told", () =>
    inAShop(
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const [here, there] = [yield* processWith(null), yield* processWith(null)]
        yield* addProduct(2, "Lamp 2")
        yield* addProduct(3, "Chair")
        assert.deepStrictEqual(yield* here.names(lamps), ["Lamp 2"])
        assert.deepStrictEqual(yield* there.names(lamps), ["Lamp 2"])
        yield* addProduct(1, "Lamp 1")
        yield* here.changed
        assert.deepStrictEqual(yield* here.names(lamps), ["Lamp 1", "Lamp 2"])
        assert.deepStrictEqual(yield* there.names(lamps), ["Lamp 1", "Lamp 2"])
        yield* sql`update products set name = 'Lamp 3', version = version + 1 where id = ${idOf(3)}`
        yield* there.changed
        assert.deepStrictEqual(yield* here.names(lamps), ["Lamp 1", "Lamp 2", "Lamp 3"])
      }),
    ),
  )

  it.live("of nothing is kept, too, and filled when there is something", () =>
    inAShop(
      Effect.gen(function* () {
        const { changed, names } = yield* processWith(null)
        assert.deepStrictEqual(yield* names(lamps), [])
        assert.deepStrictEqual(yield* names(lamps), [])
        yield* addProduct(1, "Lamp 1")
        yield* changed
        assert.deepStrictEqual(yield* names(lamps), ["Lamp 1"])
      }),
    ),
  )
})

if (redisIsMissing !== null) console.warn(`Pages in Redis are not tested: ${redisIsMissing}.`)

/** On a clock that stands still Redis is always in time, however busy the machine is. */
describe.skipIf(redisIsMissing !== null)("a search that was kept in Redis", () => {
  it.effect("is not looked for again by another process", () =>
    inAShop(
      Effect.gen(function* () {
        const redis = yield* redisServer
        for (const number of [1, 2]) yield* addProduct(number, `Lamp ${number}`)
        const [here, there] = [yield* processWith(redis.url), yield* processWith(redis.url)]
        assert.deepStrictEqual(yield* here.names(lamps), ["Lamp 1", "Lamp 2"])
        // Only who takes the page from Redis can miss what is missing there.
        const key = String(yield* redis.command("KEYS", "*"))
        const kept = JSON.stringify({ versions: [[idOf(2), 1]], stoppedAt: null })
        yield* redis.command("SET", key, kept, "KEEPTTL")
        assert.deepStrictEqual(yield* there.names(lamps), ["Lamp 2"])
        assert.isAbove(Number(yield* redis.command("PTTL", key)), 0)
        yield* addProduct(3, "Lamp 3")
        yield* here.changed
        assert.deepStrictEqual(yield* there.names(lamps), ["Lamp 1", "Lamp 2", "Lamp 3"])
      }),
    ),
  )

  it.effect("may be gone, broken or somebody else's", () =>
    inAShop(
      Effect.gen(function* () {
        const redis = yield* redisServer
        yield* addProduct(1, "Lamp 1")
        const pages = [
          "broken",
          "{}",
          '{"versions":[["1",1]],"stoppedAt":null}',
          JSON.stringify({ versions: [[idOf(9), 1]], stoppedAt: null }),
        ]
        for (const page of pages) {
          const first = yield* processWith(redis.url)
          assert.deepStrictEqual(yield* first.names(lamps), ["Lamp 1"])
          yield* redis.command("SET", String(yield* redis.command("KEYS", "*")), page)
          assert.deepStrictEqual(yield* (yield* processWith(redis.url)).names(lamps), ["Lamp 1"])
          yield* redis.command("FLUSHALL")
          assert.deepStrictEqual(yield* first.names(lamps), ["Lamp 1"])
        }
      }),
    ),
  )
})

import { assert, layer } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import type { Cart } from "../../src/carts/cart.ts"
import { Carts } from "../../src/carts/Carts.ts"
import { CallerId, ProductId } from "../../src/domain/ids.ts"
import { makeMerchant, makeProduct, makeShards } from "../inventory/fixtures.ts"
import { testDatabase } from "../platform/testDatabase.ts"
import { openTransaction } from "../store/contention.ts"
import { waitingForLocks } from "./waiting.ts"

const newAccount = Effect.fnUntraced(function* () {
  const sql = yield* PgClient.PgClient
  const id = SecureRandom.uuidV7Unsafe()
  yield* sql`insert into accounts (id, email, name, password_hash)
    values (${id}::uuid, ${`${id}@example.com`}, 'A', '$argon2id$x')`
  return CallerId.make(id)
})

const newProducts = Effect.fnUntraced(function* (count: number) {
  yield* makeShards(1)
  const merchantId = yield* makeMerchant()
  return yield* Effect.forEach(Array.from({ length: count }), () => makeProduct(merchantId, 10, { price: 100 }))
})

const versionOf = Effect.fnUntraced(function* (caller: CallerId) {
  const sql = yield* PgClient.PgClient
  const [row] = yield* sql<{ readonly version: number }>`
    select version::integer as version from carts where account_id = ${caller}::uuid`
  return row?.version ?? 0
})

/** Runs these while the cart's row is locked, so that each has begun, and waits, before any of them can change it. */
const allAtOnce = <A, E, R>(caller: CallerId, changes: ReadonlyArray<Effect.Effect<A, E, R>>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const lock = yield* openTransaction(`select from carts where account_id = '${caller}' for update`)
      const running = yield* Effect.forkScoped(Effect.all(changes, { concurrency: "unbounded" }))
      yield* waitingForLocks(changes.length)
      yield* lock.end
      return yield* Fiber.join(running)
    }),
  )

const quantities = (cart: Cart) => cart.lines.map((line) => [line.productId, line.quantity] as const)

layer(Carts.layer.pipe(Layer.provideMerge(testDatabase)), { excludeTestServices: true })("carts", (it) => {
  it.effect("a cart that nobody has used is empty and has no total", () =>
    Effect.gen(function* () {
      const carts = yield* Carts
      const caller = yield* newAccount()
      assert.deepStrictEqual(yield* carts.look(caller), { lines: [], total: null, problems: [] })
      assert.isNull(yield* carts.contents(caller))
      yield* carts.removeLine(caller, ProductId.make(caller))
      yield* carts.clear(caller)
      assert.strictEqual(yield* versionOf(caller), 0)
    }),
  )

  it.effect("every change raises the version, and what changes nothing does not", () =>
    Effect.gen(function* () {
      const carts = yield* Carts
      const caller = yield* newAccount()
      const [lamp, chair] = yield* newProducts(2)
      assert.exists(lamp)
      assert.exists(chair)
      yield* carts.setLine(caller, lamp, 2)
      yield* carts.setLine(caller, chair, 1)
      assert.deepStrictEqual(quantities(yield* carts.setLine(caller, lamp, 5)), [
        [lamp, 5],
        [chair, 1],
      ])
      assert.deepStrictEqual(yield* carts.contents(caller), {
        version: 3,
        lines: [
          { productId: lamp, quantity: 5 },
          { productId: chair, quantity: 1 },
        ],
      })
      yield* carts.removeLine(caller, lamp)
      yield* carts.removeLine(caller, lamp)
      assert.strictEqual(yield* versionOf(caller), 4)
      yield* carts.clear(caller)
      yield* carts.clear(caller)
      assert.strictEqual(yield* versionOf(caller), 5)
      assert.isNull(yield* carts.contents(caller))
    }),
  )

  it.effect("tabs that add, change and remove at once lose nothing and raise the version each time", () =>
    Effect.gen(function* () {
      const carts = yield* Carts
      const caller = yield* newAccount()
      const products = yield* newProducts(30)
      yield* Effect.forEach(products.slice(0, 10), (product) => carts.setLine(caller, product, 1))
      const before = yield* versionOf(caller)
      yield* Effect.forEach(
        products,
        (product, index) =>
          index < 5 ? carts.removeLine(caller, product) : Effect.asVoid(carts.setLine(caller, product, index)),
        { concurrency: "unbounded" },
      )
      const cart = yield* carts.look(caller)
      assert.deepStrictEqual(
        new Map(quantities(cart)),
        new Map(products.flatMap((product, index) => (index < 5 ? [] : [[product, index] as const]))),
      )
      assert.strictEqual(yield* versionOf(caller), before + products.length)
    }),
  )

  it.effect("tabs that fill a cart at once stop at exactly 100 lines, and lines that are there can still change", () =>
    Effect.gen(function* () {
      const carts = yield* Carts
      const caller = yield* newAccount()
      const products = yield* newProducts(104)
      yield* Effect.forEach(products.slice(0, 98), (product) => carts.setLine(caller, product, 1))
      const put = (product: ProductId) =>
        Effect.match(carts.setLine(caller, product, 2), {
          onSuccess: () => "set",
          onFailure: (error) => ("code" in error ? error.code : "broken"),
        })
      const added = yield* allAtOnce(caller, products.slice(98).map(put))
      assert.deepStrictEqual(added.toSorted(), ["cart_full", "cart_full", "cart_full", "cart_full", "set", "set"])
      assert.deepStrictEqual(yield* allAtOnce(caller, products.slice(0, 6).map(put)), Array(6).fill("set"))
      const cart = yield* carts.look(caller)
      assert.strictEqual(cart.lines.length, 100)
      assert.strictEqual(cart.lines.filter((line) => line.quantity === 2).length, 8)
    }),
  )

  it.effect("a line that is taken out and replaced while it is changed is not put in as one too many", () =>
    Effect.gen(function* () {
      const carts = yield* Carts
      const sql = yield* PgClient.PgClient
      const caller = yield* newAccount()
      const products = yield* newProducts(101)
      const [first] = products
      const last = products.at(-1)
      assert.exists(first)
      assert.exists(last)
      yield* Effect.forEach(products.slice(0, 100), (product) => carts.setLine(caller, product, 1))
      const replaced = yield* Deferred.make<void>()
      const waited = yield* Deferred.make<void>()
      const otherTab = yield* Effect.forkChild(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`update carts set version = version + 2 where account_id = ${caller}::uuid`
            yield* sql`update cart_lines set product_id = ${last}::uuid
              where account_id = ${caller}::uuid and product_id = ${first}::uuid`
            yield* Deferred.succeed(replaced, undefined)
            yield* Deferred.await(waited)
          }),
        ),
      )
      yield* Deferred.await(replaced)
      const change = yield* Effect.forkChild(Effect.flip(carts.setLine(caller, first, 2)))
      yield* waitingForLocks(1)
      yield* Deferred.succeed(waited, undefined)
      yield* Fiber.join(otherTab)
      assert.deepStrictEqual(yield* Fiber.join(change), { code: "cart_full" })
      assert.strictEqual((yield* carts.look(caller)).lines.length, 100)
    }),
  )

  it.effect("a first line put in by several tabs at once makes one cart with all of them", () =>
    Effect.gen(function* () {
      const carts = yield* Carts
      const products = yield* newProducts(8)
      for (let round = 0; round < 10; round++) {
        const caller = yield* newAccount()
        yield* Effect.forEach(products, (product) => carts.setLine(caller, product, 1), { concurrency: "unbounded" })
        assert.strictEqual((yield* carts.look(caller)).lines.length, 8)
        assert.strictEqual(yield* versionOf(caller), 8)
      }
    }),
  )

  it.effect("a product that is archived or was never there is not put in", () =>
    Effect.gen(function* () {
      const carts = yield* Carts
      const sql = yield* PgClient.PgClient
      const caller = yield* newAccount()
      const [lamp] = yield* newProducts(1)
      assert.exists(lamp)
      yield* sql`update products set archived = true where id = ${lamp}::uuid`
      for (const productId of [lamp, ProductId.make(caller)]) {
        const refusal = yield* Effect.flip(carts.setLine(caller, productId, 1))
        assert.deepStrictEqual(refusal, { code: "unknown_product", productIds: [productId] })
      }
      assert.strictEqual(yield* versionOf(caller), 0)
    }),
  )
})

import { assert, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { waitingForLocks } from "../carts/waiting.ts"
import { lockLease, openTransaction, waitingWriters } from "../store/contention.ts"
import {
  assertBooksClosed,
  assertRefused,
  available,
  checkout,
  dropLine,
  isReplayed,
  linesIn,
  placedOrder,
  productsOnShards,
  putLine,
} from "./shopping.ts"
import { type Answer, call, newCustomer, newMerchant, newProduct, testServer, testServerWith } from "./testServer.ts"

const keys = (count: number) => Array.from({ length: count }, (_, index) => `key ${index}`)

const ordersOf = (token: string) =>
  Effect.map(call("/v1/orders", { token }), (answer) => (answer.body["data"] as ReadonlyArray<unknown>).length)

const placedOnes = (answers: ReadonlyArray<Answer>) => answers.filter((answer) => answer.status === 201)

/** A product of its own, the shard it belongs to, and a customer who has three of it in the cart. */
const fullCart = Effect.fnUntraced(function* (options: Readonly<Record<string, unknown>> = {}) {
  const sql = yield* SqlClient.SqlClient
  const merchant = yield* newMerchant()
  const lamp = yield* newProduct(merchant, { stock: 10, ...options })
  const [row] = yield* sql<{ readonly shard: number }>`select shard from products where id = ${lamp}`
  assert.exists(row)
  const { token } = yield* newCustomer()
  yield* putLine(token, lamp, 3)
  return { merchant, lamp, token, shard: row.shard }
})

/** Two shards' products in one cart: the lower shard is the order's home. */
const cartOverTwoShards = Effect.fnUntraced(function* () {
  const [home, away] = yield* productsOnShards(yield* newMerchant(), 2)
  assert.exists(home)
  assert.exists(away)
  const { token } = yield* newCustomer()
  yield* putLine(token, home.productId, 3)
  yield* putLine(token, away.productId, 4)
  return { home, away, token }
})

layer(testServer, { excludeTestServices: true })("checkouts at once", (it) => {
  it.effect("with different keys sell the cart once, also where it takes the last of something", () =>
    Effect.gen(function* () {
      for (const round of [{}, { stock: 3 }, { limitPerCustomer: 3 }]) {
        const { lamp, token } = yield* fullCart(round)
        const before = Number(yield* available(lamp))
        const answers = yield* Effect.forEach(keys(8), (key) => checkout(token, key), { concurrency: "unbounded" })
        assert.strictEqual(placedOnes(answers).length, 1)
        for (const answer of answers) {
          if (answer.status === 201) continue
          assert.strictEqual(answer.status, 409, answer.text)
          assert.include(["cart_changed", "cart_empty"], answer.body["code"])
          assert.strictEqual(answer.body["retryable"], answer.body["code"] === "cart_changed")
        }
        assert.deepStrictEqual([yield* ordersOf(token), yield* linesIn(token)], [1, []])
        assert.strictEqual(yield* available(lamp), before - 3)
      }
      yield* assertBooksClosed
    }),
  )

  it.effect("with different keys sell a cart over several shards once", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 3; round++) {
        const { away, home, token } = yield* cartOverTwoShards()
        const answers = yield* Effect.forEach(keys(4), (key) => checkout(token, key), { concurrency: "unbounded" })
        assert.strictEqual(placedOnes(answers).length, 1)
        assert.deepStrictEqual([yield* available(home.productId), yield* available(away.productId)], [7, 6])
        assert.deepStrictEqual([yield* ordersOf(token), yield* linesIn(token)], [1, []])
      }
      yield* assertBooksClosed
    }),
  )

  it.effect("with one key are one order, and so are its repeats, over one shard or several", () =>
    Effect.gen(function* () {
      for (const cart of [fullCart(), cartOverTwoShards()]) {
        const { token } = yield* cart
        const answers = yield* Effect.forEach(keys(10), () => checkout(token, "same"), { concurrency: "unbounded" })
        assert.strictEqual(new Set(answers.map((answer) => placedOrder(answer).id)).size, 1)
        assert.strictEqual(answers.filter(isReplayed).length, 9)
        assert.isTrue(isReplayed(yield* checkout(token, "same")))
        assert.deepStrictEqual([yield* ordersOf(token), yield* linesIn(token)], [1, []])
      }
      yield* assertBooksClosed
    }),
  )
})

/** What waits behind a lock here has time enough, however slow the machine is. */
const patientServer = testServerWith({ HEDONIFY_ORDER_DEADLINE: "15 seconds" })

layer(patientServer, { excludeTestServices: true })("a cart that changes while its checkout waits", (it) => {
  it.effect("is not sold, and is as it was changed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        for (const change of ["more of it", "another line", "one line less", "nothing left"]) {
          const { lamp, merchant, shard, token } = yield* fullCart()
          const chair = yield* newProduct(merchant, {})
          const lease = yield* lockLease(shard)
          const waiting = yield* Effect.forkChild(checkout(token, "k"))
          yield* waitingWriters(1)
          if (change === "more of it") yield* putLine(token, lamp, 4)
          if (change === "another line") yield* putLine(token, chair, 1)
          if (change === "one line less") yield* dropLine(token, lamp)
          if (change === "nothing left") yield* call("/v1/cart", { method: "DELETE", token })
          const changed = yield* linesIn(token)
          yield* lease.end
          const refused = yield* Fiber.join(waiting)
          assertRefused(refused, 409, "cart_changed")
          assert.isTrue(refused.body["retryable"])
          assert.deepStrictEqual([yield* available(lamp), yield* linesIn(token)], [10, changed])
          const again = yield* checkout(token, "k")
          if (changed.length === 0) assertRefused(again, 409, "cart_empty")
          else assert.deepStrictEqual(placedOrder(again).lines.length, changed.length)
        }
        yield* assertBooksClosed
      }),
    ),
  )

  it.effect("over several shards is not sold either, and what was held for it is back", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { away, home, token } = yield* cartOverTwoShards()
        const lease = yield* lockLease(home.shard)
        const waiting = yield* Effect.forkChild(checkout(token, "k"))
        yield* waitingWriters(1)
        assert.strictEqual(yield* available(away.productId), 6)
        yield* putLine(token, away.productId, 2)
        yield* lease.end
        assertRefused(yield* Fiber.join(waiting), 409, "cart_changed")
        assert.deepStrictEqual([yield* available(home.productId), yield* available(away.productId)], [10, 10])
        yield* assertBooksClosed
        const placed = placedOrder(yield* checkout(token, "k"))
        assert.strictEqual(placed.total.amount, 500)
        assert.deepStrictEqual([yield* available(home.productId), yield* available(away.productId)], [7, 8])
        yield* assertBooksClosed
      }),
    ),
  )

  it.effect("waits itself once the order is being written, and keeps what comes after it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { lamp, merchant, token } = yield* fullCart()
        const chair = yield* newProduct(merchant, {})
        const stock = yield* openTransaction(`select from stock where product_id = '${lamp}' for update`)
        const buying = yield* Effect.forkChild(checkout(token, "k"))
        yield* waitingWriters(1)
        const changes = [putLine(token, chair, 1), putLine(token, lamp, 5)]
        const adding = yield* Effect.forkChild(Effect.all(changes, { concurrency: "unbounded" }))
        yield* waitingForLocks(3)
        yield* stock.end
        assert.strictEqual(placedOrder(yield* Fiber.join(buying)).lines[0]?.quantity, 3)
        assert.deepStrictEqual(
          (yield* Fiber.join(adding)).map((answer) => answer.status),
          [200, 200],
        )
        assert.deepStrictEqual(new Map(yield* linesIn(token)), new Map([[chair, 1] as const, [lamp, 5] as const]))
        assert.strictEqual(yield* available(lamp), 7)
        yield* assertBooksClosed
      }),
    ),
  )

  it.effect("does not wait for somebody's open look at it: the checkout is told to look again", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const { lamp, token } = yield* fullCart()
        const [row] = yield* sql<{ readonly account: string }>`
          select account_id as account from cart_lines where product_id = ${lamp}`
        const tab = yield* openTransaction(`select from carts where account_id = '${row?.account}' for update`)
        assertRefused(yield* checkout(token, "k"), 409, "cart_changed")
        yield* tab.end
        placedOrder(yield* checkout(token, "k"))
        yield* assertBooksClosed
      }),
    ),
  )
})

/**
 * One cart between two checkouts, and between a checkout and another tab: it is sold once, as it was read, nobody waits
 * for it in a commit, and no change that was made to it is lost.
 */
import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { setLine } from "../../src/carts/cartStatements.ts"
import type { CallerId } from "../../src/domain/ids.ts"
import { lockCart, lockStock, waitingOthers, waitingWriters } from "./contention.ts"
import { newCaller, newKey, order, sell, stockOf, takeOver } from "./selling.ts"
import { type ProductToSell, StoreUnderTest } from "./StoreUnderTest.ts"
import { rowsNow } from "./suite.ts"
import { betweenTwoWriters, raceRounds } from "./twoWriters.ts"

const cartOf = Effect.fnUntraced(function* (caller: CallerId) {
  const { carts } = yield* rowsNow
  return carts.find((row) => row.caller === caller) ?? assert.fail("no cart")
})

const lineOf = ({ productId }: ProductToSell, quantity = 1) => ({ productId, quantity })

betweenTwoWriters("carts", (behaves) => {
  behaves(
    "one cart checked out at two homes at the same time is sold once",
    Effect.gen(function* () {
      const { fillCart, first, second } = yield* StoreUnderTest
      const [lamp, chair] = [yield* sell({ stocked: 1_000 }), yield* sell({ shard: 1, stocked: 1_000 })]
      const [home, away] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
      const caller = newCaller()
      for (let round = 0; round < raceRounds; round++) {
        const cartVersion = yield* fillCart(caller, [lineOf(lamp), lineOf(chair)])
        const [here, there] = [lamp, chair].map((product) =>
          order([[product, 1]], { key: newKey(caller), cartVersion }),
        )
        if (here === undefined || there === undefined) return
        const [one, other] = yield* Effect.all([home.write({ orders: [here] }), away.write({ orders: [there] })], {
          concurrency: "unbounded",
        })
        const unplaced = [...one.unplaced, ...other.unplaced]
        assert.lengthOf(unplaced, 1)
        assert.deepStrictEqual([...one.cartsChanged, ...other.cartsChanged], unplaced)
        assert.deepStrictEqual(yield* cartOf(caller), { caller, version: cartVersion + 1, lines: [] })
      }
      const left = (yield* stockOf(lamp)).available + (yield* stockOf(chair)).available
      assert.strictEqual(left, 2_000 - raceRounds)
    }),
  )

  behaves(
    "a checkout that meets another in the middle of its commit is told at once that the cart changed",
    Effect.gen(function* () {
      const { fillCart, first, second } = yield* StoreUnderTest
      const [lamp, chair] = [yield* sell(), yield* sell({ shard: 1 })]
      const [home, away] = [yield* takeOver(first, 0), yield* takeOver(second, 1)]
      const caller = newCaller()
      const cartVersion = yield* fillCart(caller, [lineOf(lamp)])
      const lock = yield* lockStock(lamp)
      const selling = yield* Effect.forkChild(
        home.write({ orders: [order([[lamp, 1]], { key: newKey(caller), cartVersion })] }),
      )
      yield* waitingWriters(1)
      const other = order([[chair, 1]], { key: newKey(caller), cartVersion })
      const told = yield* away.write({ orders: [other] })
      assert.deepStrictEqual([told.unplaced, told.cartsChanged], [[other.command.orderId], [other.command.orderId]])
      yield* lock.end
      assert.deepStrictEqual((yield* Fiber.join(selling)).unplaced, [])
      assert.deepStrictEqual(yield* stockOf(chair), { stocked: 3, available: 3 })
    }),
  )

  behaves(
    "a cart that somebody is changing counts as changed: the commit does not wait, and its other orders are placed",
    Effect.gen(function* () {
      const { fillCart, first } = yield* StoreUnderTest
      const lamp = yield* sell({ stocked: 9 })
      const writer = yield* takeOver(first, 0)
      const caller = newCaller()
      const cartVersion = yield* fillCart(caller, [lineOf(lamp)])
      for (const strength of ["update", "key share"] as const) {
        const lock = yield* lockCart(caller, strength)
        const checkout = order([[lamp, 1]], { key: newKey(caller), cartVersion })
        const applied = yield* writer.write({ orders: [checkout, order([[lamp, 2]])] })
        const { orderId } = checkout.command
        assert.deepStrictEqual([applied.unplaced, applied.cartsChanged], [[orderId], [orderId]])
        yield* lock.end
      }
      assert.deepStrictEqual(yield* cartOf(caller), { caller, version: cartVersion, lines: [lineOf(lamp)] })
      yield* writer.write({ orders: [order([[lamp, 1]], { key: newKey(caller), cartVersion })] })
      assert.deepStrictEqual(yield* stockOf(lamp), { stocked: 9, available: 4 })
    }),
  )

  behaves(
    "a line put in while a checkout commits waits for it, and is all that is in the cart then",
    Effect.gen(function* () {
      const { fillCart, first } = yield* StoreUnderTest
      const sql = yield* PgClient.PgClient
      const [lamp, chair] = [yield* sell(), yield* sell()]
      const writer = yield* takeOver(first, 0)
      const caller = newCaller()
      const cartVersion = yield* fillCart(caller, [lineOf(lamp)])
      const lock = yield* lockStock(lamp)
      const selling = yield* Effect.forkChild(
        writer.write({ orders: [order([[lamp, 1]], { key: newKey(caller), cartVersion })] }),
      )
      yield* waitingWriters(1)
      const putting = yield* Effect.forkChild(setLine(sql, caller, chair.productId, 2))
      yield* waitingOthers(1)
      yield* lock.end
      assert.deepStrictEqual((yield* Fiber.join(selling)).unplaced, [])
      assert.deepStrictEqual((yield* Fiber.join(putting))[0]?.isSet, true)
      assert.deepStrictEqual(yield* cartOf(caller), { caller, version: cartVersion + 2, lines: [lineOf(chair, 2)] })
    }),
  )

  behaves(
    "a line put in and a checkout at the same time: what was read is sold without it, or nothing is, and it is never lost",
    Effect.gen(function* () {
      const { fillCart, first } = yield* StoreUnderTest
      const sql = yield* PgClient.PgClient
      const [lamp, chair] = [yield* sell({ stocked: 1_000 }), yield* sell()]
      const writer = yield* takeOver(first, 0)
      const caller = newCaller()
      for (let round = 0; round < raceRounds; round++) {
        const cartVersion = yield* fillCart(caller, [lineOf(lamp)])
        const checkout = order([[lamp, 1]], { key: newKey(caller), cartVersion })
        const both = [setLine(sql, caller, chair.productId, 2), writer.write({ orders: [checkout] })] as const
        const [[put], applied] = yield* Effect.all(both, { concurrency: "unbounded" })
        assert.isTrue(put?.isSet)
        const isSold = applied.unplaced.length === 0
        const { lines, version } = yield* cartOf(caller)
        assert.strictEqual(version, cartVersion + (isSold ? 2 : 1))
        assert.sameDeepMembers([...lines], isSold ? [lineOf(chair, 2)] : [lineOf(lamp), lineOf(chair, 2)])
      }
    }),
  )
})

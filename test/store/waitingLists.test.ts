/**
 * Who waits for a product, in which order, and what the sweeper and the writer find of it.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { join, leave, openAccounts, toldLast, waitersOf } from "./lives.ts"
import { amend, ann, bob, newCaller, order, sell } from "./selling.ts"
import { onBothStores, rowsNow, writerOf } from "./suite.ts"

const eve = newCaller()
const accounts = openAccounts(ann, bob, eve)

onBothStores("waiting lists", (behaves) => {
  behaves(
    "places are in the order of the batches and of what is in them",
    Effect.gen(function* () {
      yield* accounts
      const [lamp, chair] = [yield* sell(), yield* sell()]
      const writer = yield* writerOf(0)
      yield* writer.write({ joins: [join(lamp, 2), join(chair, 1), join(lamp, 1, bob)] })
      assert.deepStrictEqual(yield* toldLast(0), ["waitlist.joined", "waitlist.joined", "waitlist.joined"])
      yield* writer.write({ joins: [join(lamp, 3, eve)] })
      assert.deepStrictEqual(yield* waitersOf(lamp), [
        [ann, 2],
        [bob, 1],
        [eve, 3],
      ])
      assert.deepStrictEqual(yield* waitersOf(chair), [[ann, 1]])
    }),
  )

  behaves(
    "the same wish again keeps its place, another quantity is a new one at the end under the same name",
    Effect.gen(function* () {
      yield* accounts
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const first = join(lamp, 2)
      yield* writer.write({ joins: [first, join(lamp, 1, bob)] })
      yield* writer.write({ joins: [join(lamp, 2)] })
      assert.deepStrictEqual(yield* toldLast(0), [])
      assert.deepStrictEqual(yield* waitersOf(lamp), [
        [ann, 2],
        [bob, 1],
      ])
      yield* writer.write({ joins: [join(lamp, 1)] })
      assert.deepStrictEqual(yield* toldLast(0), ["waitlist.joined"])
      assert.deepStrictEqual(yield* waitersOf(lamp), [
        [bob, 1],
        [ann, 1],
      ])
      const { waitingList } = yield* rowsNow
      assert.isTrue(waitingList.some((row) => row.offerId === first.offerId && row.accountId === first.accountId))
    }),
  )

  behaves(
    "a place is given up once, and of its own product and shard alone",
    Effect.gen(function* () {
      yield* accounts
      const [lamp, chair] = [yield* sell(), yield* sell()]
      const [writer, other] = [yield* writerOf(0), yield* writerOf(1)]
      yield* writer.write({ joins: [join(lamp, 2), join(chair, 2), join(lamp, 1, bob)] })
      yield* other.write({ leaves: [leave(lamp)] })
      assert.deepStrictEqual(yield* toldLast(1), [])
      yield* writer.write({ leaves: [leave(lamp)] })
      assert.deepStrictEqual(yield* toldLast(0), ["waitlist.left"])
      yield* writer.write({ leaves: [leave(lamp), leave(lamp, eve)] })
      assert.deepStrictEqual(yield* toldLast(0), [])
      assert.deepStrictEqual([yield* waitersOf(lamp), yield* waitersOf(chair)], [[[bob, 1]], [[ann, 2]]])
    }),
  )

  behaves(
    "a product says whether anybody waits for it",
    Effect.gen(function* () {
      yield* accounts
      const lamp = yield* sell()
      const writer = yield* writerOf(0)
      const isAwaited = Effect.map(
        writer.store.products(0, [lamp.productId]),
        ([state]) => state?.mayHaveWaiters ?? assert.fail("the product is gone"),
      )
      assert.isFalse(yield* isAwaited)
      yield* writer.write({ joins: [join(lamp, 2)] })
      assert.isTrue(yield* isAwaited)
      yield* writer.write({ leaves: [leave(lamp)] })
      assert.isFalse(yield* isAwaited)
    }),
  )

  behaves(
    "those who want no more than there is are found, the earliest first and so many of each product",
    Effect.gen(function* () {
      yield* accounts
      const [lamp, chair, foreign] = [yield* sell(), yield* sell({ stocked: 1 }), yield* sell({ shard: 1 })]
      const [writer, other] = [yield* writerOf(0), yield* writerOf(1)]
      yield* writer.write({ joins: [join(lamp, 4), join(lamp, 3, bob), join(chair, 2)] })
      yield* writer.write({ joins: [join(lamp, 1, eve), join(chair, 1, bob)] })
      yield* other.write({ joins: [join(foreign, 1)] })
      const found = Effect.fnUntraced(function* (sizeMax: number, shard = 0) {
        const productIds = [lamp, chair, foreign].map((product) => product.productId)
        const rows = yield* writer.store.waiters(shard, productIds, sizeMax)
        return [lamp, chair, foreign].map(({ productId }): ReadonlyArray<string> =>
          rows.flatMap((row) => (row.productId === productId ? [row.accountId] : [])),
        )
      })
      assert.deepStrictEqual(yield* found(10), [[bob, eve], [bob], []])
      assert.deepStrictEqual(yield* found(1), [[bob], [bob], []])
      assert.deepStrictEqual(yield* found(10, 1), [[], [], [ann]])
      yield* writer.write({ orders: [order([[lamp, 2]])] })
      assert.deepStrictEqual(yield* found(10), [[eve], [bob], []])
    }),
  )

  behaves(
    "a product is due to be offered where it is on sale and somebody wants no more than there is",
    Effect.gen(function* () {
      yield* accounts
      const lamp = yield* sell()
      const [writer, other] = [yield* writerOf(0), yield* writerOf(1)]
      const isDue = Effect.fnUntraced(function* (product: typeof lamp) {
        const { shard } = product
        const due = yield* writer.store.dueShards([shard])
        const products = yield* writer.store.productsToOffer(shard, 1_000)
        const isAmong = products.includes(product.productId)
        // Other tests' products may be due in the same shard.
        assert.isTrue(!isAmong || due.includes(shard))
        return isAmong
      })
      yield* writer.write({ joins: [join(lamp, 4)] })
      assert.isFalse(yield* isDue(lamp))
      yield* writer.write({ joins: [join(lamp, 3, bob)] })
      assert.isTrue(yield* isDue(lamp))
      assert.lengthOf(yield* writer.store.productsToOffer(0, 1), 1)

      let version = 0
      const after = Effect.fnUntraced(function* (change: Parameters<typeof amend>[1]) {
        version += 1
        yield* writer.write({ amendments: [amend(lamp, change, version)] })
        return yield* isDue(lamp)
      })
      const started = 1_000
      const inAnHour = Date.now() + 3_600_000
      assert.deepStrictEqual(
        [
          yield* after({ paused: true }),
          yield* after({ paused: false }),
          yield* after({ waitlist: false }),
          yield* after({ waitlist: true }),
          yield* after({ saleStartsAtMillis: inAnHour }),
          yield* after({ saleStartsAtMillis: started }),
          yield* after({ archived: true }),
        ],
        [false, true, false, true, false, true, false],
      )

      const chair = yield* sell({ shard: 1 })
      assert.isFalse(yield* isDue(chair))
      yield* other.write({ joins: [join(chair, 1)] })
      assert.isTrue(yield* isDue(chair))
    }),
  )
})

/**
 * Units of a customer: by the row that counts them, or where there is none by orders, holds and returns, which is what
 * the row then starts from. The books say after each test that no row ever differs from them.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import {
  amend,
  ann,
  bob,
  cancel,
  heldPart,
  hold,
  newKey,
  order,
  orderOf,
  release,
  returnsOf,
  sell,
  unitsOf,
  type Writer,
} from "./selling.ts"
import { channel, type ProductToSell } from "./StoreUnderTest.ts"
import { onBothStores, writerOf } from "./suite.ts"

const unitsRead = Effect.fnUntraced(function* (
  { shard, store }: Writer,
  { productId }: ProductToSell,
  ...customers: ReadonlyArray<string>
) {
  const rows = yield* store.units(
    shard,
    customers.map((customer) => ({ productId, customer })),
  )
  return customers.map((customer) => rows.find((row) => row.customer === customer)?.units)
})

/** The product as it is sold once it has a limit. */
const limited = (product: ProductToSell): ProductToSell => ({ ...product, limitPerCustomer: 9, countsUnits: true })

onBothStores("units", (behaves) => {
  behaves(
    "nobody's units are missing: a row, or the live orders, or none",
    Effect.gen(function* () {
      const lamp = yield* sell({ stocked: 20, limitPerCustomer: 9 })
      const [chair, writer] = [yield* sell({ stocked: 20 }), yield* writerOf(0)]
      const cancelled = order([[chair, 4]])
      yield* writer.write({
        orders: [order([[lamp, 2]]), order([[chair, 1]]), order([[chair, 2]]), cancelled],
        holds: [hold([[lamp, 3]]), hold([[chair, 5]], { key: newKey(bob) })],
      })
      yield* writer.write({ endings: [cancel(cancelled, chair)] })
      assert.deepStrictEqual(yield* unitsRead(writer, lamp, ann, bob), [5, 0])
      assert.deepStrictEqual(yield* unitsRead(writer, chair, ann, bob), [3, 5])
      assert.deepStrictEqual([yield* unitsOf(lamp), yield* unitsOf(chair)], [5, null])
    }),
  )

  behaves(
    "a customer of a channel is not the account of the same name, nor the channel, and has its own units back",
    Effect.gen(function* () {
      const lamp = yield* sell({ stocked: 20, limitPerCustomer: 9 })
      const chair = yield* sell({ stocked: 20 })
      const writer = yield* writerOf(0)
      for (const product of [lamp, chair]) {
        const eves = order([[product, 1]], { customerRef: "eve" })
        yield* writer.write({
          orders: [eves, order([[product, 2]], { customerRef: ann }), order([[product, 4]])],
        })
        const customers = ["ref:eve", `ref:${ann}`, ann, channel, "ref:adam"]
        assert.deepStrictEqual(yield* unitsRead(writer, product, ...customers), [1, 2, 4, 0, 0])
        yield* writer.write({ endings: [cancel(eves, product)] })
        assert.deepStrictEqual(yield* unitsRead(writer, product, ...customers), [0, 2, 4, 0, 0])
      }
      assert.deepStrictEqual([yield* unitsOf(lamp, "ref:eve"), yield* unitsOf(chair, "ref:eve")], [0, null])
    }),
  )

  behaves(
    "a limit set later counts what was bought before, and the row that begins then has it all",
    Effect.gen(function* () {
      const lamp = yield* sell({ stocked: 20 })
      const writer = yield* writerOf(0)
      yield* writer.write({ orders: [order([[lamp, 3]]), order([[lamp, 1]], { customerRef: "eve" })] })
      yield* writer.write({ amendments: [amend(lamp, { limitPerCustomer: 9 })] })
      assert.deepStrictEqual(yield* unitsRead(writer, lamp, ann, "ref:eve"), [3, 1])
      const applied = yield* writer.write({
        orders: [
          order([[limited(lamp), 2]], { unitsBefore: 3 }),
          order([[limited(lamp), 1]], { unitsBefore: 3 }),
          order([[limited(lamp), 5]], { customerRef: "eve", unitsBefore: 1 }),
        ],
        holds: [hold([[limited(lamp), 1]], { unitsBefore: 3 })],
      })
      const { productId } = lamp
      assert.sameDeepMembers(
        [...applied.units],
        [
          { productId, customer: ann, units: 7 },
          { productId, customer: "ref:eve", units: 6 },
        ],
      )
      yield* writer.write({ orders: [order([[limited(lamp), 1]], { unitsBefore: 7 })] })
      assert.deepStrictEqual(yield* unitsRead(writer, lamp, ann, "ref:eve"), [8, 6])
    }),
  )

  behaves(
    "what comes back from before the limit lowers a row that is there, and makes none",
    Effect.gen(function* () {
      const lamp = yield* sell({ stocked: 20 })
      const writer = yield* writerOf(0)
      const [hers, his] = [order([[lamp, 3]]), order([[lamp, 2]], { key: newKey(bob) })]
      const held = hold([[lamp, 1]], { key: newKey(bob) })
      yield* writer.write({ orders: [hers, his], holds: [held] })
      yield* writer.write({
        amendments: [amend(lamp, { limitPerCustomer: 9 })],
        orders: [order([[limited(lamp), 1]], { unitsBefore: 3 })],
      })
      const applied = yield* writer.write({
        endings: [cancel(hers, lamp), cancel(his, lamp)],
        releases: [release(held)],
      })
      const { productId } = lamp
      assert.sameDeepMembers(
        [...applied.units],
        [
          { productId, customer: ann, units: 1 },
          { productId, customer: bob, units: null },
        ],
      )
      assert.deepStrictEqual(yield* unitsRead(writer, lamp, ann, bob), [1, 0])
    }),
  )

  behaves(
    "where a batch takes and gives back, a count begins only if more was taken, and then with both",
    Effect.gen(function* () {
      const lamp = limited(yield* sell({ stocked: 20, countsUnits: true, limitPerCustomer: 9 }))
      const uncounted = { ...lamp, countsUnits: false }
      const writer = yield* writerOf(0)
      const [hers, his] = [order([[uncounted, 1]]), order([[uncounted, 4]], { key: newKey(bob) })]
      yield* writer.write({ orders: [hers, his] })
      const applied = yield* writer.write({
        endings: [cancel(hers, lamp), cancel(his, lamp)],
        orders: [order([[lamp, 2]], { unitsBefore: 1 }), order([[lamp, 3]], { unitsBefore: 4, key: newKey(bob) })],
      })
      const { productId } = lamp
      assert.sameDeepMembers(
        [...applied.units],
        [
          { productId, customer: ann, units: 2 },
          { productId, customer: bob, units: null },
        ],
      )
      assert.deepStrictEqual(yield* unitsRead(writer, lamp, ann, bob), [2, 3])
    }),
  )

  behaves(
    "units are read the same while they go from a hold to an order, to a return and home",
    Effect.gen(function* () {
      const chair = yield* sell({ shard: 1 })
      const [home, elsewhere] = [yield* writerOf(0), yield* writerOf(1)]
      const held = hold([[chair, 2]])
      yield* elsewhere.write({ holds: [held] })
      assert.deepStrictEqual(yield* unitsRead(elsewhere, chair, ann), [2])
      const placed = order([], { ...orderOf(held), held: [heldPart(held, 1)] })
      yield* home.write({ orders: [placed] })
      assert.deepStrictEqual(yield* unitsRead(elsewhere, chair, ann), [2])
      const ending = cancel(placed, chair)
      yield* home.write({ endings: [ending] })
      assert.deepStrictEqual(yield* unitsRead(elsewhere, chair, ann), [2])
      yield* elsewhere.write({ returns: returnsOf(ending, 1) })
      assert.deepStrictEqual(yield* unitsRead(elsewhere, chair, ann), [0])
    }),
  )
})

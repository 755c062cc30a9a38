/**
 * What a shard reads: products, facts, units, and what the sweeper looks for.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import type { IdempotencyKey } from "../../src/domain/commands.ts"
import { ProductId } from "../../src/domain/ids.ts"
import { nothingAsked } from "../../src/inventory/store/ShardStore.ts"
import { attempt, hold, movement, newFingerprint, newKey, order, release, sell } from "./selling.ts"
import { onBothStores, writerOf } from "./suite.ts"

onBothStores("reading", (behaves) => {
  behaves(
    "a shard reads its own products, and whether holds may exist",
    Effect.gen(function* () {
      const [lamp, held, foreign] = [yield* sell(), yield* sell(), yield* sell({ shard: 1 })]
      const writer = yield* writerOf(0)
      yield* writer.write({ holds: [hold([[held, 1]])] })
      const productIds = [lamp, held, foreign].map((product) => product.productId)
      const read = yield* writer.store.products(0, [...productIds, ProductId.make(randomUUID())])
      assert.sameDeepMembers(
        read.map(({ available, mayHaveHolds, productId, stocked }) => ({
          productId,
          stocked,
          available,
          mayHaveHolds,
        })),
        [
          { productId: lamp.productId, stocked: 3, available: 3, mayHaveHolds: false },
          { productId: held.productId, stocked: 3, available: 2, mayHaveHolds: true },
        ],
      )
      assert.deepInclude(read[0], {
        price: 100,
        currency: "EUR",
        limitPerCustomer: null,
        saleStartsAtMillis: null,
        paused: false,
        archived: false,
      })
      assert.deepStrictEqual(yield* writer.store.products(0, []), [])
    }),
  )

  behaves(
    "facts are the keys, holds and held units asked for, and nothing else",
    Effect.gen(function* () {
      const lamp = yield* sell({ stocked: 20, limitPerCustomer: 9 })
      const writer = yield* writerOf(0)
      const [placed, moved, held] = [order([[lamp, 1]]), movement(lamp, 1), hold([[lamp, 2]])]
      const applied = yield* writer.write({
        orders: [placed, order([[lamp, 1]])],
        movements: [moved, movement(lamp, 1)],
        holds: [held, hold([[lamp, 3]])],
      })
      const nameOf = ({ caller, fingerprint, key }: IdempotencyKey) => ({
        caller,
        key,
        fingerprint,
      })
      const facts = yield* writer.store.facts(0, {
        ...nothingAsked,
        orderKeys: [placed.command, placed.command, newKey()],
        movementKeys: [moved],
        holds: [held.command, { ...held.command, fingerprint: newFingerprint() }],
        heldProducts: [lamp.productId],
        statuses: [],
      })
      const [knownOrder, ...otherOrders] = facts.orders.filter(({ orderId }) => orderId === placed.command.orderId)
      assert.isTrue(facts.orders.every(({ orderId }) => orderId === placed.command.orderId))
      assert.isDefined(knownOrder)
      assert.isAtMost(otherOrders.length, 1)
      assert.deepInclude(knownOrder, nameOf(placed.command))
      assert.strictEqual(knownOrder?.createdAtMillis, applied.atMillis)
      assert.strictEqual(knownOrder?.expiresAtMillis, applied.atMillis + 60_000)
      assert.deepStrictEqual(
        facts.movements.map(({ movementId }) => movementId),
        [moved.movementId],
      )
      assert.deepInclude(facts.movements[0], { ...nameOf(moved), createdAtMillis: applied.atMillis })
      assert.lengthOf(facts.holds, 1)
      assert.deepInclude(facts.holds[0], {
        ...nameOf(held.command),
        productId: lamp.productId,
        quantity: 2,
        unitPrice: 100,
        attempt: attempt(1),
      })
      assert.deepStrictEqual(facts.heldUnits, [{ productId: lamp.productId, units: 5 }])
      assert.deepStrictEqual(yield* writer.store.facts(0, nothingAsked), {
        lease: { epoch: writer.epoch, batch: writer.batch },
        orders: [],
        movements: [],
        holds: [],
        heldUnits: [],
        statuses: [],
        paymentKeys: [],
        payments: [],
        shipments: [],
      })
    }),
  )

  behaves(
    "the sweeper finds what is past its time, the oldest first and no more than it asked for",
    Effect.gen(function* () {
      const lamp = yield* sell({ shard: 3, stocked: 20 })
      const writer = yield* writerOf(3)
      const oldest = hold([[lamp, 1]], { ttlMillis: -2_000 })
      const older = hold([[lamp, 1]], { ttlMillis: -1_000 })
      yield* writer.write({ holds: [older, hold([[lamp, 1]]), oldest] })
      assert.sameDeepMembers(
        [...(yield* writer.store.expiredHolds(3, 10))],
        [release(older, { onlyExpired: true }), release(oldest, { onlyExpired: true })],
      )
      assert.deepStrictEqual(yield* writer.store.expiredHolds(3, 1), [release(oldest, { onlyExpired: true })])
      assert.deepStrictEqual(yield* writer.store.expiredHolds(2, 10), [])
      const due = yield* writer.store.dueShards([2, 3])
      assert.deepStrictEqual([due.includes(2), due.includes(3)], [false, true])
    }),
  )
})

/**
 * What comes back to a shard goes first to those who wait for it, told as stories under a clock that the test turns.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger } from "effect"
import { SecureRandom } from "effect/crypto"
import { TestClock } from "effect/testing"
import { sweepIntervalMillis } from "../../src/domain/bounds.ts"
import { type Join, offerHold, type Release, type Reserve } from "../../src/domain/commands.ts"
import { AccountId, OfferId, type ProductId } from "../../src/domain/ids.ts"
import { Inventory } from "../../src/inventory/Inventory.ts"
import { OrderEnding } from "../../src/inventory/OrderEnding.ts"
import { ShardStore, StoreRejected } from "../../src/inventory/store/ShardStore.ts"
import { sweeper } from "../../src/inventory/sweeper.ts"
import { hold, newCaller, reserve, restock } from "../inventory/fixtures.ts"
import { gateBefore, newProduct, type OneShardOptions, startOneShard } from "./oneShard.ts"
import { inertInventory } from "../inventory/inertInventory.ts"

const quiet = Effect.provide(Logger.layer([]))
/** Lets everybody run who can, without time passing. */
const settle = TestClock.adjust(0)
const tagsOf = (fibers: ReadonlyArray<Fiber.Fiber<string>>) => Effect.forEach(fibers, (fiber) => Fiber.join(fiber))

const join = (productId: ProductId, quantity: number): Join => {
  const account = AccountId.make(newCaller())
  return { _tag: "Join", offerId: OfferId.make(SecureRandom.uuidV7Unsafe()), productId, accountId: account, quantity }
}
const releaseOf = ({ attempt, caller, fingerprint, key, lines }: ReturnType<typeof hold>): Release => {
  const productIds = lines.map((line) => line.productId)
  return { _tag: "Release", attempt, caller, fingerprint, key, productIds, onlyExpired: false }
}
const acceptanceOf = ({ accountId, offerId, productId, quantity }: Join): Reserve => {
  const { attempt, caller, fingerprint, key } = offerHold(offerId, accountId)
  const lines = [{ productId, quantity, unitPrice: 10 }]
  const part = { shard: 0, attempt, key, fingerprint, currency: "EUR", reservationTtlSeconds: null, lines }
  return reserve([], { caller, held: [part] })
}

/** A shop whose product is sold out, with what is held and who is offered what. */
const start = Effect.fnUntraced(function* (options: OneShardOptions = {}) {
  const shop = yield* startOneShard({ stocked: 0, ...options })
  const offered = (): ReadonlyArray<string> =>
    shop.database.tables.holds.all().flatMap((row) => (row.kind === "offer" ? [row.caller] : []))
  /** The books of the product: nothing lost, nothing doubled. */
  const accounted = (): boolean => {
    const { available, stocked } = shop.database.tables.stock.get(shop.product) ?? assert.fail("no stock")
    const sold = shop.database.tables.orderLines.all().reduce((sum, line) => sum + line.quantity, 0)
    const held = shop.database.tables.holds.all().reduce((sum, row) => sum + row.quantity, 0)
    return stocked === available + sold + held
  }
  return { ...shop, offered, accounted }
})

describe("what comes back", () => {
  it.effect("is offered before an order that was in the mailbox already, behind what brought it", () =>
    Effect.gen(function* () {
      const { available, database, offer, offered, order, product, send } = yield* start()
      const waiter = join(product, 2)
      yield* send(waiter)
      const gate = gateBefore(database)
      yield* gate.close
      const first = yield* offer(join(product, 99))
      yield* settle
      const fibers = [yield* offer(restock(product, 3)), yield* offer(order(2)), yield* offer(order(1))]
      yield* gate.open
      assert.deepStrictEqual(yield* tagsOf([first, ...fibers]), ["Joined", "Moved", "Refused", "Accepted"])
      assert.deepStrictEqual([offered(), available()], [[waiter.accountId], 0])
    }),
  )

  it.effect("is offered though offers and orders of the batch that brings it back took as much", () =>
    Effect.gen(function* () {
      const { actor, available, database, grant, offer, offered, order, product, send } = yield* start({ stocked: 2 })
      const held = hold([[product, 2]])
      yield* send(held)
      const [first, second] = [join(product, 1), join(product, 2)]
      yield* send(first)
      yield* send(second)
      const gate = gateBefore(database)
      yield* gate.close
      const moved = yield* offer(restock(product, 2))
      yield* settle
      actor.revoke()
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(moved), "Moved")
      yield* grant
      const fibers = [yield* offer(releaseOf(held)), yield* offer(order(1)), yield* offer(order(2))]
      assert.deepStrictEqual(yield* tagsOf(fibers), ["Done", "Accepted", "Refused"])
      assert.deepStrictEqual([offered(), available()], [[first.accountId, second.accountId], 0])
    }),
  )

  it.effect("is offered by the next writer before anybody else can take it, where this one saw no more of it", () =>
    Effect.gen(function* () {
      const { actor, available, database, grant, offer, offered, order, product, send } = yield* start()
      const waiter = join(product, 2)
      yield* send(waiter)
      const gate = gateBefore(database)
      yield* gate.close
      const moved = yield* offer(restock(product, 3))
      yield* settle
      actor.revoke()
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(moved), "Moved")
      assert.deepStrictEqual([offered(), available()], [[], 3])

      yield* grant
      assert.deepStrictEqual(yield* tagsOf([yield* offer(order(2)), yield* offer(order(1))]), ["Refused", "Accepted"])
      assert.deepStrictEqual([offered(), available()], [[waiter.accountId], 0])
    }),
  )

  it.effect(
    "is offered once where the answer of the commit that offers it is lost, and the offer can be accepted",
    () =>
      Effect.gen(function* () {
        const { accounted, available, database, offer, offered, order, product, send } = yield* start()
        const waiter = join(product, 2)
        yield* send(waiter)
        const gate = gateBefore(database)
        const moved = yield* offer(restock(product, 3))
        gate.fate = { _tag: "AnswerLost" }
        const fibers = [moved, yield* offer(order(2))]
        yield* settle
        gate.fate = { _tag: "Answered" }
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual(yield* tagsOf(fibers), ["Moved", "Refused"])
        assert.deepStrictEqual([offered(), available(), accounted()], [[waiter.accountId], 1, true])

        gate.fate = { _tag: "AnswerLost" }
        const accepted = yield* offer(acceptanceOf(waiter))
        yield* settle
        gate.fate = { _tag: "Answered" }
        yield* TestClock.adjust(1_000)
        assert.strictEqual(yield* Fiber.join(accepted), "Accepted")
        assert.strictEqual(yield* Fiber.join(yield* offer(acceptanceOf(waiter))), "HoldMissing")
        assert.deepStrictEqual([offered(), available(), accounted()], [[], 1, true])
      }).pipe(quiet),
  )

  it.effect("is offered once, though a command behind it in the batch is refused by the database", () =>
    Effect.gen(function* () {
      const { accounted, actor, available, database, grant, offer, offered, order, placed, product, send } =
        yield* start()
      const waiters = [join(product, 2), join(product, 1)]
      for (const waiter of waiters) yield* send(waiter)
      const gate = gateBefore(database)
      yield* gate.close
      const moved = yield* offer(restock(product, 9))
      yield* settle
      actor.revoke()
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(moved), "Moved")
      yield* grant
      const poison = order(1, { reservationTtlMillis: 0 })
      const crowd = Array.from({ length: 6 }, (_, at) => (at === 2 ? poison : order()))
      const fibers = yield* Effect.forEach(crowd, (command) => offer(command))
      assert.deepStrictEqual(
        yield* tagsOf(fibers),
        crowd.map((command) => (command === poison ? "CommandFailed" : "Accepted")),
      )
      assert.deepStrictEqual([placed(poison), available(), accounted()], [false, 1, true])
      assert.sameMembers(
        [...offered()],
        waiters.map((waiter) => waiter.accountId),
      )
    }).pipe(quiet),
  )

  it.effect("goes to whoever asks where the database refuses to offer it, and nobody is kept waiting for that", () =>
    Effect.gen(function* () {
      let refusesOffers = true
      const { accounted, available, offer, offered, order, product, send } = yield* start({
        wrap: (store) => ({
          ...store,
          commit: (write) =>
            refusesOffers && write.offers.length > 0
              ? Effect.fail(new StoreRejected({ sqlState: "XX000", message: "no offers" }))
              : store.commit(write),
        }),
      })
      const waiter = join(product, 2)
      yield* send(waiter)
      const fibers = [yield* offer(restock(product, 5)), yield* offer(order(1)), yield* offer(order(1))]
      assert.deepStrictEqual(yield* tagsOf(fibers), ["Moved", "Accepted", "Accepted"])
      assert.deepStrictEqual([available(), offered()], [3, []])

      refusesOffers = false
      yield* send({ _tag: "Offer", productId: product })
      assert.deepStrictEqual([available(), offered(), accounted()], [1, [waiter.accountId], true])
    }).pipe(quiet),
  )
})

describe("the sweeper alone", () => {
  /** The shop with nobody in it: what is due is done by the sweeper. */
  const sweeping = Effect.fnUntraced(function* (shop: Effect.Success<ReturnType<typeof start>>) {
    const inventory = inertInventory({
      submit: (_shard, command, deadlineMillis) => shop.actor.submit(command, deadlineMillis),
      statuses: () => [shop.actor.status()],
    })
    const ending = OrderEnding.of({
      cancel: () => Effect.succeed(null),
      refund: () => Effect.succeed(null),
      expire: () => Effect.void,
    })
    yield* Layer.build(
      sweeper.pipe(
        Layer.provide([
          Layer.succeed(ShardStore, shop.store),
          Layer.succeed(Inventory, inventory),
          Layer.succeed(OrderEnding, ending),
        ]),
      ),
    )
  })

  it.effect("offers what is there to those who waited for a sale to begin", () =>
    Effect.gen(function* () {
      const shop = yield* start()
      const product = newProduct(shop.database, 3)
      shop.database.amendProduct(product, { saleStartsAtMillis: 10_000 })
      const waiter = join(product, 2)
      yield* shop.send(waiter)
      yield* sweeping(shop)
      yield* TestClock.adjust(9_999)
      assert.deepStrictEqual(shop.offered(), [])
      yield* TestClock.adjust(1 + sweepIntervalMillis)
      assert.deepStrictEqual(shop.offered(), [waiter.accountId])
    }).pipe(Effect.scoped),
  )

  it.effect("passes an offer that nobody took to the next who waits, and what nobody waits for to the shelf", () =>
    Effect.gen(function* () {
      const shop = yield* start({ settings: { offerTtlMillis: 60_000 } })
      const { available, offered, product, send } = shop
      const [first, second] = [join(product, 3), join(product, 2)]
      yield* send(first)
      yield* send(second)
      yield* sweeping(shop)
      yield* send(restock(product, 3))
      yield* settle
      assert.deepStrictEqual([offered(), available()], [[first.accountId], 0])
      yield* TestClock.adjust(59_999)
      assert.deepStrictEqual(offered(), [first.accountId])
      yield* TestClock.adjust(1 + sweepIntervalMillis)
      assert.deepStrictEqual([offered(), available()], [[second.accountId], 1])
      yield* TestClock.adjust(60_000 + sweepIntervalMillis)
      assert.deepStrictEqual([offered(), available()], [[], 3])
    }).pipe(Effect.scoped),
  )
})

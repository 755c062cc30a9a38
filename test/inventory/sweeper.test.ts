/** The sweeper by itself, over a store and an inventory that do as the test says, on a clock that stands still. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Fiber, Layer, Scheduler } from "effect"
import { TestClock } from "effect/testing"
import { offeredProductsMax, sweepIntervalMillis, sweepPagesMax, sweepSizeMax } from "../../src/domain/bounds.ts"
import type { Command, OutcomeOf } from "../../src/domain/commands.ts"
import { CallerId, OrderId, ProductId } from "../../src/domain/ids.ts"
import { Inventory } from "../../src/inventory/Inventory.ts"
import * as MemoryShardStore from "../../src/inventory/memory/MemoryShardStore.ts"
import { OrderEnding } from "../../src/inventory/OrderEnding.ts"
import { type EndableOrder, ShardStore } from "../../src/inventory/store/ShardStore.ts"
import { sweeper } from "../../src/inventory/sweeper.ts"
import { inertInventory } from "./inertInventory.ts"

const order = (number: number): EndableOrder => ({
  orderId: OrderId.make(`00000000-0000-7000-8000-${String(number).padStart(12, "0")}`),
  caller: CallerId.make("00000000-0000-7000-8000-000000000000"),
  homeShard: 0,
  status: "expired",
  lines: [],
})

/** A sweeper of one shard, with what it reads and what it does with an order that is over. */
const sweeping = (
  expiredOrders: Effect.Effect<ReadonlyArray<EndableOrder>>,
  expire: OrderEnding["Service"]["expire"],
  productsToOffer: ReadonlyArray<ProductId> = [],
  offer: Effect.Effect<{ readonly _tag: "Done" }> = Effect.die("nothing else is due"),
): Layer.Layer<never> => {
  const store = MemoryShardStore.make(new MemoryShardStore.MemoryDatabase(1))
  const status = { shard: 0, lease: { epoch: 1, batch: 0 }, mailboxDepth: 0, batches: 0, commands: 0, lastBatchSize: 0 }
  return sweeper.pipe(
    Layer.provide([
      Layer.succeed(ShardStore, {
        ...store,
        dueShards: (shards) => Effect.succeed(shards),
        expiredOrders: () => expiredOrders,
        productsToOffer: () => Effect.succeed(productsToOffer),
      }),
      Layer.succeed(
        Inventory,
        inertInventory({
          submit: <C extends Command>() => offer as Effect.Effect<OutcomeOf<C>>,
          statuses: () => [status],
        }),
      ),
      Layer.succeed(OrderEnding, { cancel: () => Effect.succeed(null), refund: () => Effect.succeed(null), expire }),
    ]),
  )
}

/** A scheduler under which one fiber gives way at one step, counted over all of them. */
class GivesWayOnce extends Scheduler.MixedScheduler {
  #stepsLeft: number
  constructor(step: number) {
    super()
    this.#stepsLeft = step
  }
  override shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    this.#stepsLeft -= 1
    return this.#stepsLeft === 0 || super.shouldYield(fiber)
  }
}
/** More than a look takes until it has asked for offers. */
const stepsMax = 500

const sweepsFor = (looks: number) => TestClock.adjust(looks * sweepIntervalMillis)

describe("the sweeper", () => {
  it.effect("looks again after a look that met a defect", () =>
    Effect.gen(function* () {
      const ended: Array<string> = []
      let looks = 0
      const reads = () => {
        looks += 1
        if (looks === 1) throw new Error("an order that makes no sense")
        return looks === 2 ? [order(1)] : []
      }
      yield* Layer.build(sweeping(Effect.sync(reads), ({ orderId }) => Effect.sync(() => void ended.push(orderId))))
      yield* sweepsFor(3)
      assert.deepStrictEqual(ended, [order(1).orderId])
    }).pipe(Effect.scoped),
  )

  it.effect("goes on through full pages at once", () =>
    Effect.gen(function* () {
      const over = Array.from({ length: 2 * sweepSizeMax + 1 }, (_, number) => order(number))
      const ended = new Set<string>()
      const reads = () => over.filter(({ orderId }) => !ended.has(orderId)).slice(0, sweepSizeMax)
      yield* Layer.build(sweeping(Effect.sync(reads), ({ orderId }) => Effect.sync(() => void ended.add(orderId))))
      yield* sweepsFor(0)
      assert.strictEqual(ended.size, over.length)
    }).pipe(Effect.scoped),
  )

  it.effect("asks a shard for no more offers at once than it makes in one batch", () =>
    Effect.gen(function* () {
      let asked = 0
      let underWay = 0
      let underWayMax = 0
      const offer = Effect.gen(function* () {
        asked += 1
        underWay += 1
        underWayMax = Math.max(underWayMax, underWay)
        yield* Effect.sleep(10)
        underWay -= 1
        return { _tag: "Done" } as const
      })
      const products = Array.from({ length: 3 * offeredProductsMax }, (_, at) => ProductId.make(order(at).orderId))
      const nothing = () => Effect.void
      yield* Layer.build(sweeping(Effect.succeed([]), nothing, products, offer))
      yield* TestClock.adjust(30)
      assert.deepStrictEqual([asked, underWayMax], [products.length, offeredProductsMax])
    }).pipe(Effect.scoped),
  )

  it.effect("ends what is over while offers take long, and asks for each of those once", () =>
    Effect.gen(function* () {
      let asked = 0
      const ended: Array<string> = []
      const offer = Effect.suspend(() => {
        asked += 1
        return Effect.as(Effect.sleep(3 * sweepIntervalMillis), { _tag: "Done" } as const)
      })
      const expire: OrderEnding["Service"]["expire"] = ({ orderId }) => Effect.sync(() => void ended.push(orderId))
      const products = [ProductId.make(order(0).orderId)]
      yield* Layer.build(sweeping(Effect.succeed([order(1)]), expire, products, offer))
      yield* sweepsFor(2)
      assert.deepStrictEqual([ended.length, asked], [3, 1])
      yield* sweepsFor(2)
      assert.deepStrictEqual([ended.length, asked], [5, 2])
    }).pipe(Effect.scoped),
  )

  it.effect("makes offers at its next look, wherever a look was cut off", () =>
    Effect.gen(function* () {
      const products = [ProductId.make(order(0).orderId)]
      for (let step = 1; step <= stepsMax; step++) {
        let asked = 0
        let looks = 0
        const offer = Effect.sync(() => {
          asked += 1
          return { _tag: "Done" } as const
        })
        const failing = Effect.suspend(() => {
          looks += 1
          const defect = Effect.andThen(Effect.yieldNow, Effect.die("an order that makes no sense"))
          return looks === 1 ? defect : Effect.succeed([])
        })
        yield* Layer.build(sweeping(failing, () => Effect.void, products, offer)).pipe(
          Effect.provideService(Scheduler.Scheduler, new GivesWayOnce(step)),
          Effect.andThen(sweepsFor(2)),
          Effect.scoped,
        )
        assert.isAbove(asked, 0, `where a fiber gives way at step ${step}`)
      }
    }),
  )

  it.effect(
    "leaves a full page that does not go to the next look, and never has more than so many pages at a time",
    () =>
      Effect.gen(function* () {
        let looks = 0
        const stuck = Array.from({ length: sweepSizeMax }, (_, number) => order(number))
        const stays = () => {
          looks += 1
          return stuck
        }
        yield* Layer.build(sweeping(Effect.sync(stays), () => Effect.void))
        yield* sweepsFor(0)
        assert.strictEqual(looks, 2)

        let pages = 0
        const endless = () => {
          pages += 1
          return stuck.map((_, number) => order(pages * sweepSizeMax + number))
        }
        yield* Layer.build(Layer.fresh(sweeping(Effect.sync(endless), () => Effect.void)))
        yield* sweepsFor(0)
        assert.strictEqual(pages, sweepPagesMax)
      }).pipe(Effect.scoped),
  )
})

/** Endings by themselves, over an inventory and a store that answer as the test says. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Command, OutcomeOf } from "../../src/domain/commands.ts"
import { CallerId, OrderId } from "../../src/domain/ids.ts"
import type { OrderStatus } from "../../src/domain/order.ts"
import { Inventory } from "../../src/inventory/Inventory.ts"
import * as MemoryShardStore from "../../src/inventory/memory/MemoryShardStore.ts"
import { OrderEnding } from "../../src/inventory/OrderEnding.ts"
import { type EndableOrder, ShardStore } from "../../src/inventory/store/ShardStore.ts"
import * as SecureRandom from "../../src/platform/secureRandom.ts"
import { inertInventory } from "./inertInventory.ts"

const order: EndableOrder = {
  orderId: OrderId.make("00000000-0000-7000-8000-000000000001"),
  caller: CallerId.make("00000000-0000-7000-8000-000000000002"),
  homeShard: 0,
  status: "reserved",
  lines: [],
}

/** Endings of an order that its shard refused, told why by the status that a later look found. */
const refusedBy = (status: OrderStatus): Layer.Layer<OrderEnding> => {
  const refused = { _tag: "Refused", refusal: { code: "not_refundable", status } }
  return OrderEnding.layer({ orderDeadlineMillis: 1_000 }).pipe(
    Layer.provide([
      SecureRandom.layer,
      Layer.succeed(ShardStore, {
        ...MemoryShardStore.make(new MemoryShardStore.MemoryDatabase(1)),
        endableOrder: () => Effect.succeed(order),
      }),
      Layer.succeed(
        Inventory,
        inertInventory({
          submit: <C extends Command>() => Effect.succeed(refused) as unknown as Effect.Effect<OutcomeOf<C>>,
        }),
      ),
    ]),
  )
}

const told = (status: OrderStatus, end: (ending: OrderEnding["Service"]) => Effect.Effect<unknown, unknown>) =>
  Effect.flatMap(OrderEnding, end).pipe(Effect.exit, Effect.provide(refusedBy(status)))

describe("an order that another writer changes between a batch and the look at why it did nothing", () => {
  it.effect("is not said to be unfit for an ending that it is fit for by now: the caller tries again", () =>
    Effect.gen(function* () {
      const refund = yield* Effect.flip(yield* told("paid", ({ refund: asked }) => asked(order.orderId)))
      assert.deepInclude(refund, { _tag: "Busy" })
      for (const status of ["paid", "reserved"] as const) {
        const cancel = yield* Effect.flip(
          yield* told(status, ({ cancel: asked }) => asked(order.caller, order.orderId)),
        )
        assert.deepInclude(cancel, { _tag: "Busy" })
      }
    }),
  )

  it.effect("is refused by a status that lets it go on no more", () =>
    Effect.gen(function* () {
      for (const status of ["reserved", "shipped", "expired"] as const) {
        const refund = yield* yield* told(status, ({ refund: asked }) => asked(order.orderId))
        assert.deepInclude(refund, { _tag: "Refused" })
      }
    }),
  )
})

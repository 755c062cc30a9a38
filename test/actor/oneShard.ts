/**
 * One actor over the in-memory store, for tests that tell a short story under TestClock: a shop with one product a
 * name, commands with sensible values, and commits that wait at a gate until the story lets them through.
 */
import { assert } from "@effect/vitest"
import { Clock, Effect, Latch } from "effect"
import { SecureRandom } from "effect/crypto"
import type { Command, Reserve } from "../../src/domain/commands.ts"
import { MerchantId, ProductId, StockMovementId } from "../../src/domain/ids.ts"
import * as MemoryShardStore from "../../src/inventory/memory/MemoryShardStore.ts"
import * as ShardActor from "../../src/inventory/shard/ShardActor.ts"
import type { ShardStore } from "../../src/inventory/store/ShardStore.ts"
import { reserve } from "../inventory/fixtures.ts"
import { answerOf } from "../simulation/audit/history.ts"

const merchantId = MerchantId.make("00000000-0000-7000-8000-00000000ab1e")

export interface OneShardOptions {
  readonly stocked?: number
  readonly settings?: Partial<ShardActor.ShardActorSettings>
  readonly onFenced?: () => void
  readonly wrap?: (store: ShardStore["Service"]) => ShardStore["Service"]
}

export const startOneShard = Effect.fnUntraced(function* (options: OneShardOptions = {}) {
  const database = new MemoryShardStore.MemoryDatabase(1)
  const store = (options.wrap ?? ((same) => same))(MemoryShardStore.make(database))
  const settings = { mailboxSize: 100, batchSizeMax: 50, lingerMillis: 0, offerTtlMillis: 60_000, ...options.settings }
  const actor = yield* ShardActor.make(0, store, settings, options.onFenced ?? (() => {}))
  const grant = Effect.sync(() => actor.grant(database.acquire(0, "a test")))
  yield* grant
  const product = newProduct(database, options.stocked ?? 10)

  const send = Effect.fnUntraced(function* <C extends Command>(command: C, deadlineMillis = 5_000) {
    return yield* actor.submit(command, (yield* Clock.currentTimeMillis) + deadlineMillis)
  })
  /** What a command ends as, by its tag, on a fiber of its own that has offered it before this returns. */
  const offer = Effect.fnUntraced(function* (command: Command, deadlineMillis = 5_000) {
    const tag = Effect.map(Effect.exit(send(command, deadlineMillis)), (exit) => answerOf(exit)._tag)
    return yield* Effect.forkChild(tag, { startImmediately: true })
  })
  const order = (quantity = 1, change: Partial<Reserve> = {}): Reserve => reserve([[product, quantity]], change)
  const placed = (command: Pick<Reserve, "orderId">): boolean =>
    database.tables.orders.get(command.orderId) !== undefined
  const available = (): number => database.tables.stock.get(product)?.available ?? assert.fail("no stock row")
  return { actor, available, database, grant, offer, order, placed, product, send, store }
})

export const newProduct = (database: MemoryShardStore.MemoryDatabase, stocked: number, shard = 0): ProductId => {
  const productId = ProductId.make(SecureRandom.uuidV7Unsafe())
  database.createProduct(
    {
      productId,
      merchantId,
      shard,
      name: "A product",
      price: 10,
      currency: "EUR",
      limitPerCustomer: null,
      countsUnits: false,
      saleStartsAtMillis: null,
      paused: false,
      archived: false,
      waitlist: true,
      reservationTtlSeconds: null,
      version: 1,
      stocked,
    },
    StockMovementId.make(SecureRandom.uuidV7Unsafe()),
    0,
  )
  return productId
}

/** A gate in front of every commit: closed, commits wait; `arrived` counts those that came to it. */
export const gateBefore = (database: MemoryShardStore.MemoryDatabase) => {
  const latch = Latch.makeUnsafe(true)
  const gate = {
    arrived: 0,
    fate: { _tag: "Answered" } as MemoryShardStore.Fate,
    close: Effect.sync(() => latch.closeUnsafe()),
    open: Effect.sync(() => latch.openUnsafe()),
  }
  database.weather = {
    ...MemoryShardStore.calm,
    attempt: () =>
      Effect.gen(function* () {
        gate.arrived += 1
        yield* latch.await
        return gate.fate
      }),
  }
  return gate
}

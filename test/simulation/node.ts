/**
 * One process's half of the heart over a store that several share: inventory, sweeper, coordinator and directory, put
 * together as the composition root does, with everything recorded. The modules may be the real ones or a patched copy.
 */
import { Clock, Context, Effect, type Fiber, Layer, type Scope } from "effect"
import { SecureRandom } from "effect/crypto"
import type * as InventoryModule from "../../src/inventory/Inventory.ts"
import type * as MemoryModule from "../../src/inventory/memory/MemoryShardStore.ts"
import type * as CoordinatorModule from "../../src/inventory/OrderCoordinator.ts"
import type * as EndingModule from "../../src/inventory/OrderEnding.ts"
import type * as WriterModule from "../../src/inventory/ProductWriter.ts"
import type * as DirectoryModule from "../../src/inventory/ShardDirectory.ts"
import { ShardStore } from "../../src/inventory/store/ShardStore.ts"
import type * as SweeperModule from "../../src/inventory/sweeper.ts"
import type { Chance } from "./chance.ts"
import type { History } from "./history.ts"
import type { Ledger } from "./ledger.ts"

/** The files a run is made of. */
export interface Modules {
  readonly inventory: typeof InventoryModule
  readonly coordinator: typeof CoordinatorModule
  readonly directory: typeof DirectoryModule
  readonly ending: typeof EndingModule
  readonly writer: typeof WriterModule
  readonly sweeper: typeof SweeperModule
  readonly memory: typeof MemoryModule
}

export interface Node {
  readonly name: string
  readonly inventory: InventoryModule.Inventory["Service"]
  readonly coordinator: CoordinatorModule.OrderCoordinator["Service"]
  readonly ending: EndingModule.OrderEnding["Service"]
  readonly writer: WriterModule.ProductWriter["Service"]
  /** Who waits for an answer of this node, and gets none when it is killed. */
  readonly callers: Set<Fiber.Fiber<unknown, unknown>>
  /** Whether a store call for this shard is under way, or ended without an answer a moment ago. */
  readonly isCommitting: (shard: number, nowMillis: number) => boolean
}

/** What a cancellation or an edit may wait for its answer. */
const orderDeadlineMillis = 1_500
/** How long a shard may be silent between two calls of one settlement, plus a tick. */
const settlingMillis = 150

class Calls {
  readonly #underWay = new Map<number, number>()
  readonly #endedAtMillis = new Map<number, number>()

  watched<A, E>(shard: number, call: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.#underWay.set(shard, (this.#underWay.get(shard) ?? 0) + 1)
      const ended = Effect.map(Clock.currentTimeMillis, (nowMillis) => {
        this.#underWay.set(shard, (this.#underWay.get(shard) ?? 0) - 1)
        this.#endedAtMillis.set(shard, nowMillis)
      })
      return Effect.ensuring(call, ended)
    })
  }

  isBusy(shard: number, nowMillis: number): boolean {
    const endedAtMillis = this.#endedAtMillis.get(shard) ?? -Infinity
    return (this.#underWay.get(shard) ?? 0) > 0 || nowMillis - endedAtMillis <= settlingMillis
  }
}

const watchedStore = (store: ShardStore["Service"], ledger: Ledger, calls: Calls): ShardStore["Service"] => ({
  ...store,
  inspect: (shard, batch) => calls.watched(shard, store.inspect(shard, batch)),
  commit: (write) => {
    ledger.noteSent(write)
    return calls.watched(write.shard, store.commit(write))
  },
  voidBatch: (shard, lease) => calls.watched(shard, store.voidBatch(shard, lease)),
  products: (shard, productIds) => calls.watched(shard, store.products(shard, productIds)),
  facts: (shard, request) => calls.watched(shard, store.facts(shard, request)),
  units: (shard, pairs) => calls.watched(shard, store.units(shard, pairs)),
})

export const makeNode = Effect.fnUntraced(function* (
  name: string,
  modules: Modules,
  /** `serving`: the inventory of another node, which this one only forwards to. */
  {
    database,
    serving,
  }: {
    readonly database: MemoryModule.MemoryDatabase
    readonly serving: InventoryModule.Inventory["Service"] | null
  },
  settings: InventoryModule.InventorySettings,
  records: { readonly history: History; readonly ledger: Ledger; readonly chance: Chance },
): Effect.fn.Return<Node, never, Scope.Scope> {
  const { chance, history, ledger } = records
  const calls = new Calls()
  const store = watchedStore(modules.memory.make(database), ledger, calls)
  const { Inventory } = modules.inventory
  const stores = Layer.succeed(ShardStore, store)
  const local = Inventory.layerLocal(settings).pipe(Layer.provide(stores))
  const inventory = serving ?? history.recorded(name, Context.get(yield* Layer.build(local), Inventory))
  const directory = modules.directory.make((productIds) =>
    Effect.sync(() =>
      productIds.flatMap((productId) => {
        const product = database.tables.products.get(productId)
        return product === undefined ? [] : [{ productId, shard: product.shard }]
      }),
    ),
  )
  const beneath = Layer.mergeAll(
    stores,
    Layer.succeed(Inventory, inventory),
    Layer.succeed(modules.directory.ShardDirectory, directory),
    Layer.succeed(
      SecureRandom.SecureRandom,
      SecureRandom.make((size) => chance.bytes(size)),
    ),
  )
  const { OrderCoordinator } = modules.coordinator
  const { OrderEnding } = modules.ending
  const { ProductWriter } = modules.writer
  const ending = Layer.fresh(OrderEnding.layer({ orderDeadlineMillis }))
  const writer = Layer.fresh(ProductWriter.layer({ orderDeadlineMillis }))
  const sweeper = Layer.fresh(modules.sweeper.sweeper)
  const above = Layer.mergeAll(Layer.fresh(OrderCoordinator.layer), writer, sweeper).pipe(Layer.provideMerge(ending))
  const built = yield* Layer.build(above.pipe(Layer.provide(beneath)))
  return {
    name,
    inventory,
    coordinator: Context.get(built, OrderCoordinator),
    ending: Context.get(built, OrderEnding),
    writer: Context.get(built, ProductWriter),
    callers: new Set(),
    isCommitting: (shard, nowMillis) => calls.isBusy(shard, nowMillis),
  }
})

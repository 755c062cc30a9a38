/**
 * One process of the service over a database that several share: everything between HTTP and the store, put together
 * as the composition root does, with what the shards are asked and answer written down. The modules may be the real
 * ones or a patched copy.
 *
 * Must stay true: only clock, scheduler, store, network and chance are the simulation's; all else is the service's own.
 */
import { Context, Effect, Layer, Scope } from "effect"
import { SecureRandom } from "effect/crypto"
import type * as CartsModule from "../../../src/carts/Carts.ts"
import type * as InventoryModule from "../../../src/inventory/Inventory.ts"
import type * as MemoryModule from "../../../src/inventory/memory/MemoryShardStore.ts"
import type * as CoordinatorModule from "../../../src/inventory/OrderCoordinator.ts"
import type * as EndingModule from "../../../src/inventory/OrderEnding.ts"
import type * as WriterModule from "../../../src/inventory/ProductWriter.ts"
import type * as DirectoryModule from "../../../src/inventory/ShardDirectory.ts"
import { ShardStore } from "../../../src/inventory/store/ShardStore.ts"
import type * as SweeperModule from "../../../src/inventory/sweeper.ts"
import type * as ReadsModule from "../../../src/orders/OrderReads.ts"
import type * as OrdersModule from "../../../src/orders/Orders.ts"
import type * as ShipmentsModule from "../../../src/orders/Shipments.ts"
import type * as WaitingListReadsModule from "../../../src/orders/WaitingListReads.ts"
import type * as WaitingListsModule from "../../../src/orders/WaitingLists.ts"
import type { OrderSettings } from "../../../src/orders/placing.ts"
import type { Chance } from "../machine/chance.ts"
import type { History } from "../audit/history.ts"
import type { Ledger } from "../audit/ledger.ts"
import type { Provider } from "../crowd/provider.ts"
import { memoryCarts, memoryReads, memoryWaitingLists } from "./memoryServices.ts"
import { reconciling } from "./reconciler.ts"
import type { SimulatedProcess } from "../machine/simulatedProcess.ts"
import { StoreCalls, watchedStore } from "./watchedStore.ts"

/** The files a run is made of. */
export interface Modules {
  readonly inventory: typeof InventoryModule
  readonly coordinator: typeof CoordinatorModule
  readonly directory: typeof DirectoryModule
  readonly ending: typeof EndingModule
  readonly writer: typeof WriterModule
  readonly sweeper: typeof SweeperModule
  readonly memory: typeof MemoryModule
  readonly orders: typeof OrdersModule
  readonly reads: typeof ReadsModule
  readonly shipments: typeof ShipmentsModule
  readonly waitingLists: typeof WaitingListsModule
  readonly waitingListReads: typeof WaitingListReadsModule
  readonly carts: typeof CartsModule
}

type Inventory = InventoryModule.Inventory["Service"]
type Coordinator = CoordinatorModule.OrderCoordinator["Service"]

export interface Node {
  readonly name: string
  readonly process: SimulatedProcess
  readonly inventory: Inventory
  readonly coordinator: Coordinator
  readonly writer: WriterModule.ProductWriter["Service"]
  /** The service as it is with these settings, which are a configuration's in production and a client's own here. */
  readonly orders: (settings: OrderSettings) => Effect.Effect<OrdersModule.Orders["Service"]>
  readonly shipments: (settings: OrderSettings) => Effect.Effect<ShipmentsModule.Shipments["Service"]>
  readonly waitingLists: (settings: OrderSettings) => Effect.Effect<WaitingListsModule.WaitingLists["Service"]>
  /** Whether a store call for this shard is under way, or ended without an answer a moment ago. */
  readonly isCommitting: (shard: number, nowMillis: number) => boolean
}

/** Where a node stands, and who watches it. */
export interface Surroundings {
  readonly process: SimulatedProcess
  readonly database: MemoryModule.MemoryDatabase
  /** The door to the shards of another node; null where it serves them itself. */
  readonly remote: Inventory | null
  readonly chance: Chance
  /** Whom the node asks about payments that nobody has settled; null where nobody pays. */
  readonly provider: Provider | null
  readonly history: History
  readonly ledger: Ledger
  /** The coordinator as clients of this node meet it. */
  readonly watched: (coordinator: Coordinator) => Coordinator
}

/** What a cancellation or an edit may wait for its answer. */
const endingDeadlineMillis = 1_500

export const makeNode = Effect.fnUntraced(function* (
  modules: Modules,
  settings: InventoryModule.InventorySettings,
  { chance, database, history, ledger, process, provider, remote, watched }: Surroundings,
): Effect.fn.Return<Node, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const calls = new StoreCalls()
  const stores = Layer.succeed(ShardStore, watchedStore(modules.memory.make(database), ledger, calls))
  const { Inventory } = modules.inventory
  const local = Inventory.layerLocal(settings).pipe(Layer.provide(stores))
  const inventory = remote ?? history.recorded(process.name, Context.get(yield* Layer.build(local), Inventory))
  const directory = modules.directory.make((productIds) =>
    Effect.sync(() =>
      productIds.flatMap((productId) => {
        const product = database.tables.products.get(productId)
        return product === undefined ? [] : [{ productId, shard: product.shard }]
      }),
    ),
  )
  const random = SecureRandom.make((size) => chance.bytes(size))
  const beneath = Layer.mergeAll(
    stores,
    Layer.succeed(Inventory, inventory),
    Layer.succeed(modules.directory.ShardDirectory, directory),
    Layer.succeed(SecureRandom.SecureRandom, random),
  )
  const { OrderCoordinator } = modules.coordinator
  const { OrderEnding } = modules.ending
  const { ProductWriter } = modules.writer
  const deadline = { orderDeadlineMillis: endingDeadlineMillis }
  const ending = Layer.fresh(OrderEnding.layer(deadline))
  const writer = Layer.fresh(ProductWriter.layer(deadline))
  const sweeper = Layer.fresh(modules.sweeper.sweeper)
  const above = Layer.mergeAll(Layer.fresh(OrderCoordinator.layer), writer, sweeper).pipe(Layer.provideMerge(ending))
  const built = yield* Layer.build(above.pipe(Layer.provide(beneath)))
  const coordinator = watched(Context.get(built, OrderCoordinator))
  if (remote === null && provider !== null) yield* reconciling(process, database, inventory, provider)

  const orderParts = Layer.mergeAll(
    Layer.succeed(OrderCoordinator, coordinator),
    Layer.succeed(OrderEnding, Context.get(built, OrderEnding)),
    Layer.succeed(SecureRandom.SecureRandom, random),
    Layer.succeed(Inventory, inventory),
    Layer.succeed(modules.directory.ShardDirectory, directory),
    Layer.succeed(modules.reads.OrderReads, memoryReads(database)),
    Layer.succeed(modules.waitingListReads.WaitingListReads, memoryWaitingLists(database)),
    Layer.succeed(modules.carts.Carts, memoryCarts(database)),
  )
  const { Orders } = modules.orders
  const { Shipments } = modules.shipments
  const { WaitingLists } = modules.waitingLists
  /** A service for each settings it is asked with. */
  const serving = <Id, Service>(tag: Context.Key<Id, Service>, layerOf: (wanted: OrderSettings) => Layer.Layer<Id>) => {
    const made = new Map<string, Service>()
    return Effect.fnUntraced(function* (wanted: OrderSettings) {
      const name = `${wanted.orderDeadlineMillis}/${wanted.reservationTtlMillis}`
      const known = made.get(name)
      if (known !== undefined) return known
      const service = Context.get(yield* Scope.provide(Layer.build(Layer.fresh(layerOf(wanted))), scope), tag)
      made.set(name, service)
      return service
    })
  }
  return {
    name: process.name,
    process,
    inventory,
    coordinator,
    writer: Context.get(built, ProductWriter),
    orders: serving(Orders, (wanted) => Orders.layer(wanted).pipe(Layer.provide(orderParts))),
    shipments: serving(Shipments, (wanted) => Shipments.layer(wanted).pipe(Layer.provide(orderParts))),
    waitingLists: serving(WaitingLists, (wanted) => WaitingLists.layer(wanted).pipe(Layer.provide(orderParts))),
    isCommitting: (shard, nowMillis) => calls.isBusy(shard, nowMillis),
  }
})

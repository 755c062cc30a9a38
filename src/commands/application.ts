/**
 * Everything between the database and the HTTP edge, put together: the only place that knows which layer stands behind
 * which service, and so who is local.
 *
 * Order matters and layers hold it: shards exist before their owner, the owner before anything sells, and at the end
 * the mailboxes are drained while the database is still there.
 */
import { Duration, Effect, Layer } from "effect"
import { OrderRate } from "../accounts/OrderRate.ts"
import { Carts } from "../carts/Carts.ts"
import { CatalogueCache } from "../catalogue/CatalogueCache.ts"
import { ProductEditor } from "../catalogue/ProductEditor.ts"
import { ProductImports } from "../catalogue/ProductImports.ts"
import { Inventory } from "../inventory/Inventory.ts"
import { MerchantRefresh } from "../inventory/MerchantRefresh.ts"
import { OrderCoordinator } from "../inventory/OrderCoordinator.ts"
import { OrderEnding } from "../inventory/OrderEnding.ts"
import * as PostgresShardStore from "../inventory/store/PostgresShardStore.ts"
import { ProductWriter } from "../inventory/ProductWriter.ts"
import { ShardDirectory } from "../inventory/ShardDirectory.ts"
import { ShardOverview } from "../inventory/ShardOverview.ts"
import { ensureShards } from "../inventory/shards.ts"
import { SingleOwner } from "../inventory/SingleOwner.ts"
import { sweeper } from "../inventory/sweeper.ts"
import { WriterConnections } from "../inventory/store/writerConnections.ts"
import { OrderReads } from "../orders/OrderReads.ts"
import { Orders } from "../orders/Orders.ts"
import { ProductMerchants } from "../orders/ProductMerchants.ts"
import { Shipments } from "../orders/Shipments.ts"
import { WaitingListReads } from "../orders/WaitingListReads.ts"
import { WaitingLists } from "../orders/WaitingLists.ts"
import { Configuration, type ConfigurationValues } from "../platform/Configuration.ts"
import { RedisLink } from "../platform/redis/RedisLink.ts"
import * as SecureRandom from "../platform/secureRandom.ts"
import { TokenBuckets } from "../platform/redis/TokenBuckets.ts"

/** How long accepted commands may take to be decided at the end; nobody waits longer than an order's deadline. */
const drainMaxSeconds = 10

/** Answers everybody who was accepted; what comes late is told to try again. */
const drained = Layer.effectDiscard(
  Effect.gen(function* () {
    const inventory = yield* Inventory
    yield* Effect.addFinalizer(() =>
      Effect.timeoutOrElse(inventory.drain, {
        duration: Duration.seconds(drainMaxSeconds),
        orElse: () => Effect.logWarning("Some shards could not finish what they had accepted"),
      }),
    )
  }),
)

/** What helps and is never needed: what processes share through Redis, and keep to themselves without one. */
const shared = (settings: Pick<ConfigurationValues, "ordersPerSecond">) =>
  Layer.mergeAll(OrderRate.layer(settings), CatalogueCache.layerNoDeps).pipe(
    Layer.provideMerge(TokenBuckets.layerNoDeps),
    Layer.provideMerge(RedisLink.layer),
  )

/** Orders, carts, edits and movements of products, and what they stand on. Needs a migrated database. */
export const application = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Configuration
    yield* ensureShards(settings.shards)
    const stores = Layer.mergeAll(PostgresShardStore.layerNoDeps, ShardDirectory.layer).pipe(
      Layer.provide(WriterConnections.layer),
    )
    const inventory = Inventory.layerLocal(settings).pipe(Layer.provideMerge(stores))
    const owned = Layer.mergeAll(sweeper, drained, ShardOverview.layer).pipe(
      Layer.provideMerge(OrderEnding.layer(settings)),
      Layer.provideMerge(SingleOwner.layer),
      Layer.provideMerge(inventory),
    )
    return Layer.mergeAll(
      Layer.mergeAll(Orders.layer(settings), Shipments.layer(settings), WaitingLists.layer(settings)).pipe(
        Layer.provide([OrderCoordinator.layer, OrderReads.layer, WaitingListReads.layer]),
      ),
      Layer.mergeAll(ProductEditor.layer, ProductImports.layer).pipe(
        Layer.provideMerge(ProductWriter.layer(settings)),
        Layer.provideMerge(shared(settings)),
      ),
      Layer.mergeAll(MerchantRefresh.layer(settings), ProductMerchants.layer),
    ).pipe(Layer.provideMerge(Carts.layer), Layer.provideMerge(owned), Layer.provide(SecureRandom.layer))
  }),
)

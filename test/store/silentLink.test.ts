import { PgClient } from "@effect/sql-pg"
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { Carts } from "../../src/carts/Carts.ts"
import { CatalogueCache } from "../../src/catalogue/CatalogueCache.ts"
import { pooledSilenceMaxMillis } from "../../src/domain/bounds.ts"
import { CallerId, OrderId } from "../../src/domain/ids.ts"
import { WriterConnections } from "../../src/inventory/store/writerConnections.ts"
import { statement } from "../../src/inventory/store/sqlParameters.ts"
import { makeCheckout } from "../../src/orders/checkout.ts"
import { OrderReads } from "../../src/orders/OrderReads.ts"
import { accountBuyer } from "../../src/orders/placing.ts"
import { Configuration } from "../../src/platform/Configuration.ts"
import { DatabaseAddress, DatabaseHealth } from "../../src/platform/Database.ts"
import { freshDatabase } from "../platform/testDatabase.ts"
import * as LossyLink from "./lossyLink.ts"

const caller = CallerId.make(SecureRandom.uuidV7Unsafe())
const orderDeadlineMillis = 1_500
/** What a machine under load may add to a limit; the drain of a silent link would add 5 s. */
const slackMillis = 2_000

const servicesOver = (link: LossyLink.LossyLink) =>
  Layer.mergeAll(
    WriterConnections.layer,
    CatalogueCache.layerLocal,
    Carts.layer,
    OrderReads.layer,
    DatabaseHealth.layer,
  ).pipe(
    Layer.provideMerge(PgClient.layer({ ...link.address, maxConnections: 8 })),
    Layer.provide(Layer.succeed(DatabaseAddress, link.address)),
    Layer.provide(Configuration.layerOf({})),
  )

it.live("a link that goes silent keeps nobody who reads through the pool beyond the limit", () =>
  Effect.gen(function* () {
    const link = yield* LossyLink.make(yield* freshDatabase())
    const services = yield* Layer.build(servicesOver(link))
    yield* Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const carts = yield* Carts
      const reads = yield* OrderReads
      const checkout = makeCheckout({
        carts,
        place: () => Effect.die("nothing is placed here"),
        reads: { ...reads, byKey: () => Effect.succeed(null) },
        settings: { orderDeadlineMillis, reservationTtlMillis: 60_000 },
      })
      const one = statement(() => "select 1 as one")
      const waits = {
        byId: [reads.byId(OrderId.make(caller)), pooledSilenceMaxMillis],
        byKey: [reads.byKey(caller, "key"), pooledSilenceMaxMillis],
        checkout: [checkout(accountBuyer(caller), { idempotencyKey: "key", expectedTotal: null }), orderDeadlineMillis],
        changed: [Context.get(services, CatalogueCache).changed, pooledSilenceMaxMillis],
        pooled: [Context.get(services, WriterConnections).pooled(one), pooledSilenceMaxMillis],
        health: [Context.get(services, DatabaseHealth).check, 1_000],
      } as const
      // As many connections as reads are open, so that each of them sends its query.
      yield* Effect.scoped(Effect.forEach(Object.keys(waits), () => sql.reserve))
      link.mode = "silent"
      yield* Effect.forEach(
        Object.entries(waits),
        ([name, [wait, limitMillis]]) =>
          Effect.gen(function* () {
            const [spent] = yield* Effect.timed(Effect.option<unknown, unknown, never>(wait))
            const millis = Duration.toMillis(spent)
            assert.isAtLeast(millis, limitMillis - 50, name)
            assert.isBelow(millis, limitMillis + slackMillis, name)
          }),
        { concurrency: "unbounded", discard: true },
      )
    }).pipe(Effect.provideContext(services))
  }).pipe(Effect.scoped),
)

/**
 * Which shard a product belongs to. Written once when the product is created, so what is known stays true for ever;
 * what is unknown is asked for each time and never remembered, since it may be created in the next instant.
 */
import { Context, Effect, Layer } from "effect"
import { shardDirectoryMax } from "../domain/bounds.ts"
import type { ProductId, Shard } from "../domain/ids.ts"
import { StoreUnreachable } from "./store/ShardStore.ts"
import { PgTypes } from "@effect/sql-pg"
import { statement } from "./store/sqlParameters.ts"
import { WriterConnections } from "./store/writerConnections.ts"

interface PlaceRow {
  readonly productId: ProductId
  readonly shard: Shard
}

export class ShardDirectory extends Context.Service<
  ShardDirectory,
  {
    /** The shards of these products; an unknown product is left out. */
    readonly shardsOf: (
      productIds: ReadonlyArray<ProductId>,
    ) => Effect.Effect<ReadonlyMap<ProductId, Shard>, StoreUnreachable>
  }
>()("hedonify/inventory/ShardDirectory") {
  static readonly layer = Layer.effect(
    ShardDirectory,
    Effect.gen(function* () {
      const connections = yield* WriterConnections
      return ShardDirectory.of(
        make((productIds) =>
          connections
            .pooled<PlaceRow>(
              statement(
                (parameters) =>
                  `select id as "productId", shard from products where id = any (${parameters.array(productIds, PgTypes.OID.uuid)})`,
              ),
            )
            .pipe(Effect.mapError((error) => new StoreUnreachable({ message: error.message }))),
        ),
      )
    }),
  )
}

/** A directory that remembers what `read` finds. */
export const make = (
  read: (productIds: ReadonlyArray<ProductId>) => Effect.Effect<ReadonlyArray<PlaceRow>, StoreUnreachable>,
): ShardDirectory["Service"] => {
  const known = new Map<ProductId, Shard>()
  const remembered = (productIds: ReadonlyArray<ProductId>) => {
    const places = new Map<ProductId, Shard>()
    for (const productId of productIds) {
      const shard = known.get(productId)
      if (shard !== undefined) places.set(productId, shard)
    }
    return places
  }
  return {
    shardsOf: Effect.fnUntraced(function* (productIds: ReadonlyArray<ProductId>) {
      const places = remembered(productIds)
      if (places.size === productIds.length) return places
      for (const { productId, shard } of yield* read(productIds.filter((wanted) => !places.has(wanted)))) {
        places.set(productId, shard)
        known.set(productId, shard)
      }
      while (known.size > shardDirectoryMax) {
        const [oldest] = known.keys()
        if (oldest !== undefined) known.delete(oldest)
      }
      return places
    }),
  }
}

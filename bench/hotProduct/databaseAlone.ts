/**
 * PostgreSQL alone: the very statement of a batch, its parameters encoded before the clock starts, one after another on
 * one writer's connection. What is left is the database, the driver's wire work and nothing of ours, so it is the most
 * that a single writer with one batch in flight could reach.
 */
import { PgTypes } from "@effect/sql-pg"
import { Effect, Layer, Result } from "effect"
import type { ProductId, Shard } from "../../src/domain/ids.ts"
import { commitStatement } from "../../src/inventory/store/commitStatement.ts"
import { nothingWritten, type OrderWrite } from "../../src/domain/batch.ts"
import { ShardStore } from "../../src/inventory/store/ShardStore.ts"
import type { Statement } from "../../src/inventory/store/sqlParameters.ts"
import { WriterConnections } from "../../src/inventory/store/writerConnections.ts"
import { DatabaseAddress } from "../../src/platform/Database.ts"
import { reserve } from "../../test/inventory/fixtures.ts"
import { type Strategy, timed } from "./strategy.ts"

/** A value in its binary form already, which the codecs below hand on as it is. */
class Encoded {
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** The driver's own codec, but for values that were encoded beforehand. */
const passingOn = (oid: number): PgTypes.Codec<unknown> => ({
  encode: (value) => (value instanceof Encoded ? Result.succeed(value.bytes) : PgTypes.encode(value, oid)),
  decode: (bytes) => PgTypes.decode(bytes, oid, 1),
})

const { bytea, float8, int4, int8, int2, json, text, uuid } = PgTypes.OID

const registry = (): PgTypes.Registry => {
  const types = PgTypes.makeRegistry()
  for (const oid of [int2, int8, json]) types.register(oid, passingOn(oid))
  for (const element of [bytea, float8, int4, text, uuid]) {
    const oid = PgTypes.arrayOidFor(element)
    if (oid !== undefined) types.register(oid, passingOn(oid))
  }
  return types
}

const encoded = ({ parameters, text: sql }: Statement): Statement => ({
  text: sql,
  parameters: parameters.map((parameter) => ({
    ...parameter,
    value: new Encoded(Result.getOrThrow(PgTypes.encodeParameter(parameter)) ?? new Uint8Array()),
  })),
})

const writeOf = (productId: ProductId): OrderWrite => {
  const line = { productId, quantity: 1, unitPrice: 1000, unitsBefore: null }
  const command = reserve([[productId, 1]])
  return { command, lines: [line], currency: "EUR", total: 1000, ttlMillis: command.reservationTtlMillis }
}

/** A writer's connection with a writer's settings, and the codecs above. */
const connectionWithCodecs = Effect.gen(function* () {
  const address = yield* DatabaseAddress
  const layer = WriterConnections.layer.pipe(
    Layer.provide(Layer.succeed(DatabaseAddress, { ...address, types: registry() })),
  )
  const context = yield* Layer.build(Layer.fresh(layer))
  return yield* Effect.flatMap(WriterConnections, ({ open }) => open).pipe(Effect.provide(context))
})

export const makeDatabaseAlone = Effect.fnUntraced(function* (
  shard: Shard,
  productId: ProductId,
  name: string,
  /** Asked at each round, since our batches set it. */
  currentBatchSize: () => number,
) {
  const connection = yield* connectionWithCodecs
  const lease = (yield* (yield* ShardStore).acquire([shard], "bench")).get(shard)
  if (lease === undefined) return yield* Effect.die(`shard ${shard} has no lease`)
  let { batch } = lease

  const round = Effect.fnUntraced(function* (orders: number) {
    const batchSize = currentBatchSize()
    const statements = Array.from({ length: Math.max(1, Math.round(orders / batchSize)) }, () => {
      batch += 1
      const made = Array.from({ length: batchSize }, () => writeOf(productId))
      return encoded(
        commitStatement({ ...nothingWritten, shard, epoch: lease.epoch, batch, form: "plain", orders: made }),
      )
    })
    const sell = Effect.gen(function* () {
      for (const { parameters, text: sql } of statements) {
        const { rows } = yield* connection.query(sql, parameters)
        if (rows.length !== 1) return yield* Effect.die("a batch was not applied")
      }
    })
    return { orders: statements.length * batchSize, seconds: yield* timed(Effect.orDie(sell)), batchSize }
  })
  return { name, productId, round } satisfies Strategy
})

/**
 * The shard store on PostgreSQL: each batch one autocommit statement on the shard's own connection, and the few reads
 * that a shard needs. What may be written and when is `commitStatement`'s business; here is what its answers mean.
 *
 * Must stay true: only an error of severity ERROR, or one that arose before anything was sent, says "nothing
 * happened"; a lost connection, silence, FATAL or an answer that cannot be read says "unknown".
 */
import { PgTypes } from "@effect/sql-pg"
import { Effect, Layer, Result } from "effect"
import type { OfferId, OrderId, ProductId, Shard, ShipmentId, StockMovementId } from "../../domain/ids.ts"
import { mayLeaveOrdersOut } from "./commitOrders.ts"
import { commitStatement, voidStatement } from "./commitStatement.ts"
import * as reads from "./shardReads.ts"
import type { BatchWrite } from "../../domain/batch.ts"
import {
  type Applied,
  connectionFailure,
  type FactsRequest,
  type NotApplied,
  ShardStore,
  StoreRejected,
  StoreUnknown,
  StoreUnreachable,
} from "./ShardStore.ts"
import { commitSpan } from "../../platform/tracing/recording.ts"
import { noted, spanned } from "../../platform/tracing/spans.ts"
import type { Statement } from "./sqlParameters.ts"
import { acquireShards } from "./takeover.ts"
import { isConnectionLost, type QueryError, serverError, WriterConnections } from "./writerConnections.ts"

interface CommitRow {
  readonly at: number
  readonly placed: ReadonlyArray<OrderId> | null
  readonly carted: ReadonlyArray<OrderId> | null
  readonly moved: ReadonlyArray<StockMovementId> | null
  readonly extended: ReadonlyArray<number> | null
  readonly ended: ReadonlyArray<OrderId> | null
  readonly amended: ReadonlyArray<ProductId> | null
  readonly payments: Applied["payments"] | null
  readonly sent: ReadonlyArray<ShipmentId> | null
  readonly arrived: ReadonlyArray<ShipmentId> | null
  readonly offered: ReadonlyArray<OfferId> | null
  readonly product_ids: ReadonlyArray<ProductId> | null
  readonly stocked: ReadonlyArray<number> | null
  readonly available: ReadonlyArray<number> | null
  readonly counted_ids: ReadonlyArray<ProductId> | null
  readonly customers: ReadonlyArray<string> | null
  readonly units: ReadonlyArray<number | null> | null
}

export const layerNoDeps = Layer.effect(
  ShardStore,
  Effect.gen(function* () {
    const connections = yield* WriterConnections

    const write = <Row extends object>(shard: Shard, statement: Statement) =>
      connections.query<Row>(shard, statement).pipe(Effect.mapError((error) => writeError(statement, error)))
    /** Asked once more where the connection was lost: a server that came back is met by connections that it forgot. */
    const read = <Row extends object>(shard: Shard, statement: Statement) =>
      connections.query<Row>(shard, statement).pipe(
        Effect.catchIf(isConnectionLost, () => connections.query<Row>(shard, statement)),
        Effect.mapError(unreachable),
      )

    const commit = Effect.fnUntraced(
      function* (batch: BatchWrite) {
        yield* noted(() => ({
          "db.system.name": "postgresql",
          "hedonify.lease.epoch": batch.epoch,
          "hedonify.lease.batch": batch.batch,
        }))
        const [row] = yield* write<CommitRow>(batch.shard, commitStatement(batch))
        return row === undefined ? notApplied : applied(batch, row)
      },
      spanned(commitSpan, { kind: "client" }),
    )

    const facts = Effect.fnUntraced(function* (shard: Shard, request: FactsRequest) {
      const [row] = yield* read<reads.FactsRow>(shard, reads.facts(shard, request))
      if (row === undefined) return yield* missingShard(shard)
      return {
        lease: { epoch: row.epoch, batch: row.batch },
        orders: row.orders ?? [],
        movements: row.movements ?? [],
        holds: row.holds ?? [],
        heldUnits: row.heldUnits ?? [],
        statuses: row.statuses ?? [],
        paymentKeys: row.paymentKeys ?? [],
        payments: row.payments ?? [],
        shipments: row.shipments ?? [],
      }
    })

    return ShardStore.of({
      acquire: (shards, owner) =>
        acquireShards(connections, shards, owner).pipe(
          Effect.map((leases) => new Map(leases)),
          Effect.mapError(unreachable),
        ),
      inspect: Effect.fnUntraced(function* (shard: Shard, batch: number) {
        const [row] = yield* read<reads.InspectionRow>(shard, reads.inspection(shard, batch))
        if (row === undefined) return yield* missingShard(shard)
        const { committedAtMillis, epoch, usedByEpoch, voided } = row
        const isUsed = usedByEpoch !== null && voided !== null && committedAtMillis !== null
        const record = isUsed ? { epoch: usedByEpoch, voided, committedAtMillis } : null
        return { lease: { epoch, batch: row.batch }, record }
      }),
      commit,
      voidBatch: (shard, lease) =>
        write(shard, voidStatement({ shard, ...lease })).pipe(
          Effect.map((rows) => (rows.length === 0 ? notApplied : { _tag: "Applied" as const })),
        ),
      products: (shard, productIds) =>
        productIds.length === 0 ? Effect.succeed([]) : read<reads.ProductRow>(shard, reads.products(shard, productIds)),
      facts,
      units: (shard, pairs) => read<reads.CustomerUnitsRow>(shard, reads.customerUnits(pairs)),
      dueShards: (shards) =>
        connections.pooled<reads.DueShardRow>(reads.dueShards(shards)).pipe(
          Effect.map((rows) => rows.map((row) => row.shard)),
          Effect.mapError(unreachable),
        ),
      expiredHolds: (shard, sizeMax) =>
        read<reads.ExpiredHoldRow>(shard, reads.expiredHolds(shard, sizeMax)).pipe(
          Effect.map((rows) => rows.map((row) => ({ _tag: "Release", ...row, onlyExpired: true }) as const)),
        ),
      expiredOrders: (shard, sizeMax) => read<reads.EndableOrderRow>(shard, reads.expiredOrders(shard, sizeMax)),
      endableOrder: (orderId) =>
        connections.pooled<reads.EndableOrderRow>(reads.endableOrder(orderId)).pipe(
          Effect.map(([row]) => row ?? null),
          Effect.mapError(unreachable),
        ),
      waiters: (shard, productIds, sizeMax) => read<reads.WaiterRow>(shard, reads.waiters(shard, productIds, sizeMax)),
      productsToOffer: (shard, sizeMax) =>
        read<reads.ProductToOfferRow>(shard, reads.productsToOffer(shard, sizeMax)).pipe(
          Effect.map((rows) => rows.map((row) => row.productId)),
        ),
      pendingReturns: (shard, sizeMax) =>
        read<reads.PendingReturnRow>(shard, reads.pendingReturns(shard, sizeMax)).pipe(
          Effect.map((rows) => rows.map((row) => ({ _tag: "Return", ...row }) as const)),
        ),
    })
  }),
)

export const layer = layerNoDeps.pipe(Layer.provide(WriterConnections.layer))

const notApplied: NotApplied = { _tag: "NotApplied" }

const applied = (batch: BatchWrite, row: CommitRow): Applied => {
  const orderIds = batch.orders.map(({ command }) => command.orderId)
  const unplaced = mayLeaveOrdersOut(batch) ? missingFrom(row.placed, orderIds) : []
  const carts = batch.orders.flatMap(({ command }) => (command.cartVersion === null ? [] : [command.orderId]))
  const extended = new Map<number, number>()
  for (const position of row.extended ?? []) extended.set(position, (extended.get(position) ?? 0) + 1)
  const amended = new Set(row.amended)
  const offered = new Set(row.offered)
  return {
    _tag: "Applied",
    atMillis: row.at,
    unplaced,
    cartsChanged: missingFrom(row.carted, carts),
    unmoved:
      batch.form === "guarded"
        ? missingFrom(
            row.moved,
            batch.movements.map(({ movementId }) => movementId),
          )
        : [],
    unextended: batch.extensions.filter(({ productIds }, position) => extended.get(position) !== productIds.length),
    unended: missingFrom(
      row.ended,
      batch.endings.map(({ orderId }) => orderId),
    ),
    unamended: batch.amendments.filter(({ productId }) => !amended.has(productId)),
    payments: row.payments ?? [],
    unshipped: missingFrom(
      row.sent,
      batch.shipments.map(({ shipmentId }) => shipmentId),
    ),
    undelivered: missingFrom(
      row.arrived,
      batch.deliveries.map(({ shipmentId }) => shipmentId),
    ),
    unoffered: batch.offers.filter(({ offerId }) => !offered.has(offerId)),
    stock: zip(row.product_ids, row.stocked, row.available, (productId, stocked, available) => ({
      productId,
      stocked,
      available,
    })),
    units: zip(row.counted_ids, row.customers, row.units, (productId, customer, units) => ({
      productId,
      customer,
      units,
    })),
  }
}

/** Those of `wanted` that are not among `found`. */
const missingFrom = <Id>(found: ReadonlyArray<Id> | null, wanted: ReadonlyArray<Id>): ReadonlyArray<Id> => {
  const known = new Set(found)
  return wanted.filter((id) => !known.has(id))
}

const zip = <A, B, C, Row>(
  firsts: ReadonlyArray<A> | null,
  seconds: ReadonlyArray<B> | null,
  thirds: ReadonlyArray<C> | null,
  row: (first: A, second: B, third: C) => Row,
): ReadonlyArray<Row> => {
  const rows: Array<Row> = []
  for (const [at, first] of (firsts ?? []).entries()) {
    const second = seconds?.[at]
    const third = thirds?.[at]
    if (second !== undefined && third !== undefined) rows.push(row(first, second, third))
  }
  return rows
}

const missingShard = (shard: Shard) => Effect.fail(new StoreUnreachable({ message: `shard ${shard} has no lease row` }))

const unreachable = (error: QueryError): StoreUnreachable =>
  new StoreUnreachable({ message: error._tag === "Silent" ? "no answer in time" : error.message })

/** What cannot be encoded was never sent: definite, and the fault of what the batch carries. */
const isEncodable = ({ parameters }: Statement): boolean =>
  parameters.every((parameter) => Result.isSuccess(PgTypes.encodeParameter(parameter)))

const writeError = (statement: Statement, error: QueryError): StoreRejected | StoreUnknown => {
  if (error._tag === "NotSent") return new StoreRejected({ sqlState: connectionFailure, message: error.message })
  if (error._tag === "Silent") return new StoreUnknown({ message: "no answer in time" })
  const said = serverError(error)
  if (said?.severity === "ERROR") return new StoreRejected({ sqlState: said.sqlState, message: said.message })
  if (said === null && !isEncodable(statement)) return new StoreRejected({ sqlState: "22000", message: error.message })
  return new StoreUnknown({ message: said?.message ?? error.message })
}

/**
 * A shard store with two writers on one database, and the rows behind it: what the suite needs of either
 * implementation. Must stay true: `rows` looks at the tables themselves and never through the store.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { MerchantId, type OrderId, type ProductId, type Shard, StockMovementId } from "../../src/domain/ids.ts"
import type { OrderStatus } from "../../src/domain/order.ts"
import * as MemoryShardStore from "../../src/inventory/MemoryShardStore.ts"
import type {
  BatchRow,
  HoldRow,
  OrderLineRow,
  OrderRow,
  PendingReturnRow,
  StockRow,
} from "../../src/inventory/memoryTables.ts"
import * as PostgresShardStore from "../../src/inventory/PostgresShardStore.ts"
import { type CustomerUnits, ShardStore } from "../../src/inventory/ShardStore.ts"
import { testDatabase } from "../platform/testDatabase.ts"

export type Store = ShardStore["Service"]

export interface ProductToSell {
  readonly productId: ProductId
  readonly shard: Shard
  readonly price: number
  readonly limitPerCustomer: number | null
  readonly stocked: number
}

/** Everything that one commit may change. */
export interface Rows {
  readonly batches: ReadonlyArray<BatchRow>
  readonly stock: ReadonlyArray<StockRow>
  readonly movements: ReadonlyArray<{
    readonly movementId: StockMovementId
    readonly productId: ProductId
    readonly delta: number
  }>
  readonly orders: ReadonlyArray<Pick<OrderRow, "orderId" | "status" | "total" | "homeShard">>
  readonly orderLines: ReadonlyArray<OrderLineRow>
  readonly holds: ReadonlyArray<Pick<HoldRow, "shard" | "key" | "productId" | "attempt" | "quantity" | "unitPrice">>
  readonly pendingReturns: ReadonlyArray<PendingReturnRow>
  readonly customerUnits: ReadonlyArray<CustomerUnits>
}

const shards = 4

export class StoreUnderTest extends Context.Service<
  StoreUnderTest,
  {
    readonly first: Store
    readonly second: Store
    readonly createProduct: (product: ProductToSell) => Effect.Effect<void>
    /** Ends an order and writes its returns, as cancelling it does. */
    readonly endOrder: (
      orderId: OrderId,
      status: OrderStatus,
      returns: ReadonlyArray<PendingReturnRow>,
    ) => Effect.Effect<void>
    readonly rows: Effect.Effect<Rows>
  }
>()("test/store/StoreUnderTest") {
  static readonly memory = Layer.effect(
    StoreUnderTest,
    Effect.suspend(() => this.inMemory(new MemoryShardStore.MemoryDatabase(shards))),
  )

  static readonly inMemory = Effect.fnUntraced(function* (database: MemoryShardStore.MemoryDatabase) {
    const { tables } = database
    const writer = Effect.provide(ShardStore, Layer.fresh(MemoryShardStore.layer(database)))
    return StoreUnderTest.of({
      first: yield* writer,
      second: yield* writer,
      createProduct: (product) =>
        Effect.sync(() =>
          database.createProduct({ ...product, ...plainProduct }, StockMovementId.make(randomUUID()), 0),
        ),
      endOrder: (orderId, status, returns) => Effect.sync(() => database.endOrder(orderId, status, returns)),
      rows: Effect.sync(() => ({
        batches: tables.batches.all(),
        stock: tables.stock.all(),
        movements: tables.movements.all().map(({ delta, movementId, productId }) => ({ movementId, productId, delta })),
        orders: tables.orders
          .all()
          .map(({ homeShard, orderId, status, total }) => ({ orderId, status, total, homeShard })),
        orderLines: tables.orderLines.all(),
        holds: tables.holds.all().map(({ attempt, key, productId, quantity, shard, unitPrice }) => {
          return { shard, key, productId, attempt, quantity, unitPrice }
        }),
        pendingReturns: tables.pendingReturns.all(),
        customerUnits: tables.customerUnits.all(),
      })),
    })
  })

  static readonly postgresNoDeps = Layer.effect(
    StoreUnderTest,
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* sql`insert into shard_leases (shard) select generate_series(0, ${shards} - 1) on conflict do nothing`
      yield* sql`insert into merchants (id, name, status, approved_at)
        values (${merchantId}, 'a merchant', 'approved', now() + interval '1 second') on conflict do nothing`
      const writer = Effect.map(Layer.build(Layer.fresh(PostgresShardStore.layer)), (context) =>
        Context.get(context, ShardStore),
      )
      return StoreUnderTest.of({
        first: yield* writer,
        second: yield* writer,
        createProduct: ({ limitPerCustomer, price, productId, shard, stocked }) =>
          sql`with product as (
              insert into products (id, merchant_id, shard, name, price, currency, limit_per_customer, created_at, updated_at)
              values (${productId}, ${merchantId}, ${shard}, 'a product', ${price}, 'EUR', ${limitPerCustomer}, now(), now())
            ), stock as (
              insert into stock (product_id, stocked, available) values (${productId}, ${stocked}, ${stocked})
            )
            insert into stock_movements (id, product_id, caller, key, fingerprint, kind, delta, created_at)
            values (${randomUUID()}, ${productId}, ${productId}, 'created', decode(repeat('00', 16), 'hex'), 'received', ${stocked}, now())`.pipe(
            Effect.asVoid,
            Effect.orDie,
          ),
        endOrder: (orderId, status, returns) =>
          Effect.gen(function* () {
            yield* sql`update orders set status = ${status} where id = ${orderId}`
            for (const { customer, productId, quantity, returnId, shard } of returns) {
              yield* sql`insert into pending_returns (id, shard, product_id, order_id, customer, quantity, created_at)
                values (${returnId}, ${shard}, ${productId}, ${orderId}, ${customer}, ${quantity}, now())`
            }
          }).pipe(sql.withTransaction, Effect.orDie),
        rows: Effect.all({
          batches: sql<BatchRow>`select shard, batch::float8 as batch, epoch::float8 as epoch, voided, events,
            (extract(epoch from committed_at) * 1000)::float8 as "committedAtMillis" from batches order by shard, batch`,
          stock: sql<StockRow>`select product_id as "productId", stocked, available from stock`,
          movements: sql<
            Rows["movements"][number]
          >`select id as "movementId", product_id as "productId", delta from stock_movements`,
          orders: sql<
            Rows["orders"][number]
          >`select id as "orderId", status, total::float8 as total, home_shard as "homeShard" from orders`,
          orderLines: sql<OrderLineRow>`select order_id as "orderId", product_id as "productId", quantity, unit_price::float8 as "unitPrice" from order_lines`,
          holds: sql<
            Rows["holds"][number]
          >`select shard, key, product_id as "productId", attempt, quantity, unit_price::float8 as "unitPrice" from holds`,
          pendingReturns: sql<PendingReturnRow>`select id as "returnId", shard, product_id as "productId", order_id as "orderId", customer, quantity from pending_returns`,
          customerUnits: sql<CustomerUnits>`select product_id as "productId", customer, units from customer_units`,
        }).pipe(sql.withTransaction, Effect.orDie),
      })
    }),
  )

  static readonly postgres = this.postgresNoDeps.pipe(Layer.provideMerge(testDatabase))
}

const merchantId = MerchantId.make("00000000-0000-7000-8000-00000000ab1e")
const plainProduct = {
  merchantId,
  name: "a product",
  currency: "EUR",
  saleStartsAtMillis: null,
  paused: false,
  archived: false,
}

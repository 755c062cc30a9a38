/**
 * A shard store with two writers on one database, and the rows behind it: what the suite needs of either
 * implementation. Must stay true: `rows` looks at the tables themselves and never through the store.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Result } from "effect"
import { randomUUID } from "node:crypto"
import {
  type AccountId,
  CallerId,
  MerchantId,
  type OrderId,
  type ProductId,
  type Shard,
  StockMovementId,
} from "../../src/domain/ids.ts"
import * as MemoryShardStore from "../../src/inventory/memory/MemoryShardStore.ts"
import type {
  BatchRow,
  CartRow,
  HoldRow,
  OrderLineRow,
  OrderRow,
  PendingReturnRow,
  ProductRow,
  PaymentRow,
  ShipmentRow,
  StockRow,
  WaiterRow,
} from "../../src/inventory/memory/memoryRows.ts"
import * as PostgresShardStore from "../../src/inventory/store/PostgresShardStore.ts"
import { type CustomerUnits, ShardStore } from "../../src/inventory/store/ShardStore.ts"
import { testDatabase } from "../platform/testDatabase.ts"

export type Store = ShardStore["Service"]

export interface ProductToSell {
  readonly productId: ProductId
  readonly shard: Shard
  readonly price: number
  readonly limitPerCustomer: number | null
  readonly countsUnits: boolean
  readonly stocked: number
  readonly merchantId: MerchantId
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
  readonly orders: ReadonlyArray<
    Pick<OrderRow, "orderId" | "caller" | "customerRef" | "status" | "total" | "homeShard">
  >
  readonly orderLines: ReadonlyArray<OrderLineRow>
  readonly holds: ReadonlyArray<
    Pick<HoldRow, "shard" | "key" | "productId" | "attempt" | "kind" | "customer" | "quantity" | "unitPrice">
  >
  readonly pendingReturns: ReadonlyArray<PendingReturnRow>
  readonly customerUnits: ReadonlyArray<CustomerUnits>
  readonly products: ReadonlyArray<Omit<ProductRow, "merchantId">>
  readonly carts: ReadonlyArray<CartRow>
  readonly payments: ReadonlyArray<Omit<PaymentRow, "createdAtMillis" | "settledAtMillis"> & { isSettled: boolean }>
  readonly shipments: ReadonlyArray<
    Omit<ShipmentRow, "createdAtMillis" | "deliveredAtMillis"> & { readonly isDelivered: boolean }
  >
  /** The earliest first; `number` within its batch. */
  readonly waitingList: ReadonlyArray<Omit<WaiterRow, "batch">>
}

const shards = 4

export class StoreUnderTest extends Context.Service<
  StoreUnderTest,
  {
    readonly first: Store
    readonly second: Store
    readonly createProduct: (product: ProductToSell) => Effect.Effect<void>
    /** An account of this id, for what refers to accounts. */
    readonly openAccount: (account: AccountId) => Effect.Effect<void>
    readonly payOrder: (orderId: OrderId) => Effect.Effect<void>
    /** An order as if it had been placed an hour earlier, so that its time is over. */
    readonly ageOrder: (orderId: OrderId) => Effect.Effect<void>
    /** Puts these lines into a cart in place of what was in it, and answers its version. */
    readonly fillCart: (caller: CallerId, lines: CartRow["lines"]) => Effect.Effect<number>
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
          database.createProduct({ ...plainProduct, ...product }, StockMovementId.make(randomUUID()), 0),
        ),
      openAccount: () => Effect.void,
      payOrder: (orderId) => Effect.sync(() => database.endOrder(orderId, "paid", [])),
      ageOrder: (orderId) =>
        Effect.sync(() => {
          const row = tables.orders.get(orderId)
          if (row === undefined) return
          const createdAtMillis = row.createdAtMillis - hourMillis
          const aged = { ...row, createdAtMillis, expiresAtMillis: row.expiresAtMillis - hourMillis }
          const change = () => {
            tables.orders.put(aged)
            tables.orderKeys.put(aged)
          }
          Result.getOrThrow(tables.transact(change))
        }),
      fillCart: (caller, lines) => Effect.sync(() => database.putCart(caller, lines)),
      rows: Effect.sync(() => ({
        batches: tables.batches.all(),
        stock: tables.stock.all(),
        movements: tables.movements.all().map(({ delta, movementId, productId }) => ({ movementId, productId, delta })),
        orders: tables.orders.all().map(({ caller, customerRef, homeShard, orderId, status, total }) => {
          return { orderId, caller, customerRef, status, total, homeShard }
        }),
        orderLines: tables.orderLines.all(),
        holds: tables.holds.all().map(({ attempt, customer, key, kind, productId, quantity, shard, unitPrice }) => {
          return { shard, key, productId, attempt, kind, customer, quantity, unitPrice }
        }),
        pendingReturns: tables.pendingReturns.all(),
        customerUnits: tables.customerUnits.all(),
        products: tables.products.all().map((row) => {
          const { merchantId: _, ...product } = row
          return product
        }),
        carts: tables.carts.all(),
        payments: tables.payments.all().map((row) => {
          const { amount, caller, currency, declineCode, fingerprint, key, method } = row
          const { orderId, paymentId, reference, settledAtMillis, status } = row
          const name = { paymentId, orderId, caller, key, fingerprint }
          const money = { method, reference, amount, currency, status, declineCode }
          return { ...name, ...money, isSettled: settledAtMillis !== null }
        }),
        shipments: tables.shipments.all().map((row) => {
          const { carrier, deliveredAtMillis, merchantId: by, orderId, shipmentId, trackingNumber } = row
          const isDelivered = deliveredAtMillis !== null
          return { shipmentId, orderId, merchantId: by, carrier, trackingNumber, isDelivered }
        }),
        waitingList: tables.waitingList
          .all()
          .toSorted((left, right) => left.batch - right.batch || left.number - right.number)
          .map(({ accountId, number, offerId, productId, quantity, shard }) => {
            return { accountId, number, offerId, productId, quantity, shard }
          }),
      })),
    })
  })

  static readonly postgresNoDeps = Layer.effect(
    StoreUnderTest,
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* sql`insert into shard_leases (shard) select generate_series(0, ${shards} - 1) on conflict do nothing`
      const openMerchant = (id: MerchantId) => sql`insert into merchants (id, name, status, approved_at)
        values (${id}, 'a merchant', 'approved', now() + interval '1 second') on conflict do nothing`
      const openAccount = (id: string) => sql`insert into accounts (id, email, name, password_hash)
        values (${id}, ${`${id}@example.com`}, 'A buyer', '$argon2id$') on conflict (id) do nothing`
      const writer = Effect.map(Layer.build(Layer.fresh(PostgresShardStore.layer)), (context) =>
        Context.get(context, ShardStore),
      )
      return StoreUnderTest.of({
        first: yield* writer,
        second: yield* writer,
        createProduct: ({ countsUnits, limitPerCustomer, merchantId: of, price, productId, shard, stocked }) =>
          Effect.andThen(
            openMerchant(of),
            sql`with product as (
              insert into products (id, merchant_id, shard, name, price, currency, limit_per_customer, counts_units, created_at, updated_at)
              values (${productId}, ${of}, ${shard}, 'a product', ${price}, 'EUR', ${limitPerCustomer}, ${countsUnits}, now(), now())
              returning id
            ), stock as (
              insert into stock (product_id, stocked, available) select id, ${stocked}::integer, ${stocked}::integer from product
            )
            insert into stock_movements (id, product_id, caller, key, fingerprint, kind, delta, created_at)
            values (${randomUUID()}, ${productId}, ${productId}, 'created', decode(repeat('00', 16), 'hex'), 'received', ${stocked}, now())`,
          ).pipe(Effect.asVoid, Effect.orDie),
        openAccount: (account) => openAccount(account).pipe(Effect.asVoid, Effect.orDie),
        payOrder: (orderId) =>
          sql`update orders set status = 'paid', paid_at = now() where id = ${orderId}`.pipe(
            Effect.asVoid,
            Effect.orDie,
          ),
        ageOrder: (orderId) =>
          sql`update orders set created_at = created_at - interval '1 hour', expires_at = expires_at - interval '1 hour'
            where id = ${orderId}`.pipe(Effect.asVoid, Effect.orDie),
        fillCart: (caller, lines) =>
          Effect.gen(function* () {
            yield* openAccount(caller)
            const [cart] = yield* sql<{ version: number }>`insert into carts (account_id, updated_at)
              values (${caller}, now()) on conflict (account_id) do update set version = carts.version + 1
              returning version::float8 as version`
            yield* sql`delete from cart_lines where account_id = ${caller}`
            for (const { productId, quantity } of lines) {
              yield* sql`insert into cart_lines (account_id, product_id, quantity, unit_price, added_at)
                values (${caller}, ${productId}, ${quantity}, 100, now())`
            }
            return cart?.version ?? (yield* Effect.die("no cart"))
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
          >`select id as "orderId", caller, customer_ref as "customerRef", status, total::float8 as total, home_shard as "homeShard" from orders`,
          orderLines: sql<OrderLineRow>`select order_id as "orderId", product_id as "productId", quantity, unit_price::float8 as "unitPrice" from order_lines`,
          holds: sql<
            Rows["holds"][number]
          >`select shard, key, product_id as "productId", attempt, kind, customer, quantity, unit_price::float8 as "unitPrice" from holds`,
          pendingReturns: sql<PendingReturnRow>`select id as "returnId", shard, product_id as "productId", order_id as "orderId", customer, quantity from pending_returns`,
          customerUnits: sql<CustomerUnits>`select product_id as "productId", customer, units from customer_units`,
          products: sql<
            Rows["products"][number]
          >`select id as "productId", shard, name, price::float8 as price, currency, limit_per_customer as "limitPerCustomer",
            counts_units as "countsUnits", (extract(epoch from sale_starts_at) * 1000)::float8 as "saleStartsAtMillis", paused, archived,
            waitlist, reservation_ttl_seconds as "reservationTtlSeconds", version from products`,
          carts: sql<CartRow>`select account_id as caller, version::float8 as version, (
            select coalesce(json_agg(json_build_object('productId', product_id, 'quantity', quantity) order by product_id), '[]'::json)
            from cart_lines l where l.account_id = c.account_id) as lines from carts c`,
          payments: sql<
            Rows["payments"][number]
          >`select id as "paymentId", order_id as "orderId", caller, key, encode(fingerprint, 'hex') as fingerprint, method, reference,
            amount::float8 as amount, currency, status, decline_code as "declineCode", settled_at is not null as "isSettled" from payments`,
          shipments: sql<
            Rows["shipments"][number]
          >`select id as "shipmentId", order_id as "orderId", merchant_id as "merchantId", carrier, tracking_number as "trackingNumber",
            delivered_at is not null as "isDelivered" from shipments`,
          waitingList: sql<
            Rows["waitingList"][number]
          >`select id as "offerId", product_id as "productId", account_id as "accountId", shard, quantity, number from waiting_list
            order by batch, waiting_list.number`,
        }).pipe(sql.withTransaction, Effect.orDie),
      })
    }),
  )

  static readonly postgres = this.postgresNoDeps.pipe(Layer.provideMerge(testDatabase))
}

const hourMillis = 3_600_000
export const merchantId = MerchantId.make("00000000-0000-7000-8000-00000000ab1e")
/** Whose orders are for customers of its own, by their references. */
export const channel = CallerId.make(merchantId)

const plainProduct = {
  name: "a product",
  currency: "EUR",
  saleStartsAtMillis: null,
  paused: false,
  archived: false,
  waitlist: true,
  reservationTtlSeconds: null,
  version: 1,
}

/**
 * A small shop for tests of the inventory: shards, one approved merchant, products with a stock, and commands with
 * sensible values. Balances are read straight from the rows, so no test has to believe the code under test.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import { createHash } from "node:crypto"
import type { Hold, Reserve, Restock } from "../../src/domain/commands.ts"
import {
  AttemptId,
  CallerId,
  MerchantId,
  OrderId,
  ProductId,
  type Shard,
  StockMovementId,
} from "../../src/domain/ids.ts"

const id = (): string => SecureRandom.uuidV7Unsafe()
export const newCaller = (): CallerId => CallerId.make(id())
export const newAttempt = (): AttemptId => AttemptId.make(id())

/** The fingerprint of a request: any function of what was asked for does. */
export const fingerprintOf = (lines: unknown): string =>
  createHash("sha256").update(JSON.stringify(lines)).digest("hex").slice(0, 32)

export const makeShards = Effect.fnUntraced(function* (shards: number) {
  const sql = yield* PgClient.PgClient
  yield* sql`insert into shard_leases (shard) select generate_series(0, ${shards}::integer - 1) on conflict do nothing`
})

export const makeMerchant = Effect.fnUntraced(function* () {
  const sql = yield* PgClient.PgClient
  const merchantId = MerchantId.make(id())
  yield* sql`insert into merchants (id, name, status, approved_at) values (${merchantId}::uuid, 'Test', 'approved', now())`
  return merchantId
})

export interface ProductOptions {
  readonly shard?: Shard
  readonly price?: number
  readonly currency?: string
  readonly limitPerCustomer?: number
  readonly paused?: boolean
  readonly saleStartsAt?: string
}

export const makeProduct = Effect.fnUntraced(function* (
  merchantId: MerchantId,
  units: number,
  options: ProductOptions = {},
) {
  const sql = yield* PgClient.PgClient
  const productId = ProductId.make(id())
  yield* sql`
    with product as (
      insert into products (id, merchant_id, shard, name, price, currency, limit_per_customer, counts_units, paused, sale_starts_at, created_at, updated_at)
      values (${productId}::uuid, ${merchantId}::uuid, ${options.shard ?? 0}::smallint, 'Test product', ${options.price ?? 1000}::bigint,
        ${options.currency ?? "EUR"}, ${options.limitPerCustomer ?? null}::integer, ${options.limitPerCustomer !== undefined}::boolean, ${options.paused ?? false}::boolean,
        ${options.saleStartsAt ?? null}::timestamptz, now(), now())
      returning id
    ), movement as (
      insert into stock_movements (id, product_id, caller, key, fingerprint, kind, delta, created_at)
      select ${id()}::uuid, id, id, 'created', decode(repeat('00', 16), 'hex'), 'received', ${units}::integer, now() from product
    )
    insert into stock (product_id, stocked, available) select id, ${units}::integer, ${units}::integer from product`
  return productId
})

type Lines = ReadonlyArray<readonly [ProductId, number]>
const linesOf = (lines: Lines) => lines.map(([productId, quantity]) => ({ productId, quantity }))

export const reserve = (lines: Lines, options: Partial<Reserve> = {}): Reserve => {
  const caller = options.caller ?? newCaller()
  return {
    _tag: "Reserve",
    caller,
    key: id(),
    fingerprint: fingerprintOf(linesOf(lines)),
    orderId: OrderId.make(id()),
    customer: caller,
    customerRef: null,
    lines: linesOf(lines),
    held: [],
    expectedTotal: null,
    reservationTtlMillis: 900_000,
    cartVersion: null,
    ...options,
  }
}

export const hold = (lines: Lines, options: Partial<Hold> = {}): Hold => {
  const caller = options.caller ?? newCaller()
  return {
    _tag: "Hold",
    caller,
    key: id(),
    fingerprint: fingerprintOf(linesOf(lines)),
    attempt: newAttempt(),
    customer: caller,
    lines: linesOf(lines),
    holdTtlMillis: 30_000,
    ...options,
  }
}

export const restock = (productId: ProductId, delta: number, options: Partial<Restock> = {}): Restock => ({
  _tag: "Restock",
  caller: newCaller(),
  key: id(),
  fingerprint: fingerprintOf([productId, delta]),
  movementId: StockMovementId.make(id()),
  productId,
  kind: delta >= 0 ? "received" : "corrected",
  delta,
  reason: null,
  ...options,
})

export interface Balance {
  readonly stocked: number
  readonly available: number
  readonly ordered: number
  readonly held: number
  readonly returning: number
}

/** Where a product's units are, from the rows alone. */
export const balanceOf = Effect.fnUntraced(function* (productId: ProductId) {
  const sql = yield* PgClient.PgClient
  const [row] = yield* sql<Balance>`
    select s.stocked, s.available,
      coalesce((select sum(l.quantity) from order_lines l join orders o on o.id = l.order_id
        where l.product_id = s.product_id and o.status not in ('cancelled', 'expired', 'refunded')), 0)::integer as ordered,
      coalesce((select sum(quantity) from holds h where h.product_id = s.product_id), 0)::integer as held,
      coalesce((select sum(quantity) from pending_returns r where r.product_id = s.product_id), 0)::integer as returning
    from stock s where s.product_id = ${productId}::uuid`
  return row ?? (yield* Effect.die(`no stock row for ${productId}`))
})

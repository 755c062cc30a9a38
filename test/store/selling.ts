/**
 * What the store's tests say in few words: a product to sell, an order, a hold, a writer with its lease and its next
 * number, and the books that must balance after every test.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import type { HeldPart, IdempotencyKey, Release, Restock, Return } from "../../src/domain/commands.ts"
import { AttemptId, CallerId, OrderId, ProductId, type Shard, StockMovementId } from "../../src/domain/ids.ts"
import { isLive } from "../../src/domain/order.ts"
import type { BatchWrite, HoldExtension, HoldWrite, LineWrite, OrderWrite } from "../../src/domain/batch.ts"
import type { Applied, Lease, StoreUnreachable } from "../../src/inventory/ShardStore.ts"
import { type ProductToSell, type Store, StoreUnderTest } from "./StoreUnderTest.ts"

export const attempt = (number: number): AttemptId =>
  AttemptId.make(`00000000-0000-7000-8000-${String(number).padStart(12, "0")}`)

/** A fresh product; three units at 100 in shard 0 unless told otherwise. */
export const sell = Effect.fnUntraced(function* (
  options: Partial<Omit<ProductToSell, "productId">> = {},
): Effect.fn.Return<ProductToSell, never, StoreUnderTest> {
  const { createProduct } = yield* StoreUnderTest
  const product = {
    productId: ProductId.make(randomUUID()),
    shard: 0,
    price: 100,
    limitPerCustomer: null,
    stocked: 3,
    ...options,
  }
  yield* createProduct(product)
  return product
})

/** A key of a caller nobody else has. */
export const newKey = (): IdempotencyKey => ({
  caller: CallerId.make(randomUUID()),
  key: "key",
  fingerprint: randomUUID().replaceAll("-", ""),
})

const lineOf = (product: ProductToSell, quantity: number): LineWrite => ({
  productId: product.productId,
  quantity,
  unitPrice: product.price,
  limited: product.limitPerCustomer !== null,
})
type Wanted = ReadonlyArray<readonly [ProductToSell, number]>

const totalOf = (lines: ReadonlyArray<{ readonly quantity: number; readonly unitPrice: number }>): number =>
  lines.reduce((sum, line) => sum + line.quantity * line.unitPrice, 0)

export interface OrderOptions {
  readonly key?: IdempotencyKey
  readonly customer?: string
  readonly held?: ReadonlyArray<HeldPart>
}

export const order = (
  wanted: Wanted,
  { customer = "ann", held = [], key = newKey() }: OrderOptions = {},
): OrderWrite => {
  const lines = wanted.map(([product, quantity]) => lineOf(product, quantity))
  return {
    command: {
      ...key,
      _tag: "Reserve",
      orderId: OrderId.make(randomUUID()),
      customer,
      customerRef: null,
      lines: lines.map(({ productId, quantity }) => ({ productId, quantity })),
      held,
      expectedTotal: null,
      reservationTtlMillis: 60_000,
    },
    lines,
    currency: "EUR",
    total: totalOf(lines) + held.reduce((sum, part) => sum + totalOf(part.lines), 0),
  }
}

export interface HoldOptions {
  readonly key?: IdempotencyKey
  readonly customer?: string
  readonly attempt?: AttemptId
  /** 0 makes a hold whose time is over as soon as it is there. */
  readonly ttlMillis?: number
}

export const hold = (wanted: Wanted, options: HoldOptions = {}): HoldWrite => {
  const lines = wanted.map(([product, quantity]) => lineOf(product, quantity))
  return {
    command: {
      ...(options.key ?? newKey()),
      _tag: "Hold",
      attempt: options.attempt ?? attempt(1),
      customer: options.customer ?? "ann",
      lines: lines.map(({ productId, quantity }) => ({ productId, quantity })),
      holdTtlMillis: options.ttlMillis ?? 60_000,
    },
    lines,
    currency: "EUR",
  }
}

export const extension = ({ command, lines }: HoldWrite, by: AttemptId, ttlMillis = 60_000): HoldExtension => ({
  command: { ...command, attempt: by, holdTtlMillis: ttlMillis },
  productIds: lines.map((line) => line.productId),
})

export const release = (
  { command, lines }: HoldWrite,
  options: { readonly attempt?: AttemptId; readonly onlyExpired?: boolean } = {},
): Release => {
  const { caller, fingerprint, key } = command
  const productIds = lines.map((line) => line.productId)
  const { attempt: by = command.attempt, onlyExpired = false } = options
  return { _tag: "Release", caller, key, fingerprint, attempt: by, productIds, onlyExpired }
}

/** A hold as the order that consumes it counts on. */
export const heldPart = ({ command, lines }: HoldWrite, shard: Shard): HeldPart => ({
  shard,
  attempt: command.attempt,
  currency: "EUR",
  lines: lines.map(({ productId, quantity, unitPrice }) => ({ productId, quantity, unitPrice })),
})

export const orderOf = ({ command }: HoldWrite): OrderOptions => {
  const { caller, customer, fingerprint, key } = command
  return { key: { caller, key, fingerprint }, customer }
}

export const movement = (product: ProductToSell, delta: number, key = newKey()): Restock => ({
  ...key,
  _tag: "Restock",
  movementId: StockMovementId.make(randomUUID()),
  productId: product.productId,
  kind: delta >= 0 ? "received" : "writtenOff",
  delta,
  reason: null,
})

/** Ends an order whose line of this product belongs to another shard, so that its units are on their way back. */
export const sendBack = Effect.fnUntraced(function* (
  { command }: OrderWrite,
  product: ProductToSell,
  quantity: number,
) {
  const { endOrder } = yield* StoreUnderTest
  const returnId = randomUUID()
  const { customer, orderId } = command
  const { productId, shard } = product
  yield* endOrder(orderId, "cancelled", [{ returnId, shard, productId, orderId, customer, quantity }])
  return { _tag: "Return", returnId, productId } satisfies Return
})

export type Parts = Partial<Omit<BatchWrite, "shard" | "epoch" | "batch">>

export const batchWrite = (at: Pick<BatchWrite, "shard" | "epoch" | "batch">, parts: Parts): BatchWrite => ({
  form: "plain",
  orders: [],
  holds: [],
  extensions: [],
  releases: [],
  returns: [],
  movements: [],
  ...parts,
  ...at,
})

/** A writer that has just taken a shard over and knows its next number. */
export class Writer {
  readonly store: Store
  readonly shard: Shard
  readonly epoch: number
  /** The last number known to be used. */
  batch: number

  constructor(store: Store, shard: Shard, lease: { readonly epoch: number; readonly batch: number }) {
    this.store = store
    this.shard = shard
    this.epoch = lease.epoch
    this.batch = lease.batch
  }

  /** The write that comes next, without sending it. */
  next(parts: Parts): BatchWrite {
    return batchWrite({ shard: this.shard, epoch: this.epoch, batch: this.batch + 1 }, parts)
  }

  /** Commits a batch that has to be applied. */
  write(parts: Parts): Effect.Effect<Applied> {
    return Effect.suspend(() => this.store.commit(this.next(parts))).pipe(
      Effect.orDie,
      Effect.map((outcome) => {
        if (outcome._tag === "NotApplied") return assert.fail("the batch was not applied")
        this.batch += 1
        return outcome
      }),
    )
  }
}

export const takeOver = Effect.fnUntraced(function* (store: Store, shard: Shard): Effect.fn.Return<Writer> {
  const leases = yield* Effect.orDie(store.acquire([shard], "a test"))
  return new Writer(store, shard, leases.get(shard) ?? assert.fail(`no lease of shard ${shard}`))
})

/** Units of a product, straight from its row. */
/** The lease as a read of facts tells it. */
export const leaseOf = Effect.fnUntraced(function* (
  store: Store,
  shard: Shard,
): Effect.fn.Return<Lease, StoreUnreachable> {
  const { lease } = yield* store.facts(shard, { orderKeys: [], movementKeys: [], holds: [], heldProducts: [] })
  return lease
})

export const stockOf = Effect.fnUntraced(function* ({ productId }: ProductToSell) {
  const { stock } = yield* (yield* StoreUnderTest).rows
  const { available, stocked } = stock.find((row) => row.productId === productId) ?? assert.fail("no stock row")
  return { stocked, available }
})

export const unitsOf = Effect.fnUntraced(function* ({ productId }: ProductToSell, customer = "ann") {
  const { customerUnits } = yield* (yield* StoreUnderTest).rows
  return customerUnits.find((row) => row.productId === productId && row.customer === customer)?.units ?? null
})

const sum = (
  rows: ReadonlyArray<{ readonly productId: ProductId; readonly quantity: number }>,
  of: ProductId,
): number => rows.reduce((units, row) => (row.productId === of ? units + row.quantity : units), 0)

/** The promise, for every product there is: stocked = available + live orders + holds + returns; no number unused. */
export const booksBalance = Effect.gen(function* () {
  const { batches, holds, movements, orderLines, orders, pendingReturns, stock } = yield* (yield* StoreUnderTest).rows
  const live = new Set(orders.filter((row) => isLive(row.status)).map((row) => row.orderId))
  for (const { available, productId, stocked } of stock) {
    const sold = sum(
      orderLines.filter((line) => live.has(line.orderId)),
      productId,
    )
    assert.strictEqual(stocked, available + sold + sum(holds, productId) + sum(pendingReturns, productId), productId)
    const moved = movements.reduce((units, row) => (row.productId === productId ? units + row.delta : units), 0)
    assert.strictEqual(stocked, moved, productId)
    assert.isTrue(available >= 0 && available <= stocked, productId)
  }
  for (const { orderId, total } of orders) {
    assert.strictEqual(totalOf(orderLines.filter((line) => line.orderId === orderId)), total, orderId)
  }
  for (const [shard, rows] of Map.groupBy(batches, (row) => row.shard)) {
    const numbers = rows.map((row) => row.batch).toSorted((left, right) => left - right)
    assert.deepStrictEqual(
      numbers,
      numbers.map((_, at) => at + 1),
      `batches of shard ${shard}`,
    )
  }
})

/**
 * What the store's tests say in few words: a product to sell, an order, a hold, a writer with its lease and its next
 * number, and the books that must balance after every test.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import {
  type HeldPart,
  type IdempotencyKey,
  type ProductChange,
  type Release,
  type Restock,
  type Return,
  unitsName,
} from "../../src/domain/commands.ts"
import { AttemptId, CallerId, OrderId, ProductId, type Shard, StockMovementId } from "../../src/domain/ids.ts"
import { isLive } from "../../src/domain/order.ts"
import {
  type AmendmentWrite,
  type BatchWrite,
  type EndingWrite,
  type HoldExtension,
  type HoldWrite,
  type LineWrite,
  nothingWritten,
  type OrderWrite,
} from "../../src/domain/batch.ts"
import { type Applied, type Lease, nothingAsked, type StoreUnreachable } from "../../src/inventory/store/ShardStore.ts"
import { channel, merchantId, type ProductToSell, type Rows, type Store, StoreUnderTest } from "./StoreUnderTest.ts"

/** Two accounts that buy for themselves. */
export const ann = CallerId.make("00000000-0000-7000-8000-00000000a001")
export const bob = CallerId.make("00000000-0000-7000-8000-00000000b0b0")

export const attempt = (number: number): AttemptId =>
  AttemptId.make(`00000000-0000-7000-8000-${String(number).padStart(12, "0")}`)

/** A fresh product; three units at 100 in shard 0 unless told otherwise. Its units are counted where it has a limit. */
export const sell = Effect.fnUntraced(function* (
  options: Partial<Omit<ProductToSell, "productId">> = {},
): Effect.fn.Return<ProductToSell, never, StoreUnderTest> {
  const { createProduct } = yield* StoreUnderTest
  const product = {
    productId: ProductId.make(randomUUID()),
    shard: 0,
    price: 100,
    limitPerCustomer: null,
    countsUnits: (options.limitPerCustomer ?? null) !== null,
    stocked: 3,
    merchantId,
    ...options,
  }
  yield* createProduct(product)
  return product
})

export const newFingerprint = (): string => randomUUID().replaceAll("-", "")
export const newCaller = (): CallerId => CallerId.make(randomUUID())
/** A key that nobody used. */
export const newKey = (caller: CallerId = ann): IdempotencyKey => ({
  caller,
  key: randomUUID(),
  fingerprint: newFingerprint(),
})

const lineOf = (product: ProductToSell, quantity: number, unitsBefore = 0): LineWrite => ({
  productId: product.productId,
  quantity,
  unitPrice: product.price,
  unitsBefore: product.countsUnits ? unitsBefore : null,
})
const customerOf = (caller: CallerId, customerRef: string | null): string =>
  customerRef === null ? caller : `ref:${customerRef}`
type Wanted = ReadonlyArray<readonly [ProductToSell, number]>

const totalOf = (lines: ReadonlyArray<{ readonly quantity: number; readonly unitPrice: number }>): number =>
  lines.reduce((sum, line) => sum + line.quantity * line.unitPrice, 0)

export interface OrderOptions {
  readonly key?: IdempotencyKey
  /** Of a customer of the channel. */
  readonly customerRef?: string
  readonly held?: ReadonlyArray<HeldPart>
  /** Units that the customer had before, where nothing counts them yet. */
  readonly unitsBefore?: number
  readonly cartVersion?: number
  readonly ttlMillis?: number
}

/** An order of Ann's, unless the key is somebody else's. */
export const order = (
  wanted: Wanted,
  { cartVersion, customerRef, held = [], key, ttlMillis, unitsBefore }: OrderOptions = {},
): OrderWrite => {
  const name = key ?? newKey(customerRef === undefined ? ann : channel)
  const lines = wanted.map(([product, quantity]) => lineOf(product, quantity, unitsBefore))
  return {
    command: {
      ...name,
      _tag: "Reserve",
      orderId: OrderId.make(randomUUID()),
      customer: customerOf(name.caller, customerRef ?? null),
      customerRef: customerRef ?? null,
      lines: lines.map(({ productId, quantity }) => ({ productId, quantity })),
      held,
      expectedTotal: null,
      reservationTtlMillis: ttlMillis ?? 60_000,
      cartVersion: cartVersion ?? null,
    },
    lines,
    currency: "EUR",
    total: totalOf(lines) + held.reduce((sum, part) => sum + totalOf(part.lines), 0),
    ttlMillis: ttlMillis ?? 60_000,
  }
}

export interface HoldOptions {
  readonly key?: IdempotencyKey
  readonly unitsBefore?: number
  readonly attempt?: AttemptId
  /** 0 makes a hold whose time is over as soon as it is there. */
  readonly ttlMillis?: number
}

export const hold = (wanted: Wanted, options: HoldOptions = {}): HoldWrite => {
  const lines = wanted.map(([product, quantity]) => lineOf(product, quantity, options.unitsBefore))
  const key = options.key ?? newKey()
  return {
    command: {
      ...key,
      _tag: "Hold",
      attempt: options.attempt ?? attempt(1),
      customer: key.caller,
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
  key: command.key,
  fingerprint: command.fingerprint,
  currency: "EUR",
  reservationTtlSeconds: null,
  lines: lines.map(({ productId, quantity, unitPrice }) => ({ productId, quantity, unitPrice })),
})

/** The key of the request that a hold was made for, whose fingerprint is the order's own. */
export const orderOf = ({ command }: HoldWrite): OrderOptions => {
  const { caller, key } = command
  return { key: { caller, key, fingerprint: newFingerprint() } }
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

/** Ends an order with these lines, wherever their products belong. */
const ending = ({ command }: OrderWrite, status: EndingWrite["status"], products: ReadonlyArray<ProductToSell>) => ({
  orderId: command.orderId,
  status,
  lines: products.map(({ productId, shard }) => ({ productId, shard, returnId: randomUUID() })),
})
export const cancel = (placed: OrderWrite, ...products: ReadonlyArray<ProductToSell>): EndingWrite =>
  ending(placed, "cancelled", products)
export const expire = (placed: OrderWrite, ...products: ReadonlyArray<ProductToSell>): EndingWrite =>
  ending(placed, "expired", products)
export const refund = (placed: OrderWrite, ...products: ReadonlyArray<ProductToSell>): EndingWrite =>
  ending(placed, "refunded", products)

/** What an ending sends back to the shards of these lines. */
export const returnsOf = ({ lines }: EndingWrite, shard: Shard): ReadonlyArray<Return> =>
  lines.flatMap((line) =>
    line.shard === shard ? [{ _tag: "Return", returnId: line.returnId, productId: line.productId } as const] : [],
  )

export const amend = ({ productId }: ProductToSell, change: ProductChange, version = 1): AmendmentWrite => ({
  productId,
  change,
  version,
})

export type Parts = Partial<Omit<BatchWrite, "shard" | "epoch" | "batch">>

export const batchWrite = (at: Pick<BatchWrite, "shard" | "epoch" | "batch">, parts: Parts): BatchWrite => ({
  form: "plain",
  ...nothingWritten,
  offerTtlMillis: 60_000,
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

/** The lease as a read of facts tells it. */
export const leaseOf = Effect.fnUntraced(function* (
  store: Store,
  shard: Shard,
): Effect.fn.Return<Lease, StoreUnreachable> {
  const { lease } = yield* store.facts(shard, nothingAsked)
  return lease
})

/** Units of a product, straight from its row. */
export const stockOf = Effect.fnUntraced(function* ({ productId }: ProductToSell) {
  const { stock } = yield* (yield* StoreUnderTest).rows
  const { available, stocked } = stock.find((row) => row.productId === productId) ?? assert.fail("no stock row")
  return { stocked, available }
})

export const unitsOf = Effect.fnUntraced(function* ({ productId }: ProductToSell, customer: string = ann) {
  const { customerUnits } = yield* (yield* StoreUnderTest).rows
  return customerUnits.find((row) => row.productId === productId && row.customer === customer)?.units ?? null
})

const sum = (
  rows: ReadonlyArray<{ readonly productId: ProductId; readonly quantity: number }>,
  of: ProductId,
): number => rows.reduce((units, row) => (row.productId === of ? units + row.quantity : units), 0)

/** Everybody's units of everything in live orders, under holds and on their way back, by `unitsName`. */
const unitsFrom = ({ holds, orderLines, orders, pendingReturns }: Rows): ReadonlyMap<string, number> => {
  const live = new Map(orders.filter((row) => isLive(row.status)).map((row) => [row.orderId, row]))
  const ordered = orderLines.flatMap(({ orderId, productId, quantity }) => {
    const row = live.get(orderId)
    return row === undefined ? [] : [{ productId, quantity, customer: customerOf(row.caller, row.customerRef) }]
  })
  const units = new Map<string, number>()
  for (const { customer, productId, quantity } of [...ordered, ...holds, ...pendingReturns]) {
    const name = unitsName(productId, customer)
    units.set(name, (units.get(name) ?? 0) + quantity)
  }
  return units
}

/**
 * The promise, for every product there is: stocked = available + live orders + holds + returns; a count of a customer's
 * units is exact where there is one; no number unused.
 */
export const booksBalance = Effect.gen(function* () {
  const rows = yield* (yield* StoreUnderTest).rows
  const { batches, holds, movements, orderLines, orders, pendingReturns, stock } = rows
  const had = unitsFrom(rows)
  for (const { customer, productId, units: counted } of rows.customerUnits) {
    const name = unitsName(productId, customer)
    assert.strictEqual(counted, had.get(name) ?? 0, name)
  }
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
  for (const [shard, records] of Map.groupBy(batches, (row) => row.shard)) {
    const numbers = records.map((row) => row.batch).toSorted((left, right) => left - right)
    assert.deepStrictEqual(
      numbers,
      numbers.map((_, at) => at + 1),
      `batches of shard ${shard}`,
    )
  }
})

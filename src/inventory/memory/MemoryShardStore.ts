/**
 * A ShardStore without PostgreSQL: the model that the store's suite holds PostgreSQL to, and the database of the
 * actor's tests and of the simulation, which turn its weather to lose, delay and forget.
 *
 * Must stay true: a commit happens at one instant, whole or not at all; an attempt whose answer is lost says
 * `StoreUnknown` and may still happen, where the weather says so; the time is that of Effect's Clock.
 */
import { Clock, Effect, Layer, Result } from "effect"
import { CallerId, type OrderId, type ProductId, type Shard, type StockMovementId } from "../../domain/ids.ts"
import type { OrderStatus } from "../../domain/order.ts"
import { applyBatch, applyVoid } from "./memoryCommit.ts"
import { putOrder } from "./memoryLives.ts"
import {
  readEndableOrder,
  readExpiredHolds,
  readExpiredOrders,
  readFacts,
  readLease,
  readPendingReturns,
  readProducts,
  readProductsToOffer,
  readUnits,
  readWaiters,
} from "./memoryReads.ts"
import type { CartRow, PendingReturnRow, ProductRow } from "./memoryRows.ts"
import { MemoryTables } from "./memoryTables.ts"
import { type Lease, ShardStore, StoreRejected, StoreUnknown, StoreUnreachable } from "../store/ShardStore.ts"

/** A commit or a void on its way to the database. */
export interface Attempt {
  readonly kind: "commit" | "void"
  readonly shard: Shard
  readonly epoch: number
  readonly batch: number
}

/**
 * What becomes of an attempt. `NeverApplied`: lost on its way. `AnswerLost`: applied, and nobody heard. `AppliedLate`:
 * silent now, and applied when `deliverLate` says so. All three look the same to the service.
 */
export type Fate =
  | { readonly _tag: "Answered" }
  | { readonly _tag: "NeverApplied" }
  | { readonly _tag: "AnswerLost" }
  | { readonly _tag: "AppliedLate" }
  | { readonly _tag: "Rejected"; readonly sqlState: string }

export interface Weather {
  /** May wait before it decides: the attempt is applied after that. */
  readonly attempt: (attempt: Attempt) => Effect.Effect<Fate>
  /** Runs between an attempt's end and its answer. */
  readonly answer: (attempt: Attempt) => Effect.Effect<void>
  /** Whether a reading statement (or an acquisition) gets through. */
  readonly read: Effect.Effect<boolean>
}

export const calm: Weather = {
  attempt: () => Effect.succeed({ _tag: "Answered" }),
  answer: () => Effect.void,
  read: Effect.succeed(true),
}

/** A product for the tables, with the units it starts with. */
export interface NewProduct extends ProductRow {
  readonly stocked: number
}

interface LateAttempt {
  readonly attempt: Attempt
  readonly apply: (atMillis: number) => void
}

/** The database itself: shared by the stores of several writers, and looked into by whoever checks the books. */
export class MemoryDatabase {
  readonly tables: MemoryTables
  readonly shards: number
  weather: Weather = calm
  /** Attempts that are still under way, oldest first. */
  readonly late: Array<LateAttempt> = []

  constructor(shards: number) {
    this.shards = shards
    this.tables = new MemoryTables(shards)
  }

  /** Creates product, stock and first movement, as the catalogue does in its one transaction. */
  createProduct({ stocked, ...product }: NewProduct, movementId: StockMovementId, createdAtMillis: number): void {
    const { productId } = product
    const name = { caller: CallerId.make(productId), key: "created", fingerprint: "0".repeat(32) }
    const what = { movementId, productId, kind: "received", delta: stocked, reason: null, createdAtMillis } as const
    this.#change(() => {
      this.tables.products.insert(product)
      this.tables.stock.insert({ productId, stocked, available: stocked })
      this.tables.movements.insert({ ...name, ...what })
      this.tables.movementKeys.insert({ ...name, ...what })
    })
  }

  amendProduct(productId: ProductId, change: Partial<Omit<ProductRow, "productId" | "shard">>): void {
    const product = this.tables.products.get(productId)
    if (product !== undefined) this.#change(() => this.tables.products.put({ ...product, ...change }))
  }

  /** Ends an order and writes what it gives back to the shards of its lines. */
  endOrder(orderId: OrderId, status: OrderStatus, returns: ReadonlyArray<PendingReturnRow>): void {
    const order = this.tables.orders.get(orderId)
    this.#change(() => {
      const paidAtMillis = status === "paid" ? order?.createdAtMillis : order?.paidAtMillis
      if (order !== undefined) putOrder(this.tables, { ...order, status, paidAtMillis: paidAtMillis ?? null })
      for (const row of returns) this.tables.pendingReturns.insert(row)
    })
  }

  /** Puts a cart as its owner left it, one version further on. */
  putCart(caller: CallerId, lines: CartRow["lines"]): number {
    const version = (this.tables.carts.get(caller)?.version ?? 0) + 1
    this.#change(() => this.tables.carts.put({ caller, version, lines }))
    return version
  }

  /** Raises the epoch of a shard in a transaction of its own. */
  acquire(shard: Shard, owner: string): Lease {
    const row = this.tables.leases.get(`${shard}`)
    if (row === undefined) throw new Error(`the database has no shard ${shard}`)
    const raised = { ...row, epoch: row.epoch + 1, owner }
    this.#change(() => this.tables.leases.put(raised))
    return { epoch: raised.epoch, batch: raised.batch }
  }

  /** Lets the oldest attempt that is still under way reach the database; false where there is none. */
  readonly deliverLate: Effect.Effect<boolean> = Effect.map(Clock.currentTimeMillis, (atMillis) => {
    const oldest = this.late.shift()
    oldest?.apply(atMillis)
    return oldest !== undefined
  })

  #change(change: () => void): void {
    Result.getOrThrow(this.tables.transact(change))
  }
}

/** Runs one writing statement through the weather. */
const attempt = Effect.fnUntraced(function* <A>(
  database: MemoryDatabase,
  way: Attempt,
  change: (atMillis: number) => A,
): Effect.fn.Return<A, StoreRejected | StoreUnknown> {
  const fate = yield* database.weather.attempt(way)
  const atMillis = yield* Clock.currentTimeMillis
  const apply = (at: number) => database.tables.transact(() => change(at))
  const applied = fate._tag === "Answered" || fate._tag === "AnswerLost" ? apply(atMillis) : null
  if (fate._tag === "AppliedLate") database.late.push({ attempt: way, apply })
  yield* database.weather.answer(way)
  if (fate._tag === "Rejected") {
    return yield* new StoreRejected({ sqlState: fate.sqlState, message: "the weather rejected it" })
  }
  if (applied === null || fate._tag === "AnswerLost") return yield* new StoreUnknown({ message: "the answer was lost" })
  return yield* Effect.fromResult(applied)
})

/** Runs one reading statement through the weather. */
const read = Effect.fnUntraced(function* <A>(
  database: MemoryDatabase,
  look: (atMillis: number) => A,
): Effect.fn.Return<A, StoreUnreachable> {
  if (!(yield* database.weather.read)) return yield* new StoreUnreachable({ message: "no answer" })
  return look(yield* Clock.currentTimeMillis)
})

export const make = (database: MemoryDatabase): ShardStore["Service"] => {
  const { tables } = database
  const leaseOf = (shard: Shard): Lease => readLease(tables, shard)
  return ShardStore.of({
    acquire: (shards, owner) =>
      read(database, () => new Map(shards.map((shard) => [shard, database.acquire(shard, owner)]))),
    inspect: (shard, batch) =>
      read(database, () => {
        const row = tables.batches.get(`${shard}/${batch}`)
        if (row === undefined) return { lease: leaseOf(shard), record: null }
        const { committedAtMillis, epoch, voided } = row
        return { lease: leaseOf(shard), record: { epoch, voided, committedAtMillis } }
      }),
    commit: (write) => {
      const { batch, epoch, shard } = write
      const way = { kind: "commit", shard, epoch, batch } as const
      return attempt(database, way, (atMillis) => applyBatch(tables, write, atMillis))
    },
    voidBatch: (shard, lease) =>
      attempt(database, { kind: "void", shard, epoch: lease.epoch, batch: lease.batch }, (atMillis) =>
        applyVoid(tables, shard, lease, atMillis),
      ),
    products: (shard, productIds) => read(database, () => readProducts(tables, shard, productIds)),
    facts: (shard, request) => read(database, (atMillis) => readFacts(tables, shard, request, atMillis)),
    units: (_shard, pairs) => read(database, () => readUnits(tables, pairs)),
    dueShards: (shards) =>
      read(database, (atMillis) =>
        shards.filter(
          (shard) =>
            readExpiredHolds(tables, shard, 1, atMillis).length > 0 ||
            readExpiredOrders(tables, shard, 1, atMillis).length > 0 ||
            readPendingReturns(tables, shard, 1).length > 0 ||
            readProductsToOffer(tables, shard, 1, atMillis).length > 0,
        ),
      ),
    expiredHolds: (shard, sizeMax) => read(database, (atMillis) => readExpiredHolds(tables, shard, sizeMax, atMillis)),
    expiredOrders: (shard, sizeMax) =>
      read(database, (atMillis) => readExpiredOrders(tables, shard, sizeMax, atMillis)),
    endableOrder: (orderId) => read(database, (atMillis) => readEndableOrder(tables, orderId, atMillis)),
    waiters: (shard, productIds, sizeMax) => read(database, () => readWaiters(tables, shard, productIds, sizeMax)),
    productsToOffer: (shard, sizeMax) =>
      read(database, (atMillis) => readProductsToOffer(tables, shard, sizeMax, atMillis)),
    pendingReturns: (shard, sizeMax) => read(database, () => readPendingReturns(tables, shard, sizeMax)),
  })
}

export const layer = (database: MemoryDatabase): Layer.Layer<ShardStore> => Layer.succeed(ShardStore, make(database))

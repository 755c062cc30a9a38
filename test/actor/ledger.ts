/**
 * What every commit really did, seen from the tables: each batch that was applied, command by command in the order of
 * the mailbox, and what each moved. It compares rows before and after, and believes neither planner nor statement.
 *
 * Must stay true: what the steps of a batch move is what its stock rows moved, or `judged` is told.
 */
import { assert } from "@effect/vitest"
import type { BatchWrite } from "../../src/domain/batch.ts"
import type { Command, Release } from "../../src/domain/commands.ts"
import type { ProductId, Shard } from "../../src/domain/ids.ts"
import type { MemoryDatabase } from "../../src/inventory/MemoryShardStore.ts"
import type { HoldRow } from "../../src/inventory/memoryTables.ts"
import type { History, Submission } from "./history.ts"

/** Something that is counted: a product's units in stock, or those a customer has of a limited one. */
export const stockCount = (productId: ProductId): string => `stock ${productId}`
export const unitsCount = (productId: ProductId, customer: string): string => `units ${productId} ${customer}`

export interface Step {
  readonly submission: Submission
  readonly moved: ReadonlyMap<string, number>
}

export interface AppliedBatch {
  readonly shard: Shard
  readonly batch: number
  readonly epoch: number
  readonly atMillis: number
  readonly steps: ReadonlyArray<Step>
  /** Whether the commit found what the plan did not know: a key or a hold that was not as expected. */
  readonly isSurprise: boolean
}

interface Before {
  readonly holds: ReadonlyArray<HoldRow>
  readonly returns: ReadonlySet<string>
  readonly orders: number
  readonly movements: ReadonlySet<string>
  readonly stock: ReadonlyMap<ProductId, number>
  readonly leases: ReadonlyArray<{ readonly epoch: number; readonly batch: number }>
}

export class Ledger {
  readonly batches: Array<AppliedBatch> = []
  /** The content that each batch number was sent with; a number has one content for ever. */
  readonly sent = new Map<string, BatchWrite>()
  readonly effective = new Set<Submission>()
  readonly #database: MemoryDatabase
  readonly #history: History

  constructor(database: MemoryDatabase, history: History, judged: (check: () => void) => void, onApplied: () => void) {
    this.#database = database
    this.#history = history
    const { tables } = database
    const transact = tables.transact.bind(tables)
    tables.transact = <A>(change: () => A) => {
      const before = this.#look()
      const result = transact(change)
      judged(() => {
        for (let shard = 0; shard < database.shards; shard++) this.#compare(shard, before)
        onApplied()
      })
      return result
    }
  }

  noteSent(write: BatchWrite): void {
    this.sent.set(numberName(write), write)
  }

  #leases(): Before["leases"] {
    return Array.from({ length: this.#database.shards }, (_, shard) => {
      const { batch = 0, epoch = 0 } = this.#database.tables.leases.get(`${shard}`) ?? {}
      return { batch, epoch }
    })
  }

  #look(): Before {
    const { tables } = this.#database
    return {
      holds: tables.holds.all(),
      returns: new Set(tables.pendingReturns.all().map((row) => row.returnId)),
      orders: tables.orders.all().length,
      movements: new Set(tables.movements.all().map((row) => row.movementId)),
      stock: new Map(tables.stock.all().map((row) => [row.productId, row.available])),
      leases: this.#leases(),
    }
  }

  #compare(shard: Shard, before: Before): void {
    const { tables } = this.#database
    const lease = this.#leases()[shard]
    const earlier = before.leases[shard]
    if (lease === undefined || earlier === undefined) return
    assert.isAtLeast(lease.epoch, earlier.epoch, `the epoch of shard ${shard} fell`)
    if (lease.batch === earlier.batch) return
    assert.strictEqual(lease.batch, earlier.batch + 1, `a batch number of shard ${shard} was left out`)
    const row = tables.batches.get(`${shard}/${lease.batch}`) ?? assert.fail("a batch without its row in the log")
    assert.strictEqual(row.epoch, lease.epoch, `batch ${row.batch} of shard ${shard} was written under an old epoch`)
    if (row.voided) return
    const write = this.sent.get(numberName(row)) ?? assert.fail("a batch was applied that nobody sent")
    const applied = this.#stepsOf(write, before)
    const moved = new Map<string, number>()
    for (const step of applied.steps) for (const [name, by] of step.moved) add(moved, name, by)
    for (const { available, productId } of tables.stock.all()) {
      const by = available - (before.stock.get(productId) ?? 0)
      assert.strictEqual(by, moved.get(stockCount(productId)) ?? 0, `batch ${row.batch} moved other stock than it says`)
    }
    for (const step of applied.steps) this.effective.add(step.submission)
    this.batches.push({ shard, batch: row.batch, epoch: row.epoch, atMillis: row.committedAtMillis, ...applied })
  }

  #stepsOf(write: BatchWrite, before: Before): Pick<AppliedBatch, "steps" | "isSurprise"> {
    const { tables } = this.#database
    const steps: Array<Step> = []
    const step = (command: Command, lines: Lines, customer: string, sign: 1 | -1): void => {
      const submission = this.#history.byCommand.get(command) ?? assert.fail("a batch carries a command nobody sent")
      assert.isFalse(this.effective.has(submission), `command ${submission.number} took effect twice`)
      steps.push({ submission, moved: this.#moves(lines, customer, sign) })
    }
    let isSurprise = write.extensions.length > 0
    const orders = new Set(
      tables.orders
        .all()
        .slice(before.orders)
        .map((row) => row.orderId),
    )
    for (const { command, lines } of write.orders) {
      if (orders.has(command.orderId)) step(command, lines, command.customer, -1)
      else isSurprise = true
    }
    for (const { command, lines } of write.holds) step(command, lines, command.customer, -1)
    for (const command of write.releases) {
      const gone = before.holds.filter((row) => isOf(row, write.shard, command) && !tables.holds.all().includes(row))
      const [row] = gone
      if (row !== undefined) step(command, gone, row.customer, 1)
    }
    // Two sweepers may bring the same return; it is applied once.
    const settled = new Set(tables.pendingReturns.all().map((row) => row.returnId))
    for (const command of write.returns) {
      if (!before.returns.has(command.returnId) || settled.has(command.returnId)) continue
      settled.add(command.returnId)
      const { customer = "", quantity = 0 } = this.returned.get(command.returnId) ?? {}
      step(command, [{ productId: command.productId, quantity }], customer, 1)
    }
    for (const command of write.movements) {
      const isNew = tables.movements.get(command.movementId) !== undefined && !before.movements.has(command.movementId)
      if (isNew) step(command, [{ productId: command.productId, quantity: command.delta }], "", 1)
      else isSurprise = true
    }
    return { steps: steps.sort((left, right) => left.submission.number - right.submission.number), isSurprise }
  }

  /** What each return gives back, noted by whoever ended the order: the row is gone when it is applied. */
  readonly returned = new Map<string, { readonly customer: string; readonly quantity: number }>()

  #moves(lines: Lines, customer: string, sign: 1 | -1): ReadonlyMap<string, number> {
    const moved = new Map<string, number>()
    for (const { productId, quantity } of lines) {
      add(moved, stockCount(productId), sign * quantity)
      const isLimited = (this.#database.tables.products.get(productId)?.limitPerCustomer ?? null) !== null
      if (isLimited && customer !== "") add(moved, unitsCount(productId, customer), -sign * quantity)
    }
    return moved
  }
}

type Lines = ReadonlyArray<{ readonly productId: ProductId; readonly quantity: number }>

const numberName = (of: Pick<BatchWrite, "shard" | "epoch" | "batch">): string => `${of.shard}/${of.epoch}/${of.batch}`

const isOf = (row: HoldRow, shard: Shard, { attempt, caller, fingerprint, key }: Release): boolean =>
  row.shard === shard &&
  row.attempt === attempt &&
  row.caller === caller &&
  row.key === key &&
  row.fingerprint === fingerprint

const add = (counts: Map<string, number>, name: string, by: number): void => {
  counts.set(name, (counts.get(name) ?? 0) + by)
}

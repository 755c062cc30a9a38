/**
 * The judge of a run: it knows the rows and the answers that were given, and nothing of the planner or the actor. Each
 * answer is checked when it is given, the books after every commit, and at the end every refusal against the one order
 * in which the shard's commands took effect.
 *
 * Must stay true: what is demanded here is what the promise says, no more: a check that only today's code passes would
 * forbid tomorrow's.
 */
import { assert } from "@effect/vitest"
import type { Command, PricedLine } from "../../src/domain/commands.ts"
import type { ProductId, Shard } from "../../src/domain/ids.ts"
import type { OrderRefusal } from "../../src/domain/refusals.ts"
import type { MemoryDatabase } from "../../src/inventory/MemoryShardStore.ts"
import { assertBooks, assertLimits, type Books } from "./books.ts"
import type { Attempt, History, Submission } from "./history.ts"
import { type Ledger, stockCount, unitsCount } from "./ledger.ts"

/** How late an answer may be: the actor looks at its deadlines in ticks of 25 ms. */
const latenessMaxMillis = 50

export interface Circumstances {
  /** Whether time never went on under a fiber's feet. */
  readonly isPunctual: boolean
  /** Whether a store call of this node on this shard is under way, or ended just now without an answer. */
  readonly isCommitting: (node: string, shard: Shard) => boolean
  readonly customerOf: (orderId: string) => string
  readonly stockedAtFirst: ReadonlyMap<ProductId, number>
}

export class Auditor {
  readonly #database: MemoryDatabase
  readonly #circumstances: Circumstances

  constructor(database: MemoryDatabase, circumstances: Circumstances) {
    this.#database = database
    this.#circumstances = circumstances
  }

  get #books(): Books {
    const { tables } = this.#database
    return {
      products: tables.products.all(),
      stock: tables.stock.all(),
      movements: tables.movements.all(),
      orders: tables.orders.all(),
      orderLines: tables.orderLines.all(),
      holds: tables.holds.all(),
      pendingReturns: tables.pendingReturns.all(),
      customerUnits: tables.customerUnits.all(),
    }
  }

  onApplied(ledger: Ledger): void {
    assertBooks(this.#books)
    assertLimits(this.#books, this.#circumstances.customerOf)
    for (const { submission } of ledger.batches.at(-1)?.steps ?? []) {
      assert.isFalse(saidNothing(submission), `command ${submission.number} took effect after its refusal`)
    }
  }

  /** One command's answer, at the instant it is given. */
  onAnswer(submission: Submission, ledger: Ledger): void {
    const { answer, answeredAtMillis, command, deadlineMillis, node, number, shard, startedAtMillis } = submission
    if (answer === null || answer._tag === "HungUp") return
    const isEffective = ledger.effective.has(submission)
    if (saidNothing(submission))
      assert.isFalse(isEffective, `command ${number} took effect, and "${answer._tag}" was said`)
    if (this.#circumstances.isPunctual) {
      const latestMillis = Math.max(deadlineMillis, startedAtMillis) + latenessMaxMillis
      assert.isAtMost(answeredAtMillis, latestMillis, `command ${number} was answered past its deadline`)
    }
    switch (answer._tag) {
      case "Accepted":
      case "Moved":
        return assert.isTrue(isEffective, `command ${number} was answered ${answer._tag} and is not in the rows`)
      case "Held":
        if (command._tag === "Hold") assert.isTrue(isEffective || this.#extends(command, ledger), "Held, but no hold")
        return
      case "Repeated":
        return this.#checkRepeat(command, "orderId" in answer ? answer.orderId : answer.movementId)
      case "OutcomeUnknown":
        assert.isTrue(
          this.#circumstances.isCommitting(node, shard),
          `command ${number}: "outcome unknown" although nothing was being committed`,
        )
        return
      case "CommandFailed":
        return assert.isTrue(isPoison(command), `command ${number} failed without a fault of its own: ${answer.reason}`)
      default:
    }
  }

  /** One client's answer, at the instant it is given. */
  onAttempt({ answer, knownBefore, request }: Attempt): void {
    if (answer === null || answer._tag === "HungUp") return
    const { tables } = this.#database
    const row = tables.orders.get(request.orderId)
    if (knownBefore !== null && answer._tag !== "Busy" && answer._tag !== "OutcomeUnknown") {
      const isSame = knownBefore.fingerprint === request.fingerprint
      const code = answer._tag === "Refused" ? answer.refusal.code : answer._tag
      assert.strictEqual(code, isSame ? "Repeated" : "idempotency_key_reused", "the answer to a key that was known")
    }
    switch (answer._tag) {
      case "Accepted": {
        if (row === undefined) return assert.fail(`order ${request.orderId} was answered 201 and is not there`)
        assert.strictEqual(row.total, answer.total.amount)
        assert.strictEqual(answer.orderId, request.orderId)
        const stored = tables.orderLines.all().filter((line) => line.orderId === request.orderId)
        assert.deepStrictEqual(sorted(answer.lines), sorted(stored), "the lines answered are those stored")
        assert.deepStrictEqual(quantities(stored), quantities(request.lines), "the lines stored are those ordered")
        for (const { productId, unitPrice } of stored) {
          assert.strictEqual(unitPrice, tables.products.get(productId)?.price, "an order at another price")
        }
        return
      }
      case "Repeated": {
        const known = tables.orders.get(answer.orderId)
        const isTheirs = known?.key === request.key && known.caller === request.caller
        return assert.isTrue(isTheirs && known.fingerprint === request.fingerprint, "a repeat of somebody else's order")
      }
      case "Busy":
      case "Refused":
        return assert.isUndefined(row, `order ${request.orderId} is there, and "${answer._tag}" was said`)
      default:
    }
  }

  /** When faults have ended, everybody has an answer and the sweeper has passed. */
  atEnd(history: History, ledger: Ledger): void {
    const { tables } = this.#database
    assertBooks(this.#books)
    assertLimits(this.#books, this.#circumstances.customerOf)
    for (const attempt of history.attempts) {
      assert.isNotNull(attempt.answer, `attempt for order ${attempt.request.orderId} was never answered`)
      const isNo = attempt.answer?._tag === "Busy" || attempt.answer?._tag === "Refused"
      if (isNo) assert.isUndefined(tables.orders.get(attempt.request.orderId), "a ghost")
    }
    for (const { answer, number } of history.submissions) assert.isNotNull(answer, `command ${number} has no answer`)
    assert.deepStrictEqual(tables.holds.all(), [], "a hold never ended")
    assert.deepStrictEqual(tables.pendingReturns.all(), [], "a return never arrived")
    for (const submission of history.submissions) this.#checkRefusal(submission, ledger)
  }

  /** A refusal names a count that is too small: it must have been that, where the order of the mailbox puts it. */
  #checkRefusal(submission: Submission, ledger: Ledger): void {
    const { answer, command, number } = submission
    if (answer?._tag !== "Refused") return
    for (const { count, isTooSmall, said } of reasonsOf(answer.refusal, command)) {
      assert.isTrue(isTooSmall, `command ${number} was refused although ${said} would do`)
      const values = this.#valuesOf(count, submission, ledger)
      assert.include(values, said, `command ${number} was told ${said} of ${count}`)
    }
  }

  /**
   * What a count can have been for this command: exactly what those before it in the mailbox left, or, where a commit
   * met what nobody could know or the shard changed hands meanwhile, any value it had until the answer.
   */
  #valuesOf(count: string, submission: Submission, ledger: Ledger): ReadonlyArray<number> {
    const { answeredAtMillis, number, shard, startedAtMillis } = submission
    const batches = ledger.batches.filter((batch) => batch.shard === shard)
    const epoch = this.#database.tables.leases.get(`${shard}`)?.epoch ?? 0
    const first = count.startsWith("stock ") ? this.#stockedAtFirst(count) : 0
    const isLoose = epoch > 1 || batches.some(({ atMillis, isSurprise }) => isSurprise && atMillis >= startedAtMillis)
    const steps = batches.flatMap(({ atMillis, steps: all }) => all.map((step) => ({ ...step, atMillis })))
    if (!isLoose) {
      const before = steps.filter((step) => step.submission.number < number)
      return [before.reduce((sum, step) => sum + (step.moved.get(count) ?? 0), first)]
    }
    let value = first
    const values = new Set<number>()
    for (const { atMillis, moved } of steps) {
      if (atMillis > answeredAtMillis) break
      if (atMillis >= startedAtMillis) values.add(value)
      value += moved.get(count) ?? 0
      if (atMillis >= startedAtMillis) values.add(value)
    }
    values.add(value)
    return [...values]
  }

  #stockedAtFirst(count: string): number {
    for (const [productId, units] of this.#circumstances.stockedAtFirst)
      if (count === stockCount(productId)) return units
    return 0
  }

  #extends(command: Extract<Command, { _tag: "Hold" }>, ledger: Ledger): boolean {
    return [...ledger.sent.values()].some((write) =>
      write.extensions.some((extension) => extension.command === command),
    )
  }

  #checkRepeat(command: Command, id: string): void {
    const { tables } = this.#database
    const row = [...tables.orders.all(), ...tables.movements.all()].find(
      (known) => ("orderId" in known ? known.orderId : known.movementId) === id,
    )
    if (row === undefined || !("key" in command)) return assert.fail(`a repeat of ${id}, which is not there`)
    assert.strictEqual(row.key, command.key)
    assert.strictEqual(row.caller, command.caller)
    assert.strictEqual(row.fingerprint, command.fingerprint)
  }
}

/** A command whose row PostgreSQL refuses: it would expire before it was made. */
export const isPoison = (command: Command): boolean => command._tag === "Reserve" && command.reservationTtlMillis <= 0

/** Whether the caller was told that nothing happened. */
const saidNothing = ({ answer }: Submission): boolean =>
  answer?._tag === "Busy" ||
  answer?._tag === "Refused" ||
  answer?._tag === "CommandFailed" ||
  answer?._tag === "HoldMissing"

interface Reason {
  readonly count: string
  readonly said: number
  readonly isTooSmall: boolean
}

type Refusal =
  | OrderRefusal
  | { readonly code: "stock_is_sold"; readonly productId: ProductId; readonly available: number }

const reasonsOf = (refusal: Refusal | { readonly code: string }, command: Command): ReadonlyArray<Reason> => {
  if (refusal.code === "out_of_stock" && "lines" in refusal) {
    return refusal.lines.map(({ available, productId, requested }) => {
      return { count: stockCount(productId), said: available, isTooSmall: available < requested }
    })
  }
  if (refusal.code === "stock_is_sold" && "available" in refusal && command._tag === "Restock") {
    const { available, productId } = refusal
    return [{ count: stockCount(productId), said: available, isTooSmall: available + command.delta < 0 }]
  }
  if (
    refusal.code === "limit_exceeded" &&
    "had" in refusal &&
    (command._tag === "Reserve" || command._tag === "Hold")
  ) {
    const { allowed, had, productId } = refusal
    const wanted = command.lines.find((line) => line.productId === productId)?.quantity ?? 0
    return [{ count: unitsCount(productId, command.customer), said: had, isTooSmall: had + wanted > allowed }]
  }
  return []
}

const sorted = (lines: ReadonlyArray<PricedLine>) =>
  lines
    .map(({ productId, quantity, unitPrice }) => ({ productId, quantity, unitPrice }))
    .sort((left, right) => (left.productId < right.productId ? -1 : 1))

const quantities = (lines: ReadonlyArray<{ readonly productId: ProductId; readonly quantity: number }>) =>
  Object.fromEntries(lines.map((line) => [line.productId, line.quantity]))

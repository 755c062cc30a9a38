/**
 * What a refusal names must have been so where the order of the mailbox puts it: the stock that was left, the units the
 * customer had, the price, the limit, the version. Read from the ledger alone, and so from the rows.
 */
import assert from "node:assert/strict"
import type { Command } from "../../../src/domain/commands.ts"
import type { ProductId } from "../../../src/domain/ids.ts"
import type { Money } from "../../../src/domain/money.ts"
import type { LineShortage } from "../../../src/domain/refusals.ts"
import { factCount, stockCount, unitsCount } from "./counts.ts"
import type { Submission } from "./history.ts"
import type { AppliedBatch, Ledger } from "./ledger.ts"

export interface Circumstances {
  /** Every count before anything happened. */
  readonly first: ReadonlyMap<string, number>
  /** Whether the shard ever changed hands, so that an answer may be of any moment before it. */
  readonly hasChangedHands: boolean
}

interface Reason {
  readonly count: string
  readonly said: number
  readonly isReason: boolean
}

export const checkRefusal = (submission: Submission, ledger: Ledger, circumstances: Circumstances): void => {
  const { answer, command, number } = submission
  if (answer?._tag === "Refused" && answer.refusal.code === "price_changed" && command._tag === "Reserve") {
    return checkTotal(command, answer.refusal.total, (name) =>
      valuesOf(factCount("price", name), submission, ledger, circumstances),
    )
  }
  if (answer?._tag === "Refused" && answer.refusal.code === "out_of_stock") {
    checkShortage(submission, answer.refusal, ledger)
  }
  for (const { count, isReason, said } of reasonsOf(submission, circumstances)) {
    assert.ok(isReason, `command ${number} was refused although ${said} of ${count} would do`)
    const values = valuesOf(count, submission, ledger, circumstances)
    assert.ok(values.includes(said), `command ${number} was told ${said} of ${count}`)
  }
}

/** The refusal is of what was asked for, and is `retryable` exactly where units under holds would have been enough. */
const checkShortage = (
  { answeredAtMillis, command, number, startedAtMillis }: Submission,
  { lines, retryable }: { readonly lines: ReadonlyArray<LineShortage>; readonly retryable: boolean },
  { held }: Ledger,
): void => {
  const since = held.findLastIndex(({ atMillis }) => atMillis < startedAtMillis)
  const meanwhile = held.slice(Math.max(0, since)).filter(({ atMillis }) => atMillis <= answeredAtMillis)
  const none = new Map<ProductId, number>()
  const moments = since < 0 ? [{ units: none, taken: none }, ...meanwhile] : meanwhile
  const wouldDo = lines.map(({ available, productId, requested }) => {
    const wanted = "lines" in command ? command.lines.find((line) => line.productId === productId) : undefined
    assert.ok(wanted !== undefined && "quantity" in wanted, `command ${number} was refused what it did not ask for`)
    assert.strictEqual(requested, wanted.quantity, `command ${number} was told that it asked for something else`)
    // Rows are read before the batch is committed whose own holds are planned on top of them.
    const found = moments.flatMap(({ units }, at) =>
      [none, ...moments.slice(at).map(({ taken }) => taken)].map(
        (taken) => (units.get(productId) ?? 0) + (taken.get(productId) ?? 0),
      ),
    )
    return new Set(found.map((units) => available + units >= requested))
  })
  const may = retryable ? wouldDo.every((ways) => ways.has(true)) : wouldDo.some((ways) => ways.has(false))
  assert.ok(may, `command ${number} was told ${retryable ? "to try again" : "not to try again"}, and why not is not so`)
}

/** The total that was said is that of prices which the lines had. */
const checkTotal = (
  { expectedTotal, held, lines }: Extract<Command, { _tag: "Reserve" }>,
  said: Money,
  pricesOf: (productId: ProductId) => ReadonlyArray<number>,
): void => {
  let totals = new Set([0])
  for (const part of held)
    for (const { quantity, unitPrice } of part.lines) totals = plus(totals, [quantity * unitPrice])
  for (const { productId, quantity } of lines) {
    totals = plus(
      totals,
      pricesOf(productId).map((price) => price * quantity),
    )
  }
  assert.ok(totals.has(said.amount), "a total that no prices of its lines come to")
  assert.notDeepStrictEqual(said, expectedTotal, "refused at the total it expected")
}

const plus = (totals: ReadonlySet<number>, amounts: ReadonlyArray<number>): Set<number> =>
  new Set([...totals].flatMap((total) => amounts.map((amount) => total + amount)))

/**
 * What a count can have been for this command: exactly what those before it in the mailbox left, or, where a commit
 * met what nobody could know or the shard changed hands meanwhile, any value it had until the answer.
 */
export const valuesOf = (
  count: string,
  submission: Submission,
  ledger: Ledger,
  { first, hasChangedHands }: Circumstances,
): ReadonlyArray<number> => {
  const { answeredAtMillis, shard, startedAtMillis } = submission
  const batches = ledger.batches.filter((batch) => batch.shard === shard)
  const isLoose = hasChangedHands || batches.some((batch) => batch.isSurprise && batch.atMillis >= startedAtMillis)
  let value = first.get(count) ?? 0
  if (!isLoose) return valuesInOrder(count, submission, batches, value)
  const values = new Set<number>()
  for (const { atMillis, steps } of batches) {
    if (atMillis > answeredAtMillis) break
    for (const { moved } of steps) {
      if (atMillis >= startedAtMillis) values.add(value)
      value += moved.get(count) ?? 0
      if (atMillis >= startedAtMillis) values.add(value)
    }
  }
  values.add(value)
  return [...values]
}

/**
 * One value where only what was asked for moved the count. What a shard did of its own accord comes ahead of its batch;
 * where it cannot be told whether that is ahead of a command that left nothing in the rows, it may be either.
 */
const valuesInOrder = (
  count: string,
  { answeredAtMillis, number, startedAtMillis }: Submission,
  batches: ReadonlyArray<AppliedBatch>,
  first: number,
): ReadonlyArray<number> => {
  let value = first
  let unsure: Array<number> = []
  let isBehind = false
  for (const { atMillis, steps } of batches) {
    const asked = steps.filter(({ own }) => own === null).map(({ submission }) => submission.number)
    const isAhead = atMillis < startedAtMillis || asked.some((other) => other < number)
    if (isAhead) {
      value += unsure.reduce((sum, by) => sum + by, 0)
      unsure = []
    }
    isBehind ||= atMillis > answeredAtMillis
    for (const { moved, own, submission } of steps) {
      const by = moved.get(count) ?? 0
      if (by === 0) continue
      if (own === null) value += submission.number < number ? by : 0
      else if (own === "first" ? isAhead : atMillis < startedAtMillis) value += by
      else if (!isBehind) unsure.push(by)
    }
    isBehind ||= asked.some((other) => other > number)
  }
  const values = [value]
  for (const by of unsure) values.push((value += by))
  return values
}

const reasonsOf = (submission: Submission, { first }: Circumstances): ReadonlyArray<Reason> => {
  const { answer, command, startedAtMillis } = submission
  if (answer?._tag !== "Refused") return []
  const { refusal } = answer
  switch (refusal.code) {
    case "out_of_stock":
      return refusal.lines.map(({ available, productId, requested }) => {
        return { count: stockCount(productId), said: available, isReason: available < requested }
      })
    case "stock_is_sold": {
      const { available, productId } = refusal
      const isReason = command._tag === "Restock" && available + command.delta < 0
      return [{ count: stockCount(productId), said: available, isReason }]
    }
    case "limit_exceeded": {
      const { allowed, had, productId } = refusal
      if (command._tag === "Join") {
        return [
          { count: unitsCount(productId, command.accountId), said: had, isReason: had + command.quantity > allowed },
          { count: factCount("limit", productId), said: allowed, isReason: true },
        ]
      }
      if (command._tag !== "Reserve" && command._tag !== "Hold") return assert.fail("a limit on what is not bought")
      const wanted = command.lines.find((line) => line.productId === productId)?.quantity ?? 0
      return [
        { count: unitsCount(productId, command.customer), said: had, isReason: had + wanted > allowed },
        { count: factCount("limit", productId), said: allowed, isReason: true },
      ]
    }
    case "not_on_sale": {
      const { productId, saleStartsAtMillis: start } = refusal
      if (start === null) return [{ count: factCount("paused", productId), said: 1, isReason: true }]
      return [{ count: factCount("sale start", productId), said: start, isReason: start > startedAtMillis }]
    }
    case "unknown_product":
      return refusal.productIds
        .map((productId) => factCount("archived", productId))
        .filter((count) => first.has(count))
        .map((count) => ({ count, said: 1, isReason: true }))
    case "no_waitlist":
      return [{ count: factCount("waiting list", refusal.productId), said: 0, isReason: true }]
    case "version_mismatch": {
      if (command._tag !== "Amend") return assert.fail("a version of what is not edited")
      const { expectedVersion, productId } = command
      const isReason = refusal.version !== expectedVersion
      return [{ count: factCount("version", productId), said: refusal.version, isReason }]
    }
    default:
      return []
  }
}

/** An archival that changed nothing: the product was archived, at the version that was answered. */
export const checkNothingToEdit = (submission: Submission, ledger: Ledger, circumstances: Circumstances): void => {
  const { answer, command, number } = submission
  if (answer?._tag !== "Amended" || command._tag !== "Amend" || ledger.effective.has(submission)) return
  assert.deepStrictEqual(command.change, { archived: true }, `edit ${number} was answered and not made`)
  const archived = valuesOf(factCount("archived", command.productId), submission, ledger, circumstances)
  assert.ok(archived.includes(1), `edit ${number} was told of an archival that was not there`)
  const versions = valuesOf(factCount("version", command.productId), submission, ledger, circumstances)
  assert.ok(versions.includes(answer.version), `edit ${number} was told another version`)
}

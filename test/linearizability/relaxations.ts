/**
 * What one look shows to be impossible, with no search: an operation that even the most generous order of all others
 * leaves without its units or its count. Must stay true: it supposes too much in the operation's favour, never too
 * little, so that what it rejects is wrong; what it lets pass the search decides.
 */
import type { Prepared, PreparedOperation } from "./preparation.ts"
import type { StockOperation } from "./stockHistory.ts"

export interface Impossible {
  readonly stuckAt: StockOperation
  readonly explanation: string
}

/** Sums of units by time, to be asked for all up to an instant, or all before it. */
class Sums {
  readonly #times: Array<number> = []
  readonly #sums: Array<number> = [0]

  constructor(moves: ReadonlyArray<readonly [time: number, units: number]>) {
    for (const [time, units] of [...moves].sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))) {
      this.#times.push(time)
      this.#sums.push((this.#sums.at(-1) ?? 0) + units)
    }
  }

  upTo(time: number): number {
    return this.#sumWhile((other) => other <= time)
  }

  before(time: number): number {
    return this.#sumWhile((other) => other < time)
  }

  #sumWhile(isIncluded: (time: number) => boolean): number {
    let low = 0
    let high = this.#times.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (isIncluded(this.#times[middle] ?? 0)) low = middle + 1
      else high = middle
    }
    return this.#sums[low] ?? 0
  }
}

export const impossibleAlone = ({ firstStock, operations }: Prepared): Impossible | null => {
  const sums = (isCounted: (operation: PreparedOperation) => boolean, at: "invokedAt" | "answeredAt") =>
    new Sums(operations.filter(isCounted).map((operation) => [operation[at], Math.abs(operation.delta)]))
  // Units back from aside were taken before, so that they lift the count over nothing it could not have been.
  const givesCalled = sums(({ kind }) => kind === "give", "invokedAt")
  const takesCalled = sums(({ kind }) => kind === "take" || kind === "set aside", "invokedAt")
  const givesDone = sums(({ isOptional, kind }) => kind === "give" && !isOptional, "answeredAt")
  const takesDone = sums(({ isOptional, kind }) => kind === "take" && !isOptional, "answeredAt")

  for (const operation of operations) {
    const { answeredAt, available, invokedAt, isOptional } = operation
    const { of } = operation
    if (isOptional || !("kind" in of)) continue
    if (of.kind === "take") {
      const left = firstStock + givesCalled.upTo(answeredAt) - takesDone.upTo(answeredAt)
      if (left < 0) {
        const explanation = `with every unit that can have come by then, ${-left} too few are there for all that was taken`
        return { stuckAt: of, explanation }
      }
    } else if (of.kind === "reading") {
      const most = firstStock + givesCalled.upTo(answeredAt) - takesDone.before(invokedAt)
      const least = Math.max(0, firstStock + givesDone.before(invokedAt) - takesCalled.upTo(answeredAt))
      if (available > most)
        return { stuckAt: of, explanation: `it saw ${available}, and at most ${most} can have been left` }
      if (available < least)
        return { stuckAt: of, explanation: `it saw ${available}, and at least ${least} must have been left` }
    }
  }
  return null
}

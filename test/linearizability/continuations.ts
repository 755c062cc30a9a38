/**
 * Which sets of pending operations are enough to try, and in which order: those that lead to a count some reading waits
 * for, and those that bring just the units a due take needs. A set is numbers per group; the operations due first fill
 * it. Must stay true: every set that reaches the goal is offered sooner or later, and the likely ones first.
 */
import type { Chance } from "../simulation/machine/chance.ts"
import type { Configuration } from "./configuration.ts"
import type { Prepared } from "./preparation.ts"

/** Groups in the order in which their next operation happens; gives come first, so that the count suffices throughout. */
export type Continuation = ReadonlyArray<number>

/** In a continuation: the optional operation whose time is over never happens. */
export const dropped = -1

interface Usable {
  readonly group: number
  readonly delta: number
  readonly isOptional: boolean
  readonly pending: number
}

/** Counts a set that is looked at against the search's bound; false past it. */
type Visit = () => boolean

export class Continuations {
  readonly #prepared: Prepared
  readonly #configuration: Configuration
  readonly #visit: Visit

  constructor(prepared: Prepared, configuration: Configuration, visit: Visit) {
    this.#prepared = prepared
    this.#configuration = configuration
    this.#visit = visit
  }

  /** Every set of pending operations that brings the count to `available`. */
  *reaching(available: number, chance: Chance | null): Generator<Continuation> {
    const difference = available - this.#configuration.count
    const usable = this.#usable()
    const wanted =
      chance === null || chance.happens(0.5)
        ? this.#dueFirst(usable, difference)
        : usable.map(({ isOptional, pending }) => (isOptional ? 0 : chance.between(0, pending)))
    // For the groups from each place on: how far they can go down and up, and what all their steps are multiples of.
    const lowest = [0]
    const highest = [0]
    const divisor = [0]
    for (const { delta, pending } of usable.toReversed()) {
      lowest.unshift((lowest[0] ?? 0) + Math.min(0, delta * pending))
      highest.unshift((highest[0] ?? 0) + Math.max(0, delta * pending))
      divisor.unshift(greatestCommonDivisor(Math.abs(delta), divisor[0] ?? 0))
    }
    const isOutOfReach = (place: number, rest: number) =>
      rest < (lowest[place] ?? 0) || rest > (highest[place] ?? 0) || rest % (divisor[place] || Infinity) !== 0
    yield* this.#fill(usable, wanted, isOutOfReach, [], difference)
  }

  /** Every set of pending gives that brings `needed` units, and none of which could be left out. */
  *bringing(needed: number): Generator<Continuation> {
    const usable = this.#usable().filter(({ delta }) => delta > 0)
    yield* this.#gather(usable.toReversed(), [], needed, Infinity)
  }

  *#fill(
    usable: ReadonlyArray<Usable>,
    wanted: ReadonlyArray<number> | null,
    isOutOfReach: (place: number, rest: number) => boolean,
    chosen: ReadonlyArray<number>,
    rest: number,
  ): Generator<Continuation> {
    if (!this.#visit()) return
    const place = chosen.length
    const next = usable[place]
    if (next === undefined) {
      if (rest === 0) yield this.#inOrder(usable, chosen)
      return
    }
    if (isOutOfReach(place, rest)) return
    // What two optional operations of the same units do to the count, neither of them does.
    const isUndoing =
      next.isOptional &&
      usable.some(({ delta, isOptional }, other) => isOptional && delta === -next.delta && (chosen[other] ?? 0) > 0)
    if (place === usable.length - 1) {
      if (rest !== 0 && isUndoing) return
      yield this.#inOrder(usable, [...chosen, rest / next.delta])
      return
    }
    const fewest = next.isOptional ? 0 : Math.max(0, Math.min(next.pending, Math.floor(rest / next.delta)))
    for (const number of outward(wanted?.[place] ?? fewest, next.pending)) {
      if (number > 0 && isUndoing) continue
      yield* this.#fill(usable, wanted, isOutOfReach, [...chosen, number], rest - number * next.delta)
    }
  }

  *#gather(
    usable: ReadonlyArray<Usable>,
    chosen: ReadonlyArray<number>,
    needed: number,
    smallestChosen: number,
  ): Generator<Continuation> {
    if (!this.#visit()) return
    if (needed <= 0) {
      if (needed + smallestChosen > 0) yield this.#inOrder(usable, chosen)
      return
    }
    const next = usable[chosen.length]
    if (next === undefined) return
    for (let number = Math.min(next.pending, Math.ceil(needed / next.delta)); number >= 0; number--) {
      const smallest = number > 0 ? Math.min(smallestChosen, next.delta) : smallestChosen
      yield* this.#gather(usable, [...chosen, number], needed - number * next.delta, smallest)
    }
  }

  #usable(): ReadonlyArray<Usable> {
    return this.#prepared.groupOrder.flatMap((group) => {
      const pending = this.#configuration.pendingOf(group).length
      const { delta, isOptional } = this.#prepared.groups[group] ?? { delta: 0, isOptional: true }
      return pending === 0 ? [] : [{ group, delta, isOptional, pending }]
    })
  }

  /**
   * How many of each group make up the difference where they happen in the order in which they are due, as with a counter
   * that answers in the order in which it decides; null where that order passes it by.
   */
  #dueFirst(usable: ReadonlyArray<Usable>, difference: number): ReadonlyArray<number> | null {
    const numbers = usable.map(() => 0)
    let sum = 0
    while (sum !== difference) {
      let first = -1
      let firstRank = Infinity
      for (const [place, { group, isOptional, pending }] of usable.entries()) {
        if (isOptional) continue
        const rank = this.#configuration.pendingOf(group)[pending - 1 - (numbers[place] ?? 0)] ?? Infinity
        if (rank < firstRank) [first, firstRank] = [place, rank]
      }
      if (first === -1) return null
      numbers[first] = (numbers[first] ?? 0) + 1
      sum += usable[first]?.delta ?? 0
    }
    return numbers
  }

  #inOrder(usable: ReadonlyArray<Usable>, chosen: ReadonlyArray<number>): Continuation {
    const gives: Array<number> = []
    const takes: Array<number> = []
    for (const [place, number] of chosen.entries()) {
      const { delta, group } = usable[place] ?? { delta: 0, group: 0 }
      for (let each = 0; each < number; each++) (delta > 0 ? gives : takes).push(group)
    }
    return [...gives, ...takes]
  }
}

/** From 0 to `most`, the nearest to `start` first. */
function* outward(start: number, most: number): Generator<number> {
  yield start
  for (let step = 1; start + step <= most || start - step >= 0; step++) {
    if (start + step <= most) yield start + step
    if (start - step >= 0) yield start - step
  }
}

const greatestCommonDivisor = (left: number, right: number): number =>
  right === 0 ? left : greatestCommonDivisor(right, left % right)

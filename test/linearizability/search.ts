/**
 * The search for an order that explains a history: events in time, and at each answer still outstanding a choice of what
 * happened just before it. Must stay true: a choice is given up only when all its continuations failed, and the ones
 * left out are shown below to be no better than ones that are tried.
 *
 * When an operation must be answered, what happens from there up to it is one of three things. (1) It happens at once;
 * if no reading waits nothing else need be tried: gives, then takes that would have come before it can as well come
 * after it, where the same units are there in the end. (2) It is a take without its units: gives come before it, of which
 * none could be left out; the others can come after it, as before. (3) A reading that waits is satisfied on the way: the
 * operations before the first such reading may come gives first, since the count they lead to is not below zero, so only
 * which of them there are matters; then the same three again. An optional operation whose time is over may also be
 * dropped; with no reading left to come, a take always is and a give never, since nothing but readings can mind. Units
 * set aside and back within one such step would leave the count as it was and an aside fewer, so nothing is lost where
 * that is tried no further.
 *
 * An unlucky choice can cost more than all the rest, so that a search which gets no further for long goes back some way
 * and on from there with chance in the order of its choices, twice as far and twice as long each time; what is known to
 * have failed stays known.
 *
 * Tried and lost, on what correct counters answered (H: 300 hard histories of up to 4,000 operations, up to 80 % of them
 * looks, half of the rest gives, a tenth of the answers lost; undecided means after 1,000,000 states):
 * - to fill a gap with numbers near those that are due first: undecided where 60 % of 20,000 requests are looks; with the
 *   fewest operations, which leave the small ones for the next gap, 8,800 states;
 * - plain backtracking: 15 of H undecided, and 1 of 20,000 small ones; going back with chance: 12, and none;
 * - starting all over instead of going back some way: 13 of H, and two mixed rushes of 20,000 that take 42,000 states;
 * - lost orders and asides as groups of equal standing: 12 of H; with setting aside first: 7; and where an optional
 *   operation and its opposite do not happen in one step: 6, which is where it stands.
 */
import { Chance } from "../simulation/machine/chance.ts"
import { Configuration } from "./configuration.ts"
import { type Continuation, Continuations, dropped } from "./continuations.ts"
import { Failures } from "./failures.ts"
import { isCall, type Prepared } from "./preparation.ts"
import type { Step, StockOperation, Verdict } from "./stockHistory.ts"
import { ways } from "./ways.ts"

/** How many states may be visited without getting any further before the search goes back, and by how many events. */
const firstPatienceStatesDefault = 500
const firstRetreatEvents = 64

interface Choice {
  readonly place: number
  readonly trailLength: number
  readonly continuations: Generator<Continuation>
}

export const search = (
  prepared: Prepared,
  visitedStatesMax: number,
  firstPatienceStates = firstPatienceStatesDefault,
): Verdict => {
  const configuration = new Configuration(prepared)
  const run = new Search(prepared, configuration, visitedStatesMax, firstPatienceStates)
  const isExplained = run.isExplained()
  const { visitedStates } = run
  if (isExplained === true) return { isLinearizable: true, order: orderOf(prepared, configuration), visitedStates }
  if (isExplained === false) return { ...run.contradiction, visitedStates }
  return { isLinearizable: null, isUndecided: true, visitedStates }
}

class Search {
  visitedStates = 0
  readonly #prepared: Prepared
  readonly #configuration: Configuration
  readonly #visitedStatesMax: number
  readonly #firstPatienceStates: number
  readonly #continuations: Continuations
  readonly #failures = new Failures()
  readonly #choices: Array<Choice> = []
  #place = 0
  #furthest = 0
  #retreats = 0
  /** The place past which the search is out of the trouble it went back for. */
  #troubleEnd = 0
  #patienceEndStates: number
  /** Decides the order of choices while there is trouble. */
  #chance: Chance | null = null
  /** The furthest place where something got stuck, what it was, and the count there. */
  #stuck = { place: -1, rank: 0, count: 0 }

  constructor(prepared: Prepared, configuration: Configuration, visitedStatesMax: number, firstPatienceStates: number) {
    this.#prepared = prepared
    this.#configuration = configuration
    this.#visitedStatesMax = visitedStatesMax
    this.#firstPatienceStates = firstPatienceStates
    this.#patienceEndStates = firstPatienceStates
    this.#continuations = new Continuations(prepared, configuration, () => this.#visit())
  }

  /** Null past the bound. */
  isExplained(): boolean | null {
    const { events } = this.#prepared
    while (this.#place < events.length) {
      const event = events[this.#place] ?? 0
      if (isCall(event)) this.#configuration.call(event >> 1)
      if (isCall(event) || this.#configuration.isSettled(event >> 1)) {
        this.#place++
        continue
      }
      this.#noteProgress()
      if (!this.#visit() || !this.#settle(event >> 1)) {
        if (this.visitedStates > this.#visitedStatesMax) return null
        if (!this.#isSpent) return false
        this.#retreat()
      }
    }
    return true
  }

  get contradiction() {
    const { count, rank } = this.#stuck
    const stuckAt = this.#prepared.operations[rank]?.of as StockOperation
    const explanation =
      stuckAt.kind === "reading"
        ? `it saw ${stuckAt.available}, and no order of the others leaves that many (the furthest one had ${count})`
        : `no order of the others gives it a place (the furthest one had ${count} left)`
    return { isLinearizable: false, stuckAt, explanation } as const
  }

  /** Settles what is due, or chooses what happened before it; false when no choice is left, or past the bound. */
  #settle(rank: number): boolean {
    const configuration = this.#configuration
    const due = this.#prepared.operations[rank]
    if (due === undefined) throw new Error(`there is no operation ${rank}`)
    const isFree = due.isOptional ? this.#place > this.#prepared.lastReading : configuration.waiting.size === 0
    if (isFree && due.isOptional && due.delta < 0) {
      configuration.drop(rank)
      return true
    }
    if (isFree && due.kind !== "reading" && configuration.count + due.delta >= 0) {
      configuration.happen(due.group)
      return true
    }
    if (!due.isOptional) this.#noteStuck(rank)
    if (!this.#failures.includes(this.#place, configuration)) {
      const continuations = ways(configuration, this.#continuations, due, this.#chance)
      this.#choices.push({ place: this.#place, trailLength: configuration.trailLength, continuations })
    }
    return this.#goOn()
  }

  get #isSpent(): boolean {
    return this.visitedStates > Math.min(this.#visitedStatesMax, this.#patienceEndStates)
  }

  #visit(): boolean {
    this.visitedStates++
    return !this.#isSpent
  }

  #noteProgress(): void {
    if (this.#place <= this.#furthest) return
    this.#furthest = this.#place
    if (this.#place < this.#troubleEnd) return
    this.#retreats = 0
    this.#chance = null
    this.#patienceEndStates = this.visitedStates + this.#firstPatienceStates
  }

  /** Forgets the newest choices without holding them to have failed. */
  #retreat(): void {
    const scale = 2 ** this.#retreats++
    const retreatEvents = firstRetreatEvents * scale
    let oldest = this.#choices.at(-1)
    while (oldest !== undefined && oldest.place > this.#furthest - retreatEvents) {
      this.#configuration.backTo(oldest.trailLength)
      this.#place = oldest.place
      this.#choices.pop()
      oldest = this.#choices.at(-1)
    }
    this.#troubleEnd = this.#furthest + retreatEvents
    this.#chance = new Chance(this.visitedStates)
    this.#patienceEndStates = this.visitedStates + this.#firstPatienceStates * 2 * scale
  }

  #noteStuck(rank: number): void {
    if (this.#place > this.#stuck.place) this.#stuck = { place: this.#place, rank, count: this.#configuration.count }
  }

  /** Takes the newest choice's next continuation that is not hopeless; false when none is left, or past the bound. */
  #goOn(): boolean {
    const configuration = this.#configuration
    for (let choice = this.#choices.at(-1); choice !== undefined; choice = this.#choices.at(-1)) {
      configuration.backTo(choice.trailLength)
      this.#place = choice.place
      const next = choice.continuations.next()
      if (!this.#visit()) return false
      if (next.done === true) {
        this.#failures.add(this.#place, configuration)
        this.#choices.pop()
        continue
      }
      for (const group of next.value) {
        if (group === dropped) configuration.drop((this.#prepared.events[this.#place] ?? 0) >> 1)
        else configuration.happen(group)
      }
      if (!this.#isHopeless()) return true
    }
    return false
  }

  /** Whether a reading waits for a count that cannot come again before it must be answered. */
  #isHopeless(): boolean {
    const { waiting } = this.#configuration
    if (waiting.size === 0) return false
    const { answerEvents, givenBefore, groups } = this.#prepared
    let most = this.#configuration.count
    for (const [group, { delta }] of groups.entries()) {
      if (delta > 0) most += delta * this.#configuration.pendingOf(group).length
    }
    for (const [available, ranks] of waiting) {
      if (available <= most) continue
      for (const rank of ranks) {
        const coming = (givenBefore[answerEvents[rank] ?? 0] ?? 0) - (givenBefore[this.#place] ?? 0)
        if (available <= most + coming) continue
        this.#noteStuck(rank)
        return true
      }
    }
    return false
  }
}

const orderOf = (prepared: Prepared, configuration: Configuration): ReadonlyArray<Step> => {
  let countAfter = prepared.firstStock
  return configuration.happened.map(({ delta, kind, of }) => ({ of, kind, countAfter: (countAfter += delta) }))
}

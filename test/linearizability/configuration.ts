/**
 * Where a search stands: the count, the operations that were called and have not happened yet, and the readings still
 * waiting for their count. Every change is on a trail, so that going back is exact; nobody else changes these.
 *
 * Two things hold for a counter and keep this small. Operations of one group differ only in their intervals, so among
 * those called it is enough to let the one happen that is due first: in any order in which another of them comes first
 * the two can change places, since both were called by then and neither is late. And a reading changes nothing, so it
 * may happen at the first moment its count is there. The count follows from what has happened; with what is pending it
 * decides all that can come, and so these name a configuration. (Numbers per group alone would not do: which of a group
 * have happened depends on when they did, and a configuration would be taken for a worse one.)
 */
import type { PreparedOperation, Prepared } from "./preparation.ts"

type Change =
  | { readonly _tag: "Called"; readonly rank: number }
  | { readonly _tag: "Happened"; readonly rank: number }
  | { readonly _tag: "Dropped"; readonly rank: number }
  | { readonly _tag: "ReadAtOnce"; readonly rank: number }
  | { readonly _tag: "Read"; readonly available: number; readonly ranks: Array<number> }

export class Configuration {
  count: number
  /** For each group, the ranks of what was called and has not happened, the earliest due last. */
  readonly pending: ReadonlyArray<Array<number>>
  /** The ranks of readings called and not satisfied, by the count they wait for. */
  readonly waiting = new Map<number, Array<number>>()
  readonly #prepared: Prepared
  readonly #isSettled: Uint8Array
  readonly #trail: Array<Change> = []

  constructor(prepared: Prepared) {
    this.#prepared = prepared
    this.count = prepared.firstStock
    this.pending = prepared.groups.map(() => [])
    this.#isSettled = new Uint8Array(prepared.operations.length)
  }

  get trailLength(): number {
    return this.#trail.length
  }

  /** Whether an operation has happened, or was dropped. */
  isSettled(rank: number): boolean {
    return this.#isSettled[rank] === 1
  }

  pendingOf(group: number): Array<number> {
    const pending = this.pending[group]
    if (pending === undefined) throw new Error(`there is no group ${group}`)
    return pending
  }

  call(rank: number): void {
    const operation = this.#operation(rank)
    if (operation.kind !== "reading") {
      insert(this.pendingOf(operation.group), rank)
    } else if (operation.available === this.count) {
      this.#isSettled[rank] = 1
      this.#trail.push({ _tag: "ReadAtOnce", rank })
      return
    } else {
      const ranks = this.waiting.get(operation.available)
      if (ranks === undefined) this.waiting.set(operation.available, [rank])
      else ranks.push(rank)
    }
    this.#trail.push({ _tag: "Called", rank })
  }

  /** Lets the operation of a group happen that is due first, and every reading of the count it leads to. */
  happen(group: number): void {
    const rank = this.pendingOf(group).pop()
    if (rank === undefined) throw new Error("nothing is pending")
    const { delta, enables } = this.#operation(rank)
    this.#isSettled[rank] = 1
    this.count += delta
    if (enables !== -1) insert(this.pendingOf(this.#operation(enables).group), enables)
    this.#trail.push({ _tag: "Happened", rank })
    const ranks = this.waiting.get(this.count)
    if (ranks === undefined) return
    this.waiting.delete(this.count)
    for (const reading of ranks) this.#isSettled[reading] = 1
    this.#trail.push({ _tag: "Read", available: this.count, ranks })
  }

  /** An optional operation that did not happen while it could. */
  drop(rank: number): void {
    this.#isSettled[rank] = 1
    remove(this.pendingOf(this.#operation(rank).group), rank)
    this.#trail.push({ _tag: "Dropped", rank })
  }

  backTo(trailLength: number): void {
    while (this.#trail.length > trailLength) {
      const change = this.#trail.pop()
      if (change !== undefined) this.#undo(change)
    }
  }

  /** What two configurations at the same event share exactly if they differ in nothing but the readings that wait. */
  get name(): string {
    const codes = [this.count & 0xffff, this.count >>> 16]
    const add = (rank: number) => codes.push(rank & 0xffff, rank >>> 16)
    for (const ranks of this.pending) {
      // Of those without an end all that matters is how many there are, and how many of them set units aside.
      const finite = ranks.findIndex((rank) => this.#operation(rank).answeredAt !== Infinity)
      const endless = finite === -1 ? ranks.length : finite
      let asides = 0
      while (asides < endless && this.#operation(ranks[endless - asides - 1] ?? 0).enables !== -1) asides++
      add(endless)
      add(asides)
      add(ranks.length - endless)
      for (let place = endless; place < ranks.length; place++) add(ranks[place] ?? 0)
    }
    return textOf(codes)
  }

  /** The readings that wait, ascending. */
  get waitingRanks(): ReadonlyArray<number> {
    return [...this.waiting.values()].flat().sort((left, right) => left - right)
  }

  /** What happened, in order. */
  get happened(): ReadonlyArray<PreparedOperation> {
    return this.#trail.flatMap((change) => {
      if (change._tag === "Happened" || change._tag === "ReadAtOnce") return [this.#operation(change.rank)]
      return change._tag === "Read" ? change.ranks.map((rank) => this.#operation(rank)) : []
    })
  }

  #operation(rank: number): PreparedOperation {
    const operation = this.#prepared.operations[rank]
    if (operation === undefined) throw new Error(`there is no operation ${rank}`)
    return operation
  }

  #undo(change: Change): void {
    if (change._tag === "Read") {
      for (const rank of change.ranks) this.#isSettled[rank] = 0
      this.waiting.set(change.available, change.ranks)
      return
    }
    const { rank } = change
    const { available, delta, enables, group, kind } = this.#operation(rank)
    if (change._tag === "ReadAtOnce") {
      this.#isSettled[rank] = 0
    } else if (change._tag === "Happened") {
      if (enables !== -1) remove(this.pendingOf(this.#operation(enables).group), enables)
      this.#isSettled[rank] = 0
      this.count -= delta
      this.pendingOf(group).push(rank)
    } else if (change._tag === "Dropped") {
      this.#isSettled[rank] = 0
      insert(this.pendingOf(group), rank)
    } else if (kind !== "reading") {
      remove(this.pendingOf(group), rank)
    } else {
      const ranks = this.waiting.get(available)
      ranks?.pop()
      if (ranks?.length === 0) this.waiting.delete(available)
    }
  }
}

/** Where a rank stands, or belongs, among descending ranks. */
const placeOf = (ranks: ReadonlyArray<number>, rank: number): number => {
  let low = 0
  let high = ranks.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ranks[middle] ?? 0) > rank) low = middle + 1
    else high = middle
  }
  return low
}

const insert = (ranks: Array<number>, rank: number): void => {
  const last = ranks.at(-1)
  if (last === undefined || last > rank) ranks.push(rank)
  else ranks.splice(placeOf(ranks, rank), 0, rank)
}

const remove = (ranks: Array<number>, rank: number): void => {
  if (ranks.at(-1) === rank) ranks.pop()
  else ranks.splice(placeOf(ranks, rank), 1)
}

const textOf = (codes: ReadonlyArray<number>): string => {
  let text = ""
  for (const code of codes) text += String.fromCharCode(code)
  return text
}

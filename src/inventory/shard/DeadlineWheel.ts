/**
 * Deadlines of everything a shard has not answered yet, in buckets of `tickMillis`, so that a crowd of fifty thousand
 * costs one timer, and an insertion and a removal of constant time. It decides nothing: the actor says what a passed
 * deadline means.
 *
 * Must stay true: an entry comes out at most once, not before its deadline, and no later than one tick after it.
 */
export class DeadlineWheel<Entry> {
  /** How late a deadline may be noticed. */
  static readonly tickMillis = 25
  readonly #buckets = new Map<number, Set<Entry>>()

  get isEmpty(): boolean {
    return this.#buckets.size === 0
  }

  add(entry: Entry, deadlineMillis: number): void {
    const tick = tickOf(deadlineMillis)
    const bucket = this.#buckets.get(tick)
    if (bucket === undefined) this.#buckets.set(tick, new Set([entry]))
    else bucket.add(entry)
  }

  remove(entry: Entry, deadlineMillis: number): void {
    const tick = tickOf(deadlineMillis)
    const bucket = this.#buckets.get(tick)
    bucket?.delete(entry)
    if (bucket?.size === 0) this.#buckets.delete(tick)
  }

  /** Takes out every entry whose deadline lies at or before `nowMillis`, the earliest first. */
  takePassed(nowMillis: number): ReadonlyArray<Entry> {
    const ticks = [...this.#buckets.keys()].filter((tick) => tick * DeadlineWheel.tickMillis <= nowMillis)
    const passed = ticks.sort((left, right) => left - right).flatMap((tick) => [...(this.#buckets.get(tick) ?? [])])
    for (const tick of ticks) this.#buckets.delete(tick)
    return passed
  }
}

const tickOf = (deadlineMillis: number): number => Math.ceil(deadlineMillis / DeadlineWheel.tickMillis)

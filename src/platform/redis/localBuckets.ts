/**
 * Token buckets in this process's memory: each holds `burst` tokens, which grow back one at a time. Must stay true:
 * memory is bounded, whatever names an attacker thinks of, and the numbers are those of the script in `TokenBuckets`.
 *
 * A bucket is one moment: when it will be whole again. Each token taken moves it `refillMillis` into the future.
 *
 * Tried and lost: the RateLimiter of effect/persistence. Its memory store keeps every key it ever saw, it cannot look
 * without taking, so that a success would count as a failure, and it grants all of a number or nothing.
 */

/** Both above zero, and the same in every process that shares the buckets. */
export interface BucketRule {
  /** Tokens of a whole bucket: at most so many are granted at once. */
  readonly burst: number
  /** Until one token has grown back; may be a fraction of a millisecond. */
  readonly refillMillis: number
}

/** What was granted, and where that is less than was wanted, how long until there is another. */
export interface Grant {
  readonly granted: number
  readonly waitMillis: number
}

export interface LocalBuckets {
  /** Takes as many as there are, up to `count`. */
  readonly takeUpTo: (name: string, count: number, nowMillis: number) => Grant
  /** Takes tokens, below zero if need be: what was started in parallel counts, too. */
  readonly take: (name: string, count: number, nowMillis: number) => void
  readonly giveBack: (name: string, count: number, nowMillis: number) => void
  /** Milliseconds until a token is there; 0 when one is. */
  readonly waitMillis: (name: string, nowMillis: number) => number
}

export const makeLocalBuckets = ({
  bucketsMax,
  burst,
  refillMillis,
}: BucketRule & { readonly bucketsMax: number }): LocalBuckets => {
  const wholeAt = new Map<string, number>()
  const toleranceMillis = (burst - 1) * refillMillis

  const missingMillis = (name: string, nowMillis: number): number => Math.max(0, (wholeAt.get(name) ?? 0) - nowMillis)

  const move = (name: string, byMillis: number, nowMillis: number): void => {
    const missing = missingMillis(name, nowMillis) + byMillis
    // Set again at the end of the map's order, so that the first is the one that nobody used for longest.
    wholeAt.delete(name)
    if (missing <= 0) return
    wholeAt.set(name, nowMillis + missing)
    if (wholeAt.size <= bucketsMax) return
    for (const oldest of wholeAt.keys()) {
      wholeAt.delete(oldest)
      return
    }
  }

  const waitMillis = (name: string, nowMillis: number): number =>
    Math.max(0, Math.ceil(missingMillis(name, nowMillis) - toleranceMillis))

  return {
    takeUpTo: (name, count, nowMillis) => {
      const free = Math.floor(burst - missingMillis(name, nowMillis) / refillMillis)
      const granted = Math.max(0, Math.min(count, free))
      if (granted > 0) move(name, granted * refillMillis, nowMillis)
      return { granted, waitMillis: granted === count ? 0 : Math.max(1, waitMillis(name, nowMillis)) }
    },
    take: (name, count, nowMillis) => move(name, count * refillMillis, nowMillis),
    giveBack: (name, count, nowMillis) => move(name, -count * refillMillis, nowMillis),
    waitMillis,
  }
}

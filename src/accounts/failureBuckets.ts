/**
 * Token buckets that count failures by name: each failure takes a token, tokens grow back one at a time, and who has
 * none is told when the next one comes. Must stay true: memory is bounded, whatever names an attacker thinks of.
 *
 * Tried and lost: the RateLimiter of effect/persistence. Its memory store keeps every key it ever saw, and it cannot
 * look without taking, so that a success would count as a failure.
 */

interface Bucket {
  tokens: number
  refilledAtMillis: number
}

export interface FailureBuckets {
  /** Milliseconds until a token is there; 0 when one is. */
  readonly waitMillis: (name: string, nowMillis: number) => number
  /** Takes a token, below zero if need be: what was started in parallel counts, too. */
  readonly take: (name: string, nowMillis: number) => void
  /** Gives a token back: the attempt it was taken for succeeded. */
  readonly giveBack: (name: string, nowMillis: number) => void
}

export const makeFailureBuckets = (options: {
  readonly burst: number
  readonly refillMillis: number
  readonly bucketsMax: number
}): FailureBuckets => {
  const buckets = new Map<string, Bucket>()

  const refilled = (name: string, nowMillis: number): Bucket | undefined => {
    const bucket = buckets.get(name)
    if (bucket === undefined) return undefined
    const grown = Math.floor((nowMillis - bucket.refilledAtMillis) / options.refillMillis)
    if (grown > 0) {
      bucket.tokens += grown
      bucket.refilledAtMillis += grown * options.refillMillis
    }
    if (bucket.tokens < options.burst) return bucket
    buckets.delete(name)
    return undefined
  }

  return {
    waitMillis: (name, nowMillis) => {
      const bucket = refilled(name, nowMillis)
      if (bucket === undefined || bucket.tokens >= 1) return 0
      return bucket.refilledAtMillis + (1 - bucket.tokens) * options.refillMillis - nowMillis
    },
    take: (name, nowMillis) => {
      const bucket = refilled(name, nowMillis) ?? { tokens: options.burst, refilledAtMillis: nowMillis }
      bucket.tokens -= 1
      // Set again at the end of the map's order, so that the first key is the one that failed longest ago.
      buckets.delete(name)
      buckets.set(name, bucket)
      if (buckets.size <= options.bucketsMax) return
      for (const oldest of buckets.keys()) {
        buckets.delete(oldest)
        return
      }
    },
    giveBack: (name, nowMillis) => {
      const bucket = refilled(name, nowMillis)
      if (bucket !== undefined) bucket.tokens += 1
    },
  }
}

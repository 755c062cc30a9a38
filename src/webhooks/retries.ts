/**
 * When a delivery is tried again, and when not any more.
 */
import { Random, Effect } from "effect"
import { retryJitter, retryPausesMillis } from "./webhookBounds.ts"

/** How long to wait after so many attempts, and so long at least; or null where that was the last one. */
export const pauseAfter = (attempts: number, atLeastMillis = 0): Effect.Effect<number | null> => {
  const pauseMillis = retryPausesMillis[attempts - 1]
  return pauseMillis === undefined
    ? Effect.succeed(null)
    : Effect.map(Random.nextBetween(1 - retryJitter, 1 + retryJitter), (factor) =>
        Math.max(atLeastMillis, Math.round(pauseMillis * factor)),
      )
}

/**
 * Spans for the hot path: one where spans are exported, and nothing at all where they are not.
 *
 * Tried and lost: `Effect.fn` with a name. It records a stack at each call, and a switched-off span still costs a
 * context: together a tenth of what an order costs over HTTP.
 */
import { Effect } from "effect"

export const spanned =
  (name: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) =>
      fiber.cache.tracerEnabled ? Effect.withSpan(effect, name, { captureStackTrace: false }) : effect,
    )

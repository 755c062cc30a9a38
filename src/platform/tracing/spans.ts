/**
 * Spans for the hot path: one where spans are recorded, and nothing at all where they are not.
 *
 * Tried and lost: `Effect.fn` with a name. It records a stack at each call, and a switched-off span still costs a
 * context: together a tenth of what an order costs over HTTP.
 */
import { Effect, type Fiber, type Tracer } from "effect"
import { RecordedSpan } from "./recording.ts"

export const spanned =
  (name: string, options: { readonly kind?: Tracer.SpanKind; readonly root?: boolean } = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) =>
      fiber.cache.tracerEnabled ? Effect.withSpan(effect, name, { captureStackTrace: false, ...options }) : effect,
    )

/** The span that a fiber works in, where spans are recorded. */
export const recordedSpanOf = (fiber: Fiber.Fiber<unknown, unknown>): RecordedSpan | null => {
  const { span, tracerEnabled } = fiber.cache
  return tracerEnabled && span instanceof RecordedSpan ? span : null
}

/** Notes something of the whole request that a fiber works for, for its span and its log line. */
export const noteOnRequest = (fiber: Fiber.Fiber<unknown, unknown>, name: string, value: string | number): void => {
  const { span } = fiber.cache
  if (span instanceof RecordedSpan) span.recording.first?.attribute(name, value)
}

/** Asks that what is being done be kept, whatever the share. */
export const wantTrace: Effect.Effect<void> = Effect.withFiber((fiber) => {
  const { span } = fiber.cache
  if (span instanceof RecordedSpan) span.recording.isWanted = true
  return Effect.void
})

/**
 * The W3C header for a call to somebody else, with what the share chose as its flag: Effect's own says of every
 * recorded span that it is sampled, so that others would keep what we throw away.
 */
export const traceHeaders: Effect.Effect<{ readonly traceparent?: string }> = Effect.withFiber((fiber) => {
  const span = recordedSpanOf(fiber)
  if (span === null) return Effect.succeed({})
  const flags = span.recording.isChosen ? "01" : "00"
  return Effect.succeed({ traceparent: `00-${span.traceId}-${span.spanId}-${flags}` })
})

/** Notes something of what is being done, where it is recorded; nothing is paid where it is not. */
export const noted = (attributes: () => Readonly<Record<string, unknown>>): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const { span } = fiber.cache
    if (span instanceof RecordedSpan) {
      for (const [key, value] of Object.entries(attributes())) span.attribute(key, value)
    }
    return Effect.void
  })

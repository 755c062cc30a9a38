/**
 * Kept spans on their way to a collector: in the SDK's shape, through its batches and its exporter.
 *
 * Must stay true: what waits is bounded, and what is lost is counted by its reason; a collector that is slow or gone
 * costs spans and nothing else.
 */
import { type Attributes, SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api"
import type { Resource } from "@opentelemetry/resources"
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace-base"
import { Cause, Exit, Option, type Tracer } from "effect"
import { censorField } from "../logging/logCensor.ts"
import type { RecordedSpan, SpanSink } from "./recording.ts"

/** Spans that may wait for the collector: some two thousand orders' worth, a few megabytes. */
const waitingMax = 16_384
/** Of the traces that the share did not choose, so many a second are kept all the same; a broken sale has thousands. */
const keptMoreMaxPerSecond = 100

type Scope = ReadableSpan["instrumentationScope"]

export interface Exporting extends SpanSink {
  readonly close: () => Promise<void>
}

/** Spans lost by this process, by reason. */
export const spansDropped = new Map<string, number>()

const dropped = (spans: number, reason: string): void => {
  spansDropped.set(reason, (spansDropped.get(reason) ?? 0) + spans)
}

const makeAllowance = (maxPerSecond: number) => {
  let second = 0
  let taken = 0
  return (): boolean => {
    const now = Math.floor(performance.now() / 1000)
    if (now !== second) taken = 0
    second = now
    taken += 1
    return taken <= maxPerSecond
  }
}

/** Where nobody collects: what is worth a look is still told apart from what is not. */
export const keepingNone = (): SpanSink => ({
  send: () => {},
  mayKeepMore: makeAllowance(keptMoreMaxPerSecond),
  dropped: () => {},
})

export const exportingTo = (exporter: SpanExporter, resource: Resource, scope: Scope): Exporting => {
  let waiting = 0
  const counted: SpanExporter = {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        waiting -= spans.length
        if (result.error !== undefined) dropped(spans.length, "not_delivered")
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
    ...(exporter.forceFlush === undefined ? {} : { forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve() }),
  }
  const processor = new BatchSpanProcessor(counted, { maxQueueSize: waitingMax })
  const isAllowed = makeAllowance(keptMoreMaxPerSecond)
  return {
    send: (span) => {
      if (waiting >= waitingMax) return dropped(1, "buffer_full")
      waiting += 1
      processor.onEnd(readable(span, resource, scope))
    },
    mayKeepMore: () => {
      if (isAllowed()) return true
      dropped(1, "too_many_kept")
      return false
    },
    dropped,
    close: () => processor.shutdown(),
  }
}

const kinds: Readonly<Record<Tracer.SpanKind, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

const contextOf = ({ spanId, traceId }: Tracer.AnySpan) => ({ traceId, spanId, traceFlags: TraceFlags.SAMPLED })

const hrTime = (nanos: bigint): [number, number] => [Number(nanos / 1_000_000_000n), Number(nanos % 1_000_000_000n)]

const readable = (span: RecordedSpan, resource: Resource, scope: Scope): ReadableSpan => {
  const parent = Option.getOrUndefined(span.parent)
  const { startTime } = span.status
  const endTime = span.status._tag === "Ended" ? span.status.endTime : startTime
  const context = contextOf(span)
  return {
    name: span.name,
    kind: kinds[span.kind],
    spanContext: () => context,
    ...(parent === undefined ? {} : { parentSpanContext: contextOf(parent) }),
    startTime: hrTime(startTime),
    endTime: hrTime(endTime),
    duration: hrTime(endTime - startTime),
    status: statusOf(span),
    attributes: attributesOf([...span.attributes, ...Object.entries(span.describe?.() ?? {})]),
    links: span.links.map((link) => ({ context: contextOf(link.span) })),
    events: [],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

/** A failure is named by its kind alone: its words may hold what a caller sent. */
const statusOf = ({ status }: RecordedSpan): ReadableSpan["status"] => {
  if (status._tag !== "Ended" || Exit.isSuccess(status.exit)) return { code: SpanStatusCode.UNSET }
  const failure = Cause.squash(status.exit.cause)
  const message =
    typeof failure === "object" && failure !== null && "_tag" in failure
      ? String(failure._tag)
      : failure instanceof Error
        ? failure.name
        : "failed"
  return { code: SpanStatusCode.ERROR, message }
}

const attributesOf = (attributes: ReadonlyArray<readonly [string, unknown]>): Attributes =>
  Object.fromEntries(
    attributes.map(([name, value]) => {
      const plain = censorField(name, value)
      return [name, typeof plain === "object" && plain !== null ? JSON.stringify(plain) : (plain as string | number)]
    }),
  )

/**
 * Effect's tracer over recordings: each span that begins a trace in this process begins a recording, and every span
 * under it joins that.
 *
 * Must stay true: the standard samplers mean what the OpenTelemetry specification says of a trace that goes well; one
 * that failed, was slow or was refused is kept beside them, unless the sampler says that nothing is.
 */
import { Option, Tracer } from "effect"
import { newTraceId, Recording, RecordedSpan, type SpanSink } from "./recording.ts"

export const samplers = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const
export type SamplerName = (typeof samplers)[number]

/** Whether a trace is chosen when it begins. */
const chooses = (sampler: SamplerName, share: number, traceId: string, parent: Tracer.AnySpan | undefined): boolean => {
  if (sampler.startsWith("parentbased_") && parent !== undefined) return parent.sampled
  if (sampler.endsWith("always_on")) return true
  if (sampler.endsWith("always_off")) return false
  return isWithin(traceId, share)
}

/** The same trace is chosen by everybody who asks with the same share: the specification's TraceIdRatioBased. */
const isWithin = (traceId: string, share: number): boolean =>
  Number.parseInt(traceId.slice(-14), 16) / 2 ** 56 >= 1 - share

/** What one is never kept for: a sink that has been told not to. */
const keepingNothing = (sink: SpanSink): SpanSink => ({ ...sink, mayKeepMore: () => false })

export const makeRecordingTracer = (sampler: SamplerName, share: number, to: SpanSink): Tracer.Tracer => {
  const sink = sampler === "always_off" ? keepingNothing(to) : to
  return Tracer.make({
    span: (options) => {
      const parent = options.root ? undefined : Option.getOrUndefined(options.parent)
      if (parent instanceof RecordedSpan) return new RecordedSpan(parent.recording, options)
      const begins = options.root ? { ...options, parent: Option.none() } : options
      const traceId = parent?.traceId ?? newTraceId()
      // A statement that nobody's request asked for is one of the looks that never end.
      const isChosen = (parent !== undefined || options.kind !== "client") && chooses(sampler, share, traceId, parent)
      return new RecordedSpan(new Recording(sink, isChosen), begins, traceId)
    },
  })
}

/** A batch of commands, which belongs to no trace of a caller's and is kept with the first that it carried. */
export const carrier = (name: string, like: RecordedSpan, startTime: bigint): RecordedSpan =>
  new RecordedSpan(new Recording(like.recording.sink, false), {
    name,
    parent: Option.none(),
    annotations: like.annotations,
    links: [],
    startTime,
    kind: "internal",
  })

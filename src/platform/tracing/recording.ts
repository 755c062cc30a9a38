/**
 * One request's part of a trace, from its first span to its last, recorded so cheaply that nearly all of them can be
 * thrown away: whether a recording is kept is decided when its first span ends and everything is known of it.
 *
 * Must stay true: what is dropped has cost a few plain objects and one identifier; what is kept is kept whole; no
 * recording holds more than `spansMax` spans and as many decisions.
 *
 * Tried and lost: the SDK's own spans. They decide when a span begins, so that a failure is found in one trace of a
 * hundred, and recording each request in them costs 5 µs a span.
 */
import { RandomIdGenerator } from "@opentelemetry/sdk-trace-base"
import { type Context, Exit, Option, type Tracer } from "effect"

/** What one recording may hold: an order over all shards takes some forty, a batch of 500 orders is cut off here. */
export const spansMax = 512
export const commitSpan = "ShardStore.commit"
/** Names of attributes and links that one span may have. */
const attributesMax = 64
const linksMax = 128

/** What a shard's writer noted of one command, times in nanoseconds of the clock that spans are measured by. */
export interface Decision {
  readonly parent: RecordedSpan
  readonly shard: number
  readonly command: string
  readonly batchSize: number
  readonly batch: RecordedSpan
  readonly enqueuedAt: bigint
  readonly takenAt: bigint
  readonly repliedAt: bigint
}

/** Where finished spans go. */
export interface SpanSink {
  readonly send: (span: RecordedSpan) => void
  /** Whether a recording that the share did not choose may be kept all the same: bounded a second. */
  readonly mayKeepMore: () => boolean
  readonly dropped: (spans: number, reason: string) => void
}

export class Recording {
  readonly sink: SpanSink
  /** Chosen by the share, when it began; not where it turns out that nobody would look at it. */
  isChosen: boolean
  readonly spans: Array<RecordedSpan> = []
  readonly decisions: Array<Decision> = []
  /** The span that it began with. */
  first: RecordedSpan | undefined
  /** Set by whoever sees a reason to look at this one. */
  isWanted = false
  /** Requests carried by this recording, where it is a batch, that have not ended yet. */
  #carriedOpen = 0
  readonly #carriedKept: Array<RecordedSpan> = []
  #hasEnded = false
  #fate: "open" | "kept" | "dropped" = "open"

  constructor(sink: SpanSink, isChosen: boolean) {
    this.sink = sink
    this.isChosen = isChosen
  }

  get isKept(): boolean {
    return this.#fate === "kept"
  }
  /** The commits of a batch, while it is open. */
  get commits(): ReadonlyArray<RecordedSpan> {
    return this.spans.filter(({ name }) => name === commitSpan)
  }

  begin(span: RecordedSpan): void {
    this.first ??= span
    if (this.spans.length < spansMax) this.spans.push(span)
    else this.sink.dropped(1, "recording_full")
  }

  decided(decision: Decision): void {
    if (this.#fate !== "open" || this.decisions.length >= spansMax) return
    this.decisions.push(decision)
    decision.batch.recording.#carriedOpen += 1
  }

  /** The first span has ended. A batch waits for what it carried; all of it ends, since every request does. */
  ended(hasFailed: boolean): void {
    this.#hasEnded = true
    this.isWanted ||= hasFailed
    this.#settle()
  }

  #settle(): void {
    if (this.#fate !== "open" || !this.#hasEnded || this.#carriedOpen > 0) return
    const isKept = this.isChosen || this.#carriedKept.length > 0 || (this.isWanted && this.sink.mayKeepMore())
    this.#fate = isKept ? "kept" : "dropped"
    if (isKept) {
      this.first?.addLinks(this.#carriedKept.map((span) => ({ span, attributes: {} })))
      for (const span of this.spans) if (span.status._tag === "Ended") this.sink.send(span)
      for (const span of decidedSpans(this.decisions)) this.sink.send(span)
    }
    for (const { batch, parent } of this.decisions) batch.recording.#carriedEnded(isKept, parent)
    this.spans.length = 0
    this.decisions.length = 0
  }

  #carriedEnded(isKept: boolean, parent: RecordedSpan): void {
    this.#carriedOpen -= 1
    if (isKept && this.#carriedKept.length < linksMax) this.#carriedKept.push(parent)
    this.#settle()
  }

  /** A span that ended after its recording was settled follows it. */
  late(span: RecordedSpan): void {
    if (this.#fate === "kept") this.sink.send(span)
  }
}

const identifiers = new RandomIdGenerator()
export const newTraceId = (): string => identifiers.generateTraceId()

type SpanOptions = Omit<Parameters<Tracer.Tracer["span"]>[0], "root" | "sampled">

const noAttributes: ReadonlyMap<string, unknown> = new Map()
const noLinks: ReadonlyArray<Tracer.SpanLink> = []

/** A span that costs little until somebody asks for its identifiers. */
export class RecordedSpan implements Tracer.Span {
  readonly _tag = "Span"
  /** As far as Effect is concerned: what it is asked to record, it records. */
  readonly sampled = true
  readonly recording: Recording
  readonly parent: Option.Option<Tracer.AnySpan>
  readonly annotations: Context.Context<never>
  readonly kind: Tracer.SpanKind
  name: string
  status: Tracer.SpanStatus
  /** What is only worth finding out where it is kept. */
  describe: (() => Readonly<Record<string, unknown>>) | null = null
  #traceId: string | undefined
  #spanId: string | undefined
  #attributes: Map<string, unknown> | undefined
  #links: ReadonlyArray<Tracer.SpanLink>

  constructor(recording: Recording, options: SpanOptions, traceId?: string) {
    const { annotations, kind, links, name, parent, startTime } = options
    this.#traceId = traceId
    this.recording = recording
    this.name = name
    this.parent = parent
    this.annotations = annotations
    this.kind = kind
    this.#links = links.length === 0 ? noLinks : links.slice(0, linksMax)
    this.status = { _tag: "Started", startTime }
    recording.begin(this)
  }

  get traceId(): string {
    return (this.#traceId ??= Option.isSome(this.parent) ? this.parent.value.traceId : newTraceId())
  }
  get spanId(): string {
    return (this.#spanId ??= identifiers.generateSpanId())
  }
  get attributes(): ReadonlyMap<string, unknown> {
    return this.#attributes ?? noAttributes
  }
  get links(): ReadonlyArray<Tracer.SpanLink> {
    return this.#links
  }

  /** Whether it began its recording; the parent of such a one, if any, is another process's. */
  get isFirst(): boolean {
    return Option.isNone(this.parent) || !(this.parent.value instanceof RecordedSpan)
  }

  end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    if (this.status._tag === "Ended") return
    this.status = { _tag: "Ended", startTime: this.status.startTime, endTime, exit }
    if (this.isFirst) this.recording.ended(Exit.isFailure(exit) && !Exit.hasInterrupts(exit))
    else this.recording.late(this)
  }
  attribute(key: string, value: unknown): void {
    this.#attributes ??= new Map()
    if (this.#attributes.size < attributesMax) this.#attributes.set(key, value)
  }
  /** Effect writes log lines and failures as events; ours have their log lines and their status. */
  event(): void {}
  addLinks(links: ReadonlyArray<Tracer.SpanLink>): void {
    this.#links = [...this.#links, ...links].slice(0, linksMax)
  }
}

/**
 * The spans of what a shard's writer did for one order, made from what it noted: in the order's own trace, each under
 * the span that waited for it.
 */
const decidedSpans = (decisions: ReadonlyArray<Decision>): ReadonlyArray<RecordedSpan> =>
  decisions.flatMap(({ batch, batchSize, command, enqueuedAt, parent, repliedAt, shard, takenAt }, at) => {
    const next = decisions[at + 1]
    const heardAt =
      next !== undefined && next.parent === parent && next.enqueuedAt >= repliedAt ? next.enqueuedAt : null
    const parentEnd = parent.status._tag === "Ended" ? parent.status.endTime : repliedAt
    const made = (
      name: string,
      under: RecordedSpan,
      from: bigint,
      to: bigint,
      attributes: Readonly<Record<string, unknown>>,
      links: Array<Tracer.SpanLink> = [],
    ): RecordedSpan => {
      const span = new RecordedSpan(under.recording, {
        name,
        parent: Option.some(under),
        annotations: under.annotations,
        links,
        startTime: from,
        kind: "internal",
      })
      for (const [key, value] of Object.entries(attributes)) span.attribute(key, value)
      span.status = { _tag: "Ended", startTime: from, endTime: to, exit: Exit.void }
      return span
    }
    const decided = { "hedonify.shard": shard }
    const mailbox = made("mailbox", parent, enqueuedAt, takenAt, {
      ...decided,
      "hedonify.command": command,
      "hedonify.mailbox.wait_millis": Number(takenAt - enqueuedAt) / 1e6,
    })
    const own = made("batch", parent, takenAt, repliedAt, { ...decided, "hedonify.batch.size": batchSize }, [
      { span: batch, attributes: {} },
    ])
    const commits = batch.recording.commits.map((commit) => {
      const from = commit.status.startTime
      const to = commit.status._tag === "Ended" ? commit.status.endTime : repliedAt
      return made("commit", own, from, to, Object.fromEntries(commit.attributes))
    })
    const reply = made("reply", parent, repliedAt, heardAt ?? parentEnd, decided)
    return [mailbox, own, ...commits, reply]
  })

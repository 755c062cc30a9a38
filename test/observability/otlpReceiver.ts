/**
 * A collector for tests: takes OTLP/HTTP JSON on a free port of this machine and keeps the spans it was sent. With
 * `answers: false` it takes requests and never replies, as a collector in trouble does.
 */
import { Effect, Schema } from "effect"
import { createServer, type IncomingHttpHeaders } from "node:http"

const Attribute = Schema.Struct({
  key: Schema.String,
  value: Schema.Struct({
    stringValue: Schema.optionalKey(Schema.String),
    intValue: Schema.optionalKey(Schema.Union([Schema.Finite, Schema.String])),
    doubleValue: Schema.optionalKey(Schema.Finite),
  }),
})
const Span = Schema.Struct({
  name: Schema.String,
  kind: Schema.Int,
  traceId: Schema.String,
  spanId: Schema.String,
  parentSpanId: Schema.optionalKey(Schema.String),
  startTimeUnixNano: Schema.String,
  endTimeUnixNano: Schema.String,
  attributes: Schema.Array(Attribute),
  links: Schema.Array(Schema.Struct({ traceId: Schema.String, spanId: Schema.String })),
  status: Schema.Struct({ code: Schema.Int }),
})
export type ReceivedSpan = typeof Span.Type
const ExportRequest = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({
      resource: Schema.Struct({ attributes: Schema.Array(Attribute) }),
      scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) })),
    }),
  ),
})
/** What is said of a span, by name. */
export const attributesOf = ({ attributes }: Pick<ReceivedSpan, "attributes">): Record<string, unknown> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.doubleValue ?? Number(value.intValue)]),
  )

const decodeRequest = Schema.decodeUnknownSync(Schema.fromJsonString(ExportRequest))

export interface OtlpReceiver {
  readonly url: string
  readonly spans: Array<ReceivedSpan>
  readonly resource: Map<string, string | undefined>
  readonly headers: Array<IncomingHttpHeaders>
  /** Each request as it came, letter by letter. */
  readonly bodies: Array<string>
}

export const otlpReceiver = (options: { readonly answers: boolean }) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly receiver: OtlpReceiver; readonly close: () => void }>((resume) => {
      const receiver = { spans: [], resource: new Map(), headers: [], bodies: [] } satisfies Omit<OtlpReceiver, "url">
      const server = createServer((request, response) => {
        let body = ""
        request.setEncoding("utf8")
        request.on("data", (chunk: string) => (body += chunk))
        request.on("end", () => {
          keep(receiver, request.headers, body)
          if (options.answers) response.writeHead(200, { "content-type": "application/json" }).end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const close = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ receiver: { ...receiver, url: `http://127.0.0.1:${port}` }, close }))
      })
    }),
    ({ close }) => Effect.sync(close),
  ).pipe(Effect.map(({ receiver }) => receiver))

const keep = (receiver: Omit<OtlpReceiver, "url">, headers: IncomingHttpHeaders, body: string): void => {
  receiver.headers.push(headers)
  receiver.bodies.push(body)
  for (const { resource, scopeSpans } of decodeRequest(body).resourceSpans) {
    for (const { key, value } of resource.attributes) receiver.resource.set(key, value.stringValue)
    for (const { spans } of scopeSpans) receiver.spans.push(...spans)
  }
}

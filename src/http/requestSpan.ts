/**
 * What is told of a request when it has been answered: its span, by OpenTelemetry's semantic conventions for HTTP, its
 * log line where somebody would look for it, and its measures.
 *
 * Must stay true: nothing that a caller sent is told but its method, its path and who it says it is; a request whose
 * trace is not kept costs a handful of numbers. Kept are those that the share chose and, however small it is, those that
 * failed, were slow, or were refused for anything but sold out.
 *
 * Tried and lost: the tracer that Effect's server brings. It reads the URL and every header of each request before
 * anybody knows whether the trace is kept.
 */
import { Clock, Context, Effect, Exit, type Fiber, Option, Tracer } from "effect"
import { HttpServerRequest, type HttpServerResponse, HttpTraceContext } from "effect/http"
import { NodeHttpServerRequest } from "@effect/platform-node"
import { CurrentLogControl } from "../platform/logging/LogControl.ts"
import { keepingNone } from "../platform/tracing/exporting.ts"
import { RecordedSpan } from "../platform/tracing/recording.ts"
import { makeRecordingTracer } from "../platform/tracing/recordingTracer.ts"
import { slowRequestMillis } from "./httpBounds.ts"
import { requestIdHeader } from "./RequestId.ts"

/** What the code of a refusal is called on a request's span. */
export const refusalCode = "hedonify.refusal.code"
const route = "http.route"
const unremarkable = "out_of_stock"
const healthPaths: ReadonlySet<string> = new Set(["/health/live", "/health/ready"])

export interface AnsweredRequest {
  readonly method: string
  /** As the contract writes it; "none" for a path that no route knows. */
  readonly route: string
  readonly status: number
  readonly seconds: number
  /** Of a trace that is kept. */
  readonly traceId: string | null
}

/** Told of each request; nobody listens unless the composition root says who. */
export interface RequestListener {
  readonly began: () => void
  readonly answered: (request: AnsweredRequest) => void
}

export const RequestListener = Context.Reference<RequestListener>("hedonify/http/RequestListener", {
  defaultValue: () => ({ began: () => {}, answered: () => {} }),
})

/** For a service that was put together without telemetry. */
const silentTracer = makeRecordingTracer("always_off", 0, keepingNone())

export const withRequestSpan = <E, R>(
  application: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest>,
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.withFiber((fiber) => {
    const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
    const clock = fiber.getRef(Clock.Clock)
    const listener = fiber.getRef(RequestListener)
    const span = begin(fiber, request, clock.currentTimeNanosUnsafe())
    listener.began()
    return Effect.onExit(Effect.provideService(application, Tracer.ParentSpan, span), (exit) => {
      const endedAt = clock.currentTimeNanosUnsafe()
      const seconds = Number(endedAt - span.status.startTime) / 1e9
      const line = finish(span, request, exit, seconds)
      span.end(endedAt, line.status >= 500 ? Exit.fail(`${line.status}`) : Exit.void)
      const { isKept } = span.recording
      listener.answered({ ...line, traceId: isKept && fiber.cache.tracerEnabled ? span.traceId : null })
      return isKept || wantsEveryLine(fiber) ? tell(span, line, isKept) : Effect.void
    })
  })

const begin = (
  fiber: Fiber.Fiber<unknown, unknown>,
  request: HttpServerRequest.HttpServerRequest,
  startTime: bigint,
): RecordedSpan => {
  const options = {
    name: request.method,
    parent: HttpTraceContext.fromHeaders(request.headers),
    annotations: Context.empty(),
    links: [],
    startTime,
    kind: "server" as const,
    root: false,
    sampled: true,
  }
  const span = fiber.getRef(Tracer.Tracer).span(options)
  return span instanceof RecordedSpan ? span : (silentTracer.span(options) as RecordedSpan)
}

interface Line extends Omit<AnsweredRequest, "traceId"> {
  readonly code: unknown
  readonly requestId: string | undefined
}

const finish = <E>(
  span: RecordedSpan,
  request: HttpServerRequest.HttpServerRequest,
  exit: Exit.Exit<HttpServerResponse.HttpServerResponse, E>,
  seconds: number,
): Line => {
  const status = Exit.isSuccess(exit) ? exit.value.status : 500
  const matched = span.attributes.get(route)
  const path = pathOf(request)
  const isHealth = healthPaths.has(path)
  const code = span.attributes.get(refusalCode)
  const isSlow = seconds * 1000 > slowRequestMillis
  if (isHealth) span.recording.isChosen = false
  span.recording.isWanted = !isHealth && (status >= 500 || isSlow || (code !== undefined && code !== unremarkable))
  const template = typeof matched === "string" ? matched.replaceAll(/:(\w+)/g, "{$1}") : "none"
  span.name = template === "none" ? request.method : `${request.method} ${template}`
  const requestId = Exit.isSuccess(exit) ? exit.value.headers[requestIdHeader] : undefined
  span.describe = () => describe(request, path, template, status, requestId)
  return { method: request.method, route: template, status, seconds, code, requestId }
}

const pathOf = ({ url }: HttpServerRequest.HttpServerRequest): string => {
  const end = url.indexOf("?")
  return end === -1 ? url : url.slice(0, end)
}

const hostAndPort = /^(.*?)(?::(\d{1,5}))?$/

const describe = (
  request: HttpServerRequest.HttpServerRequest,
  path: string,
  template: string,
  status: number,
  requestId: string | undefined,
): Readonly<Record<string, unknown>> => {
  const [, host, port] = hostAndPort.exec(request.headers["host"] ?? "") ?? []
  const address = Option.getOrUndefined(request.remoteAddress)
  return {
    "http.request.method": request.method,
    "http.response.status_code": status,
    ...(template === "none" ? {} : { [route]: template }),
    "url.path": path,
    "url.scheme": "http",
    "network.protocol.version": NodeHttpServerRequest.toIncomingMessage(request).httpVersion,
    ...(host === undefined || host === "" ? {} : { "server.address": host }),
    ...(port === undefined ? {} : { "server.port": Number(port) }),
    ...(address === undefined ? {} : { "client.address": String(address) }),
    ...(request.headers["user-agent"] === undefined ? {} : { "user_agent.original": request.headers["user-agent"] }),
    ...(status >= 500 ? { "error.type": `${status}` } : {}),
    ...(requestId === undefined ? {} : { "hedonify.request.id": requestId }),
  }
}

const wantsEveryLine = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.getRef(CurrentLogControl).isOn("Debug")

const tell = (
  span: RecordedSpan,
  { code, method, requestId, route: template, seconds, status }: Line,
  isKept: boolean,
) => {
  const orderId = span.attributes.get("hedonify.order.id")
  const shard = span.attributes.get("hedonify.shard")
  const fields = {
    method,
    route: template,
    status,
    durationMillis: Math.round(seconds * 1e6) / 1e3,
    ...(code === undefined ? {} : { code }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(shard === undefined ? {} : { shard }),
    ...(orderId === undefined ? {} : { orderId }),
  }
  const log = status >= 500 ? Effect.logWarning : isKept ? Effect.logInfo : Effect.logDebug
  return log("request").pipe(Effect.annotateLogs(fields), Effect.provideService(Tracer.ParentSpan, span))
}

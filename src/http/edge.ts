/**
 * What every request passes through, whatever it asks for: it gets its id, its answer carries that id, and nothing
 * comes out but an answer of ours. Must stay true: no failure, defect or unknown route leaves as an empty body.
 */
import { NodeHttpServerRequest } from "@effect/platform-node"
import { type Cause, Context, Effect } from "effect"
import { HttpMiddleware, HttpServerRequest, HttpServerResponse } from "effect/http"
import { IpNetwork } from "effect/net"
import type { ConfigurationValues } from "../platform/Configuration.ts"
import type { Readiness } from "./Readiness.ts"
import { requestIdFrom, RequestId, requestIdHeader } from "./RequestId.ts"
import type { RequestRefusal } from "./problems.ts"
import { problemResponse, respondToCause } from "./respond.ts"

type Application<E, R> = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  E,
  R | HttpServerRequest.HttpServerRequest
>

const hostMissing: RequestRefusal = { code: "malformed", detail: "A request in HTTP/1.1 has to name its Host." }

/** As RFC 9112, 3.2, demands of it. */
const namesItsHost = (request: HttpServerRequest.HttpServerRequest): boolean =>
  request.headers["host"] !== undefined || NodeHttpServerRequest.toIncomingMessage(request).httpVersion === "1.0"

/** While the service drains, each answer asks its connection to close, so that none is kept for another request. */
export const withRequestId =
  (readiness: Readiness["Service"]) =>
  <E, R>(application: Application<E, R>): Application<never, R> =>
    Effect.withFiber((fiber) => {
      const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
      const requestId = requestIdFrom(request.headers[requestIdHeader])
      const named = (response: HttpServerResponse.HttpServerResponse) =>
        readiness.isDraining()
          ? HttpServerResponse.setHeaders(response, { [requestIdHeader]: requestId, connection: "close" })
          : HttpServerResponse.setHeader(response, requestIdHeader, requestId)
      if (!namesItsHost(request)) return Effect.succeed(named(problemResponse(hostMissing, requestId)))
      return Effect.matchCauseEffect(application, {
        onSuccess: (response) => Effect.succeed(named(response)),
        onFailure: (cause: Cause.Cause<E>) => Effect.map(respondToCause(cause), named),
      }).pipe(Effect.provideService(RequestId, requestId))
    })

const exposedHeaders = ["ETag", "Location", "X-Request-Id", "Idempotency-Replayed", "Retry-After"]

const corsMaxAgeSeconds = 600

/** Pages of other origins may call only where the settings name them. */
export const withCors =
  ({ corsOrigins }: Pick<ConfigurationValues, "corsOrigins">) =>
  <E, R>(application: Application<E, R>): Application<E, R> =>
    corsOrigins.length === 0
      ? application
      : HttpMiddleware.cors({
          allowedOrigins: (origin) => corsOrigins.includes("*") || corsOrigins.includes(origin),
          exposedHeaders,
          maxAge: corsMaxAgeSeconds,
        })(application)

/** Callers' own addresses, as far as proxies named in the settings tell them; anybody else's word is not believed. */
export const withTrustedProxies =
  ({ trustedProxies }: Pick<ConfigurationValues, "trustedProxies">) =>
  <E, R>(application: Application<E, R>): Application<E, R> =>
    trustedProxies.length === 0
      ? application
      : HttpMiddleware.xForwardedHeaders({ trustedProxies: trustedProxies.map(networkOf) })(application)

const networkOf = (range: string): IpNetwork.IpNetwork =>
  IpNetwork.fromStringUnsafe(range.includes("/") ? range : `${range}/${range.includes(":") ? 128 : 32}`)

/**
 * Answers a failure: finds what it means in `problems.ts`, names the request, and writes a log line where the fault is
 * ours and only there.
 */
import { Cause, Context, Effect, type Fiber } from "effect"
import { HttpServerError, HttpServerRequest, HttpServerResponse, ProblemDetails } from "effect/http"
import { HttpApiError } from "effect/http-api"
import { SqlError } from "effect/sql"
import { bodySizeMaxBytes } from "../domain/bounds.ts"
import { busy, outcomeUnknown } from "../domain/refusals.ts"
import { interruptibleAtOnce } from "../platform/interruptibleAtOnce.ts"
import { noteOnRequest } from "../platform/tracing/spans.ts"
import { refusalOfCommandError, refusalOfSqlError } from "./failures.ts"
import { type Failure, problemOf, type Refusal, sketchOf } from "./problems.ts"
import { RequestId } from "./RequestId.ts"
import { allowedMethods } from "./routes.ts"
import { fieldErrors } from "./fieldErrors.ts"
import { workMaxMillis } from "./httpBounds.ts"
import { refusalCode } from "./requestSpan.ts"

export const problemResponse = (refusal: Refusal, requestId: string): HttpServerResponse.HttpServerResponse => {
  const sketch = sketchOf(refusal)
  return HttpServerResponse.text(JSON.stringify(problemOf(sketch, requestId)), {
    status: sketch.status,
    contentType: ProblemDetails.contentType,
    ...(sketch.headers === undefined ? {} : { headers: sketch.headers }),
  })
}

const requestOf = (fiber: Fiber.Fiber<unknown, unknown>): HttpServerRequest.HttpServerRequest | undefined =>
  Context.getOrUndefined(fiber.context, HttpServerRequest.HttpServerRequest)

const writes = (request: HttpServerRequest.HttpServerRequest | undefined): boolean =>
  request !== undefined && request.method !== "GET" && request.method !== "HEAD"

/** The answer to a failure of a handler; a handler's own errors never get past it. */
export const respond = (failure: Failure): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.withFiber((fiber) => answer(fiber, failure, writes(requestOf(fiber))))

/** The answer to a failure that came before the request could change anything. */
export const respondBeforeWork = (failure: Failure): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.withFiber((fiber) => answer(fiber, failure, false))

const answer = (fiber: Fiber.Fiber<unknown, unknown>, failure: Failure, mayHaveWritten: boolean) => {
  const refusal = refusalOf(failure, mayHaveWritten)
  return logged(failure, refusal, fiber.getRef(RequestId), refused(fiber, refusal))
}

/** The problem, noted on the request's span by its code. */
const refused = (fiber: Fiber.Fiber<unknown, unknown>, refusal: Refusal): HttpServerResponse.HttpServerResponse => {
  noteOnRequest(fiber, refusalCode, refusal.code)
  return problemResponse(refusal, fiber.getRef(RequestId))
}

/** What a failure means where no response of its own is made of it, as for one order of a batch. */
export const refusalOfFailure = (failure: Failure): Effect.Effect<Refusal> =>
  Effect.withFiber((fiber) => {
    const refusal = refusalOf(failure, true)
    return logged(failure, refusal, fiber.getRef(RequestId), refusal)
  })

const logged = <A>(failure: Failure, refusal: Refusal, requestId: string, result: A): Effect.Effect<A> => {
  if (refusal.code !== "internal" && !SqlError.isSqlError(failure)) return Effect.succeed(result)
  const log = refusal.code === "internal" ? Effect.logError : Effect.logWarning
  return log("A request could not be served", failure).pipe(Effect.annotateLogs({ requestId }), Effect.as(result))
}

/**
 * As `answering`, for work that has no deadline of its own: a database that says nothing keeps no caller for long.
 * A read is left at once; what may write is seen to its end, as long as the driver takes to cancel it.
 */
export const answeringInTime = <A, R>(
  work: Effect.Effect<A, Failure, R>,
): Effect.Effect<A | HttpServerResponse.HttpServerResponse, never, R> =>
  answering(
    Effect.withFiber((fiber) => {
      const mayWrite = writes(requestOf(fiber))
      return Effect.timeoutOrElse(mayWrite ? work : interruptibleAtOnce(work), {
        duration: workMaxMillis,
        orElse: () => Effect.fail(mayWrite ? outcomeUnknown : busy),
      })
    }),
  )

/** Runs a handler's work and answers its failures as problems. */
export const answering = <A, R>(
  work: Effect.Effect<A, Failure, R>,
): Effect.Effect<A | HttpServerResponse.HttpServerResponse, never, R> => work.pipe(Effect.catch(respond))

const refusalOf = (failure: Failure, mayHaveWritten: boolean): Refusal => {
  if (SqlError.isSqlError(failure)) return refusalOfSqlError(failure, mayHaveWritten)
  if (HttpServerError.isHttpServerError(failure)) return refusalOfServerError(failure)
  return "_tag" in failure ? refusalOfCommandError(failure) : failure
}

const refusalOfServerError = (error: HttpServerError.HttpServerError): Refusal => {
  const reason = error.reason
  switch (reason._tag) {
    case "RouteNotFound": {
      const allowed = allowedMethods(reason.request.url)
      // A path that looks right but cannot be decoded is matched by nothing, whatever the method.
      return allowed.length === 0 || allowed.includes(reason.request.method)
        ? { code: "not_found" }
        : { code: "method_not_allowed", allowed }
    }
    case "RequestParseError":
      return reason.reason === "BodyTooLarge"
        ? { code: "too_large", sizeMaxBytes: bodySizeMaxBytes }
        : { code: "malformed", detail: "The request could not be read." }
    case "InternalError":
    case "ResponseError":
      return { code: "internal" }
  }
}

/** HttpApi dies of what it cannot decode; its own answer would be an empty 400. */
const refusalOfSchemaError = (error: HttpApiError.HttpApiSchemaError): Refusal => {
  switch (error.kind) {
    case "Params":
      return { code: "not_found" }
    case "Headers":
      return { code: "idempotency_key_missing" }
    case "Query":
    case "Payload":
      return { code: "invalid", errors: fieldErrors(error.cause.issue) }
    case "Body":
    case "ResponseHeaders":
      return { code: "internal" }
  }
}

/** The answer to everything that got past the handlers: unknown routes, undecodable parts, interruption, defects. */
export const respondToCause = (cause: Cause.Cause<unknown>): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.withFiber((fiber) => {
    const request = requestOf(fiber)
    if (Cause.hasInterruptsOnly(cause)) {
      return Effect.succeed(refused(fiber, writes(request) ? outcomeUnknown : busy))
    }
    const failure = Cause.squash(cause)
    if (HttpServerResponse.isHttpServerResponse(failure)) return Effect.succeed(failure)
    const refusal: Refusal = HttpServerError.isHttpServerError(failure)
      ? refusalOfServerError(failure)
      : HttpApiError.HttpApiSchemaError.is(failure)
        ? refusalOfSchemaError(failure)
        : { code: "internal" }
    const response = refused(fiber, refusal)
    if (refusal.code !== "internal") return Effect.succeed(response)
    return Effect.logError("A request met a defect", cause).pipe(
      Effect.annotateLogs({ method: request?.method ?? "" }),
      Effect.as(response),
    )
  })

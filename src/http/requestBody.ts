/**
 * Reads a JSON body. Must stay true: nothing is read past the limit, nothing is parsed that is not UTF-8 or nests
 * beyond `jsonDepthMax`, and each kind of misfit has its own answer: 415, 413, 400 for what cannot be parsed, 422 with
 * pointers for what does not fit.
 *
 * Tried and lost: HttpApi's own payload decoding. It answers broken JSON and a misfit alike, with an empty 400.
 */
import { ByteSize, Effect, Result, Schema } from "effect"
import { type HttpServerError, HttpIncomingMessage, type HttpServerRequest } from "effect/http"
import { bodySizeMaxBytes, jsonDepthMax } from "../domain/bounds.ts"
import { fieldErrors } from "./fieldErrors.ts"
import type { RequestRefusal } from "./problems.ts"

const utf8 = new TextDecoder("utf-8", { fatal: true })

const mediaType = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i

const malformed = (detail: string): RequestRefusal => ({ code: "malformed", detail })

/** A reader for bodies of one shape; its decoder is compiled once. No body at all reads as `absent`, where it is given. */
export const makeBodyReader = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  sizeMaxBytes = bodySizeMaxBytes,
  absent?: S["Type"],
): ((
  request: HttpServerRequest.HttpServerRequest,
) => Effect.Effect<S["Type"], RequestRefusal | HttpServerError.HttpServerError>) => {
  const decode = makeDecoder(schema)
  const sizeMax = ByteSize.bytes(sizeMaxBytes)
  const tooLarge: RequestRefusal = { code: "too_large", sizeMaxBytes }
  return (request) => {
    const refusal = refusedByHeaders(request, tooLarge)
    if (refusal !== undefined) return Effect.fail(refusal)
    // The server's own limit is in place for every request; only another one has to be provided.
    const read =
      sizeMaxBytes === bodySizeMaxBytes
        ? request.arrayBuffer
        : Effect.provideService(request.arrayBuffer, HttpIncomingMessage.MaxBodySize, sizeMax)
    return read.pipe(
      Effect.mapError((error) => (isTooLarge(error) ? tooLarge : error)),
      Effect.flatMap((bytes) =>
        absent !== undefined && bytes.byteLength === 0
          ? Effect.succeed(absent)
          : Effect.fromResult(Result.flatMap(parseJson(bytes), decode)),
      ),
    )
  }
}

/** A decoder of values that were parsed already, with misfits as pointers below `at`. */
export const makeDecoder = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownResult(schema, { errors: "all" })
  return (input: unknown): Result.Result<S["Type"], RequestRefusal> =>
    Result.mapError(decode(input), (error) => ({ code: "invalid", errors: fieldErrors(error.issue) }))
}

const isTooLarge = (error: HttpServerError.HttpServerError): boolean =>
  error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge"

const refusedByHeaders = (
  request: HttpServerRequest.HttpServerRequest,
  tooLarge: RequestRefusal & { readonly code: "too_large" },
): RequestRefusal | undefined => {
  const headers = request.headers
  const contentType = headers["content-type"]
  const encoding = headers["content-encoding"]
  if (contentType !== undefined && !mediaType.test(contentType)) return { code: "unsupported_media_type" }
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") return { code: "unsupported_media_type" }
  return Number(headers["content-length"] ?? 0) > tooLarge.sizeMaxBytes ? tooLarge : undefined
}

const parseJson = (bytes: ArrayBuffer): Result.Result<unknown, RequestRefusal> => {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    return Result.fail(malformed("The body is not UTF-8."))
  }
  if (text === "") return Result.fail(malformed("The body is empty."))
  if (nestsTooDeep(text)) return Result.fail(malformed(`The body nests deeper than ${jsonDepthMax} levels.`))
  try {
    return Result.succeed(JSON.parse(text))
  } catch {
    return Result.fail(malformed("The body is not JSON."))
  }
}

const quote = 0x22
const backslash = 0x5c

const nestsTooDeep = (text: string): boolean => {
  let depth = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (inString) {
      if (unit === backslash) index++
      else if (unit === quote) inString = false
    } else if (unit === quote) inString = true
    else if (unit === 0x5b || unit === 0x7b) {
      depth++
      if (depth > jsonDepthMax) return true
    } else if (unit === 0x5d || unit === 0x7d) depth--
  }
  return false
}

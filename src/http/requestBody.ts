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
  const readBytes = makeBytesReader(sizeMaxBytes)
  return (request) => {
    const contentType = request.headers["content-type"]
    if (contentType !== undefined && !mediaType.test(contentType)) {
      return Effect.fail({ code: "unsupported_media_type" })
    }
    return Effect.flatMap(readBytes(request), (bytes) =>
      absent !== undefined && bytes.byteLength === 0
        ? Effect.succeed(absent)
        : Effect.fromResult(Result.flatMap(Result.flatMap(decodeUtf8(bytes), parseJson), decode)),
    )
  }
}

/** A reader for bodies of any kind up to this size, not compressed. */
export const makeBytesReader = (
  sizeMaxBytes: number,
): ((
  request: HttpServerRequest.HttpServerRequest,
) => Effect.Effect<ArrayBuffer, RequestRefusal | HttpServerError.HttpServerError>) => {
  const sizeMax = ByteSize.bytes(sizeMaxBytes)
  const tooLarge: RequestRefusal = { code: "too_large", sizeMaxBytes }
  return (request) => {
    const encoding = request.headers["content-encoding"]
    if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
      return Effect.fail({ code: "unsupported_media_type" })
    }
    if (Number(request.headers["content-length"] ?? 0) > sizeMaxBytes) return Effect.fail(tooLarge)
    // The server's own limit is in place for every request; only another one has to be provided.
    const read =
      sizeMaxBytes === bodySizeMaxBytes
        ? request.arrayBuffer
        : Effect.provideService(request.arrayBuffer, HttpIncomingMessage.MaxBodySize, sizeMax)
    return Effect.mapError(read, (error) => (isTooLarge(error) ? tooLarge : error))
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

/** Without the byte order mark, where there is one. */
export const decodeUtf8 = (bytes: ArrayBuffer): Result.Result<string, RequestRefusal> => {
  try {
    return Result.succeed(utf8.decode(bytes))
  } catch {
    return Result.fail(malformed("The body is not UTF-8."))
  }
}

export const parseJson = (text: string): Result.Result<unknown, RequestRefusal> => {
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

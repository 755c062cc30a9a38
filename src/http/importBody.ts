/**
 * Reads the body of an import into rows. Must stay true: nothing is read past the limits; what is not UTF-8 or cannot be
 * taken apart refuses the whole body, what does not fit in one row fails that row alone; and however long the body,
 * nobody else waits for it longer than for a slice of it.
 */
import { Effect, Option, Result } from "effect"
import type { HttpServerError, HttpServerRequest } from "effect/http"
import type { ImportRow } from "../catalogue/productImport.ts"
import { bodySizeMaxBytes, importBodySizeMaxBytes, importRowErrorsMax, importRowsMax } from "../domain/bounds.ts"
import { csvMediaType, ndjsonMediaTypes } from "./contract/productImport.ts"
import { CreateProduct } from "./contract/product.ts"
import { csvInputs, type RowInput, sliceCharacters } from "./importCsv.ts"
import type { RequestRefusal } from "./problems.ts"
import { newProductOf } from "./productView.ts"
import { decodeUtf8, makeBytesReader, makeDecoder, parseJson } from "./requestBody.ts"

type Format = "csv" | "ndjson"

export interface ImportBody {
  readonly format: Format
  readonly bytes: Uint8Array
  readonly rows: ReadonlyArray<ImportRow>
}

/** Rows that are checked before others get their turn, unless they are long: about a millisecond. */
const sliceRows = 50

const mediaType = /^([^\s;]+)\s*(?:;\s*(?:charset="?utf-8"?|header=present)\s*)*$/i
const wrongType: RequestRefusal = {
  code: "unsupported_media_type",
  accepted: `${csvMediaType} or ${ndjsonMediaTypes[0]}`,
}

const formatOf = (request: HttpServerRequest.HttpServerRequest): Format | undefined => {
  const type = mediaType.exec(request.headers["content-type"] ?? "")?.[1]?.toLowerCase()
  if (type === csvMediaType) return "csv"
  return ndjsonMediaTypes.some((known) => known === type) ? "ndjson" : undefined
}

const sized = (message: string): RequestRefusal => ({ code: "invalid", errors: [{ pointer: "", message }] })
const tooManyRows = sized(`must have at most ${importRowsMax} rows`)
const noRows = sized("must have at least one row")

/** One line has the bound of a product's own body; a longer one is not parsed at all. */
const readLine = (line: string): Result.Result<unknown, RequestRefusal> =>
  Buffer.byteLength(line) > bodySizeMaxBytes
    ? Result.fail(sized(`must have at most ${bodySizeMaxBytes} bytes`))
    : parseJson(line)

const ndjsonInputs = (text: string): Result.Result<ReadonlyArray<RowInput>, RequestRefusal> => {
  const linesMax = 2 * importRowsMax
  const lines = text.split("\n", linesMax + 1)
  return lines.length > linesMax
    ? Result.fail(tooManyRows)
    : Result.succeed(
        lines
          .filter((line) => line.trim() !== "")
          .map((line) => ({ characters: line.length, read: () => readLine(line) })),
      )
}

const decodeProduct = makeDecoder(CreateProduct)

const errorsOf = (refusal: RequestRefusal) => {
  if (refusal.code === "invalid") return refusal.errors.slice(0, importRowErrorsMax)
  return [{ pointer: "", message: refusal.code === "malformed" ? "is not JSON" : "cannot be read" }]
}

const rowOf = (input: RowInput): ImportRow =>
  Result.match(Result.flatMap(input.read(), decodeProduct), {
    onSuccess: (product) => ({
      _tag: "Fits",
      merchantId: Option.fromUndefinedOr(product.merchantId),
      product: newProductOf(product),
    }),
    onFailure: (refusal) => ({ _tag: "Misfit", errors: errorsOf(refusal) }),
  })

const rowsOf = Effect.fnUntraced(function* (inputs: ReadonlyArray<RowInput>) {
  const rows: Array<ImportRow> = []
  let characters = 0
  for (const input of inputs) {
    rows.push(rowOf(input))
    characters += input.characters
    if (rows.length % sliceRows !== 0 && characters < sliceCharacters) continue
    characters = 0
    yield* Effect.yieldNow
  }
  return rows
})

const readBytes = makeBytesReader(importBodySizeMaxBytes)

export const readImport = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
): Effect.fn.Return<ImportBody, RequestRefusal | HttpServerError.HttpServerError> {
  const format = formatOf(request)
  if (format === undefined) return yield* Effect.fail(wrongType)
  const bytes = yield* readBytes(request)
  const text = yield* Effect.fromResult(decodeUtf8(bytes))
  const inputs = format === "csv" ? yield* csvInputs(text) : yield* Effect.fromResult(ndjsonInputs(text))
  if (inputs.length === 0) return yield* Effect.fail(noRows)
  if (inputs.length > importRowsMax) return yield* Effect.fail(tooManyRows)
  return { format, bytes: new Uint8Array(bytes), rows: yield* rowsOf(inputs) }
})

/**
 * Takes a merchant's CSV apart into what each row says of its product, under the names of `POST /v1/products`. Must stay
 * true: no column is passed over in silence, and a row of another width than the header fails alone.
 */
import { Effect, Result, Stream } from "effect"
import { Csv } from "effect/encoding"
import { bodySizeMaxBytes, importRowsMax } from "../domain/bounds.ts"
import { importColumns } from "./contract/productImport.ts"
import type { FieldError } from "./fieldErrors.ts"
import type { RequestRefusal } from "./problems.ts"

export interface RowInput {
  /** How much there is to read. */
  readonly characters: number
  /** What the row says, or why it says nothing. */
  readonly read: () => Result.Result<unknown, RequestRefusal>
}

/** Characters that are read before others get their turn: about a millisecond. */
export const sliceCharacters = 64 * 1024

const slices = function* (text: string) {
  for (let start = 0; start < text.length; start += sliceCharacters) yield text.slice(start, start + sliceCharacters)
}

const invalid = (errors: ReadonlyArray<FieldError>): RequestRefusal => ({ code: "invalid", errors })

const refusalOf = ({ kind, line, message }: Csv.CsvError): RequestRefusal => {
  const reason = kind === "RecordSize" ? `A row has more than ${bodySizeMaxBytes} characters` : message
  return { code: "malformed", detail: `The CSV cannot be read from line ${line} on: ${reason}.` }
}

/** The rows with the header in front, at most one more than there may be. Blank lines are passed over. */
const recordsOf = (text: string): Effect.Effect<ReadonlyArray<Csv.Row>, RequestRefusal> =>
  Stream.fromIterable(slices(text), { chunkSize: 1 }).pipe(
    Stream.tap(() => Effect.yieldNow),
    Stream.pipeThroughChannel(Csv.decodeString({ maxRecordSize: bodySizeMaxBytes, ignoreEmptyLines: true })),
    Stream.take(importRowsMax + 2),
    Stream.runCollect,
    Effect.mapError(refusalOf),
  )

type Place = (typeof importColumns)[string]

const nameOf = (place: Place): string => place.join("/")
const required = ["name", "price/amount", "price/currency", "stock"]
const columnNames = Object.keys(importColumns).join(", ")

const columnsOf = (header: Csv.Row): Result.Result<ReadonlyArray<Place>, RequestRefusal> => {
  const seen = new Set<string>()
  const places: Array<Place> = []
  const errors: Array<FieldError> = []
  for (const [index, cell] of header.entries()) {
    const name = cell.trim()
    const place = Object.hasOwn(importColumns, name) ? importColumns[name] : undefined
    if (place === undefined) errors.push({ pointer: `/header/${index}`, message: `must be one of ${columnNames}` })
    else if (seen.has(nameOf(place))) errors.push({ pointer: `/header/${index}`, message: "is there twice" })
    else {
      seen.add(nameOf(place))
      places.push(place)
    }
    if (errors.length === 20) break
  }
  const missing = required.filter((name) => !seen.has(name))
  if (errors.length === 0) {
    errors.push(...missing.map((name) => ({ pointer: "/header", message: `must have a column for ${name}` })))
  }
  return errors.length === 0 ? Result.succeed(places) : Result.fail(invalid(errors))
}

const numbers = new Set(["price/amount", "stock", "limitPerCustomer", "reservationTtlSeconds"])
const truths = new Set(["paused", "waitlist"])

/** As JSON would have it; what is no number or truth stays text, for the product's own check to refuse. */
const valueOf = (name: string, cell: string): unknown => {
  if (numbers.has(name) && /^\s*-?\d{1,16}(\.\d{1,16})?\s*$/.test(cell)) return Number(cell)
  if (truths.has(name) && /^\s*(true|false)\s*$/i.test(cell)) return cell.trim().toLowerCase() === "true"
  return cell
}

const productOf = (places: ReadonlyArray<Place>, row: Csv.Row): Result.Result<unknown, RequestRefusal> => {
  if (row.length !== places.length) {
    const message = `has ${row.length} cells where the header has ${places.length}`
    return Result.fail(invalid([{ pointer: "", message }]))
  }
  const product: Record<string, unknown> = {}
  const price: Record<string, unknown> = {}
  for (const [index, [field, inner]] of places.entries()) {
    const cell = row[index] ?? ""
    if (cell === "") continue
    if (inner === undefined) product[field] = valueOf(field, cell)
    else price[inner] = valueOf(`${field}/${inner}`, cell)
  }
  return Result.succeed({ ...product, price })
}

export const csvInputs = Effect.fnUntraced(function* (
  text: string,
): Effect.fn.Return<ReadonlyArray<RowInput>, RequestRefusal> {
  const [header = [], ...rows] = yield* recordsOf(text)
  const places = yield* Effect.fromResult(columnsOf(header))
  return rows.map((row) => ({
    characters: row.reduce((sum, cell) => sum + cell.length, 0),
    read: () => productOf(places, row),
  }))
})

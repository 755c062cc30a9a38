/**
 * What can be wrong with one field of a request that is right otherwise. Must stay true: nothing here judges; whether a
 * flawed value still fits is asked of the document's schema afterwards.
 */
import * as fc from "fast-check"
import type { Contract } from "./contract.ts"

/** JSON as text, since much of it has no value in JavaScript. */
export type JsonText = string

export type FieldFlaw =
  | { readonly kind: "replaced"; readonly at: number; readonly by: JsonText }
  | { readonly kind: "missing"; readonly at: number }
  | { readonly kind: "added"; readonly at: number; readonly name: string; readonly value: JsonText }
  /** The first item of a list so many times. */
  | { readonly kind: "repeated"; readonly at: number; readonly times: number }

const nested = (depth: number): JsonText => "[".repeat(depth) + "]".repeat(depth)

const words = (text: string): ReadonlyArray<string> => text.trim().split(/\s+/)

const oddValues = words("null true false [] {} 0 -0 -1 1.5 1e2 0.1e1 [null] [[]]")
const oddNumbers = words(`
  1e308 1e400 -1e400 1e-400 NaN Infinity -Infinity undefined 0x10 01 1_000 9007199254740993 9223372036854775808
  18446744073709551616 ${"1".repeat(400)}`)
const oddTexts = words(String.raw`
  "" "1" "true" "null" "1e3" "\u0020" "\u0000" "a\u0000b" "\ud800" "\udc00x" "\u001b[31m" "\u0085" "\u2028" "\ufeff"
  "\u202egnp" "e\u0301" "İ" "\ufdfa" "€€€" "EUr" "{id}" "%s%n%x" "\u0027;--" "../../etc/passwd" "<script>alert(1)</script>"
  "a@b@c" "@" "http://" "https://[::1" "javascript:alert(1)" "https://x/\u0000"
  "2026-02-30T00:00:00Z" "9999-12-31T23:59:59-23:59" "0000-01-01T00:00:00+23:59"
  "00000000-0000-0000-0000-000000000000" "FFFFFFFF-FFFF-7FFF-BFFF-FFFFFFFFFFFF"`)
const oddObjects = words(`
  {"__proto__":{"isAdmin":true}} {"constructor":{"prototype":{"x":1}}} {"length":1e9} {"0":1,"length":1} {"toJSON":1}
  {"then":1} {"valueOf":null,"toString":null} {"a":1,"a":2}`)

const oddJson: ReadonlyArray<JsonText> = [
  ...oddValues,
  ...oddNumbers,
  ...oddTexts,
  ...oddObjects,
  ...[20, 31, 33, 4_000].map(nested),
  `"'; drop table accounts; --"`,
  '"#{7*7}"',
  JSON.stringify("\u{1f600}".repeat(201)),
]

const addedNames = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "",
  "\u0000",
  "id",
  "status",
  "role",
  "isAdmin",
]

const boundKeywords = new Set(["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"])

/** Every bound that the document names, with its neighbours. */
const boundsOf = (value: unknown): ReadonlySet<number> => {
  const bounds = new Set<number>()
  const look = (inner: unknown): void => {
    if (typeof inner !== "object" || inner === null) return
    for (const [name, at] of Object.entries(inner)) {
      if (typeof at === "number" && boundKeywords.has(name)) for (const by of [-1, 0, 1]) bounds.add(at + by)
      look(at)
    }
  }
  look(value)
  return bounds
}

const lengthMax = 70_000

export const fieldFlaws = ({ operations, schemas }: Contract): fc.Arbitrary<FieldFlaw> => {
  const numbers = [...boundsOf([schemas, operations])]
  const lengths = numbers.filter((number) => number > 0 && number < lengthMax)
  const at = fc.nat({ max: 1_000 })
  const odd = fc.constantFrom(...oddJson)
  const by = fc.oneof(
    { weight: 3, arbitrary: odd },
    { weight: 2, arbitrary: fc.constantFrom(...numbers).map(String) },
    { weight: 1, arbitrary: fc.constantFrom(...lengths).map((length) => JSON.stringify("x".repeat(length))) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)) },
  )
  const replaced: fc.Arbitrary<FieldFlaw> = fc.record({ kind: fc.constant("replaced"), at, by })
  const missing: fc.Arbitrary<FieldFlaw> = fc.record({ kind: fc.constant("missing"), at })
  const added: fc.Arbitrary<FieldFlaw> = fc.record({
    kind: fc.constant("added"),
    at,
    name: fc.constantFrom(...addedNames),
    value: odd,
  })
  const repeated: fc.Arbitrary<FieldFlaw> = fc.record({
    kind: fc.constant("repeated"),
    at,
    times: fc.constantFrom(...lengths.filter((length) => length <= 600)),
  })
  return fc.oneof(
    { weight: 6, arbitrary: replaced },
    { weight: 2, arbitrary: missing },
    { weight: 1, arbitrary: added },
    { weight: 1, arbitrary: repeated },
  )
}

type Container = Array<unknown> | Record<string, unknown>
interface Place {
  readonly container: Container
  readonly key: string
}

const isContainer = (value: unknown): value is Container => typeof value === "object" && value !== null

const placesIn = (container: Container): ReadonlyArray<Place> =>
  Object.keys(container).flatMap((key) => {
    const inner: unknown = Reflect.get(container, key)
    return [{ container, key }, ...(isContainer(inner) ? placesIn(inner) : [])]
  })

const put = (container: Container, key: string, value: unknown): void => {
  // Not an assignment, which "__proto__" would turn into another prototype.
  Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true })
}

const raw = (text: JsonText): string => `\u0001${text}\u0001`

/** The value as JSON with this flaw in one of its fields; the value itself, where it has none, is the field. */
export const flawedJson = (value: unknown, flaw: FieldFlaw): JsonText => {
  const root: Record<string, unknown> = { root: structuredClone(value) }
  const places = placesIn(root)
  const nth = <A>(from: ReadonlyArray<A>): A | undefined => from[flaw.at % Math.max(1, from.length)]
  const place = nth(places.length > 1 ? places.slice(1) : places)
  const raws: Array<JsonText> = []
  const keep = (text: JsonText): string => raw(String(raws.push(text) - 1))
  switch (flaw.kind) {
    case "replaced":
      if (place !== undefined) put(place.container, place.key, keep(flaw.by))
      break
    case "missing":
      if (Array.isArray(place?.container)) place.container.splice(Number(place.key), 1)
      else if (place !== undefined) Reflect.deleteProperty(place.container, place.key)
      break
    case "added": {
      const objects = places.map(({ container, key }): unknown => Reflect.get(container, key)).filter(isContainer)
      const target = nth(objects.filter((inner) => !Array.isArray(inner)))
      if (target !== undefined) put(target, flaw.name, keep(flaw.value))
      break
    }
    case "repeated": {
      const lists = places.map(({ container, key }): unknown => Reflect.get(container, key)).filter(Array.isArray)
      const list = nth(lists)
      if (list !== undefined) list.splice(0, list.length, ...Array.from({ length: flaw.times }, () => list[0] ?? null))
      break
    }
  }
  const text = JSON.stringify(root["root"]) ?? ""
  return text.replaceAll(/"\\u0001(\d+)\\u0001"/g, (_, index: string) => raws[Number(index)] ?? "")
}

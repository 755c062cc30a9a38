/**
 * One step of a sequence: an operation of the document with values that fit it, who calls, and at most one thing that is
 * wrong with it. A step becomes a request only in a world, which says what its ids, keys and tags are.
 */
import * as fc from "fast-check"
import { type WireBreakage, wireBreakages } from "./brokenBytes.ts"
import { type Breakage, breakages } from "./brokenRequests.ts"
import { type Contract, kindOfParameter, type Operation, type Parameter } from "./contract.ts"
import { type FieldFlaw, fieldFlaws, flawedJson } from "./flaws.ts"
import type { Request } from "./request.ts"
import { makeValuesOf } from "./values.ts"
import type { Role, World } from "./world.ts"

export type Flaw =
  | { readonly on: "field"; readonly flaw: FieldFlaw }
  /** Without a text it is left out. */
  | { readonly on: "parameter"; readonly at: number; readonly text: string | undefined }
  | { readonly on: "request"; readonly breakage: Breakage }
  | { readonly on: "wire"; readonly breakage: WireBreakage }

export interface Step {
  readonly operation: Operation
  readonly role: Role
  readonly parameters: Readonly<Record<string, unknown>>
  readonly body: { readonly type: string; readonly value: unknown } | undefined
  readonly flaw: Flaw | undefined
  /** How often it is sent again: by a client that did not hear the answer, or by one that does not stop. */
  readonly repeats: number
}

const rowsMax = 6
/** More than an account may apply for merchants, fail to sign in, or (in this test) order in a second. */
const repeatsMax = 25
const isRowed = (type: string): boolean => type !== "application/json"

const roles: ReadonlyArray<readonly [role: Role, weight: number]> = [
  ["customer", 5],
  ["merchant", 5],
  ["admin", 2],
  ["otherCustomer", 1],
  ["anyone", 1],
]
const forWhomWeight = 14

/** Rows of a body that has one product a line: what fits the body of a product's own request. */
const rowSchema = { $ref: "#/components/schemas/CreateProduct" }

/** Texts that mean something to somebody, and such as mean nothing; none looks like a leak where it is shown again. */
const oddTexts = [
  "",
  " ",
  "0",
  "-1",
  "101",
  "1.5",
  "null",
  "[]",
  "true",
  "\u{1f600}",
  "\ud800",
  "%",
  "' or 1=1 --",
].concat([
  "00000000-0000-0000-0000-000000000000",
  "FFFFFFFF-FFFF-7FFF-BFFF-FFFFFFFFFFFF",
  "x".repeat(201),
  "x".repeat(4_000),
  "__proto__",
  "a\tb",
])

export const steps = (contract: Contract): fc.Arbitrary<Step> => {
  const valuesOf = makeValuesOf(contract)
  const rows = fc.array(valuesOf(rowSchema), { minLength: 1, maxLength: rowsMax })

  const parameterOf = ({ name, required, schema }: Parameter) =>
    required
      ? valuesOf(schema)
      : fc.oneof({ weight: name === "X-Request-Id" ? 9 : 2, arbitrary: fc.constant(undefined) }, valuesOf(schema))

  const bodyOf = ({ bodies, bodyRequired }: Operation): fc.Arbitrary<Step["body"]> => {
    if (bodies.length === 0) return fc.constant(undefined)
    const body = fc.oneof(
      ...bodies.map(([type, schema]) =>
        fc.record({ type: fc.constant(type), value: isRowed(type) ? rows : valuesOf(schema) }),
      ),
    )
    return bodyRequired ? body : fc.oneof(fc.constant(undefined), body)
  }

  const roleOf = ({ isFor }: Operation): fc.Arbitrary<Role> =>
    fc.oneof(
      ...roles.map(([role, weight]) => ({
        weight: role === isFor ? weight + forWhomWeight : weight,
        arbitrary: fc.constant(role),
      })),
    )

  const repeats = fc.oneof(
    { weight: 30, arbitrary: fc.constant(0) },
    { weight: 15, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.constant(repeatsMax) },
  )

  const flaw: fc.Arbitrary<Flaw> = fc.oneof(
    { weight: 5, arbitrary: fc.record({ on: fc.constant("field" as const), flaw: fieldFlaws(contract) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        on: fc.constant("parameter" as const),
        at: fc.nat(20),
        text: fc.oneof(fc.constant(undefined), fc.constantFrom(...oddTexts)),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        on: fc.constant("request" as const),
        breakage: fc.oneof(...breakages.map((group) => fc.constantFrom(...group))),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ on: fc.constant("wire" as const), breakage: fc.constantFrom(...wireBreakages) }),
    },
  )

  const stepOf = (operation: Operation): fc.Arbitrary<Step> =>
    fc.record({
      operation: fc.constant(operation),
      role: roleOf(operation),
      parameters: fc.record(
        Object.fromEntries(operation.parameters.map((parameter) => [parameter.name, parameterOf(parameter)])),
      ),
      body: bodyOf(operation),
      flaw: fc.oneof(fc.constant(undefined), flaw),
      repeats: operation.method === "GET" ? fc.constant(0) : repeats,
    })

  return fc.oneof(...contract.operations.map(stepOf))
}

const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)

const flat = (row: unknown): ReadonlyMap<string, string> => {
  const cells = new Map<string, string>()
  const look = (value: unknown, name: string): void => {
    if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) look(inner, name === "" ? key : `${name}.${key}`)
    } else if (value !== null && value !== undefined) cells.set(name, String(value))
  }
  look(row, "")
  return cells
}

const csvColumns = [
  "name",
  "description",
  "price.amount",
  "price.currency",
  "stock",
  "merchantId",
  "limitPerCustomer",
].concat(["saleStartsAt", "paused", "waitlist", "stockGroup", "imageUrl"])

const csvOf = (rows: ReadonlyArray<unknown>): string =>
  [csvColumns, ...rows.map((row) => csvColumns.map((column) => quoted(flat(row).get(column) ?? "")))]
    .map((cells) => cells.join(","))
    .join("\r\n")

const bodyText = (type: string, value: unknown, flaw: FieldFlaw | undefined): string => {
  if (!isRowed(type)) return flaw === undefined ? JSON.stringify(value) : flawedJson(value, flaw)
  const rows = Array.isArray(value) ? value : []
  if (type === "text/csv") return csvOf(rows)
  const [first, ...rest] = rows
  return [
    flaw === undefined ? JSON.stringify(first) : flawedJson(first, flaw),
    ...rest.map((row) => JSON.stringify(row)),
  ].join("\n")
}

const inHeader = (text: string): string => text.toWellFormed().replaceAll(/[\r\n\0]|^[ \t]+|[ \t]+$/g, "")

export interface Draft {
  readonly request: Request
  /** The parameters as texts, to be held against the document. */
  readonly sent: ReadonlyMap<string, string>
}

/** The step's request in this world, with its flaw where that is on a field or a parameter. */
export const draftOf = (step: Step, world: World): Draft => {
  const { body, flaw, operation, role } = step
  const sent = new Map<string, string>()
  const named = operation.parameters.filter(({ name }) => step.parameters[name] !== undefined)
  for (const { in: place, name } of named) {
    const kind = place === "path" ? kindOfParameter(operation, name) : operation.kind
    sent.set(name, world.settledText(String(step.parameters[name]), name, kind))
  }
  const target = () => {
    const path = operation.path.replaceAll(/\{([^}]+)\}/g, (_, name: string) =>
      encodeURIComponent(sent.get(name) ?? ""),
    )
    const query = operation.parameters
      .filter((parameter) => parameter.in === "query" && sent.has(parameter.name))
      .map(({ name }) => `${name}=${encodeURIComponent(sent.get(name) ?? "")}`)
    return query.length === 0 ? path : `${path}?${query.join("&")}`
  }
  for (const tag of ["if-match", "if-none-match"]) {
    const text = sent.get(tag)
    if (text !== undefined) sent.set(tag, world.settledTag(text, target()))
  }
  if (flaw?.on === "parameter") {
    const flawed = operation.parameters[flaw.at % operation.parameters.length]
    if (flawed !== undefined && flaw.text !== undefined) sent.set(flawed.name, flaw.text)
    else if (flawed?.in !== "path") sent.delete(flawed?.name ?? "")
  }
  // No lone surrogate gets into a URL, and white space around a header's value is no part of it.
  for (const { in: place, name } of operation.parameters) {
    const text = sent.get(name)
    if (text !== undefined) sent.set(name, place === "header" ? inHeader(text) : text.toWellFormed())
  }
  const headers = operation.parameters
    .filter((parameter) => parameter.in === "header" && sent.has(parameter.name))
    .map(({ name }) => [name, sent.get(name) ?? ""] as const)
  const token = operation.needsToken ? world.tokenOf(role) : undefined
  const text =
    body === undefined
      ? undefined
      : bodyText(body.type, world.settled(body.value, "", operation.kind), flaw?.on === "field" ? flaw.flaw : undefined)
  return {
    sent,
    request: {
      method: operation.method,
      target: target(),
      headers: [
        ...(token === undefined ? [] : [["authorization", `Bearer ${token}`] as const]),
        ["x-forwarded-for", world.address],
        ...(body === undefined ? [] : [["content-type", body.type] as const]),
        ...headers,
      ],
      ...(text === undefined ? {} : { body: Buffer.from(text, "utf8") }),
    },
  }
}

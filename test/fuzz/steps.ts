/**
 * One step of a sequence: an operation of the document with values that fit it, who calls, and at most one thing that is
 * wrong with it. A step becomes a request only in a world, which says what its ids, keys and tags are.
 */
import * as fc from "fast-check"
import { type WireBreakage, wireBreakages } from "./brokenBytes.ts"
import { type Breakage, breakages } from "./brokenRequests.ts"
import type { Contract, Operation, Parameter } from "./contract.ts"
import { isRowed } from "./bodyText.ts"
import { type FieldFlaw, fieldFlaws } from "./flaws.ts"
import { makeValuesOf } from "./values.ts"
import type { Role } from "./world.ts"

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

/**
 * The served OpenAPI document as the fuzzer reads it: its operations, what each takes, and each answer it may give.
 * Must stay true: nothing here knows an operation by name, so one that is added to the contract is fuzzed from then on.
 */
import { Schema } from "effect"

const JsonSchema = Schema.Record(Schema.String, Schema.Unknown)
export type JsonSchema = typeof JsonSchema.Type

const Parameter = Schema.Struct({
  name: Schema.String,
  in: Schema.Literals(["path", "query", "header"]),
  required: Schema.Boolean,
  schema: JsonSchema,
})
export type Parameter = typeof Parameter.Type

const Content = Schema.Record(Schema.String, Schema.Struct({ schema: JsonSchema }))

const Header = Schema.Struct({ schema: JsonSchema, required: Schema.optionalKey(Schema.Boolean) })

const DocumentedAnswer = Schema.Struct({
  description: Schema.String,
  content: Schema.optionalKey(Content),
  headers: Schema.Record(Schema.String, Header),
})
export type DocumentedAnswer = typeof DocumentedAnswer.Type

const DocumentedOperation = Schema.Struct({
  operationId: Schema.String,
  summary: Schema.optionalKey(Schema.String),
  parameters: Schema.Array(Parameter),
  requestBody: Schema.optionalKey(Schema.Struct({ content: Content, required: Schema.Boolean })),
  responses: Schema.Record(Schema.String, DocumentedAnswer),
  security: Schema.Array(Schema.Unknown),
})

const Document = Schema.Struct({
  paths: Schema.Record(Schema.String, Schema.Record(Schema.String, DocumentedOperation)),
  components: Schema.Struct({ schemas: Schema.Record(Schema.String, JsonSchema) }),
})

export interface Operation {
  readonly id: string
  readonly method: string
  /** As the document writes it, with its parameters in braces. */
  readonly path: string
  readonly needsToken: boolean
  /** Who it is for, where its summary says so in brackets. */
  readonly isFor: string | undefined
  readonly parameters: ReadonlyArray<Parameter>
  readonly bodies: ReadonlyArray<readonly [contentType: string, schema: JsonSchema]>
  readonly bodyRequired: boolean
  readonly answers: ReadonlyMap<number, DocumentedAnswer>
  /** What the ids of its own answers and pages name, such as "product". */
  readonly kind: string
}

export interface Contract {
  readonly operations: ReadonlyArray<Operation>
  readonly schemas: Readonly<Record<string, JsonSchema>>
  /** What a request with this method and path asks for. */
  readonly operationOf: (method: string, path: string) => Operation | undefined
  readonly methodsOf: (path: string) => ReadonlyArray<string>
}

/** An API key is named by `keyId`. */
const singular = (segment: string): string => segment.replace(/ies$/, "y").replace(/s$/, "").replace(/^api-/, "")

/** What a path parameter names: by its own name, or for a mere "id" by the segment before it. */
export const kindOfParameter = (operation: Operation, name: string): string => {
  if (name !== "id") return name.replace(/Id$/, "")
  const segments = operation.path.split("/")
  return singular(segments[segments.indexOf("{id}") - 1] ?? "")
}

const kindOfPath = (path: string): string =>
  singular(path.split("/").findLast((segment) => segment !== "" && !segment.startsWith("{")) ?? "")

/** As the router reads it, to which a parameter may be empty. */
const patternOf = (path: string): RegExp =>
  new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{[^}]+\}/g, "[^/]*")}$`)

export const readContract = (document: unknown): Contract => {
  const { components, paths } = Schema.decodeUnknownSync(Document)(document)
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, documented]): Operation => {
      const { operationId, parameters, requestBody, responses, security, summary = "" } = documented
      return {
        id: operationId,
        method: method.toUpperCase(),
        path,
        needsToken: security.length > 0,
        isFor: /\((\w+)\)$/.exec(summary)?.[1],
        parameters,
        bodies: Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) => [type, schema]),
        bodyRequired: requestBody?.required ?? false,
        answers: new Map(Object.entries(responses).map(([status, answer]) => [Number(status), answer])),
        kind: kindOfPath(path),
      }
    }),
  )
  const routes = operations
    .map((operation) => ({ operation, pattern: patternOf(operation.path) }))
    // A segment that is spelt out wins over one that is a parameter.
    .sort((left, right) => left.operation.path.split("{").length - right.operation.path.split("{").length)
  const matching = (path: string) => routes.filter(({ pattern }) => pattern.test(path)).map((route) => route.operation)
  return {
    operations,
    schemas: components.schemas,
    operationOf: (method, path) => matching(path).find((operation) => operation.method === method),
    methodsOf: (path) => matching(path).map((operation) => operation.method),
  }
}

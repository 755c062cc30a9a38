/**
 * Finishes the OpenAPI document that is derived from the contract: says once what holds for every answer (the problem
 * schema, the request's id, when to come back) and gives query parameters the types they have.
 */
import { Predicate } from "effect"
import { pageSizeDefault, pageSizeMax } from "../../domain/bounds.ts"

type Json = Record<string, unknown>

const text = { schema: { type: "string" } }

const requestIdHeader = { ...text, description: "The request's id, the caller's own where it sent a sane one." }
const retryAfterHeader = { schema: { type: "integer" }, description: "Seconds to wait before trying again." }

const requestIdParameter = {
  name: "X-Request-Id",
  in: "header",
  required: false,
  schema: { type: "string", pattern: "^[\\w.:-]{1,128}$" },
  description: "An id of the caller's own, used in the answer and in the log.",
}

const limitSchema = { type: "integer", minimum: 1, maximum: pageSizeMax, default: pageSizeDefault }

const problemReference = { $ref: "#/components/schemas/Problem" }
const problemCopy = /^Problem_\d+$/

/** Every status declares its own copy of the one problem schema; the document needs it once. */
const tidied = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(tidied)
  if (!Predicate.isObject(value)) return value
  const entries = Object.entries(value)
  if (typeof value["$ref"] === "string" && problemCopy.test(value["$ref"].split("/").at(-1) ?? "")) {
    return problemReference
  }
  const choices = value["anyOf"]
  if (entries.length === 1 && Array.isArray(choices)) {
    const merged = choices.map(tidied)
    if (merged.every((choice) => JSON.stringify(choice) === JSON.stringify(problemReference))) return problemReference
  }
  // Fields beyond the declared ones are not read, which is not the same as refused.
  const told = entries.filter(([key, inner]) => key !== "additionalProperties" || inner !== false)
  return Object.fromEntries(told.map(([key, inner]) => [key, tidied(inner)]))
}

const record = (value: unknown): Json => (Predicate.isObject(value) ? { ...value } : {})

const mapValues = (value: unknown, change: (inner: Json, key: string) => Json): Json =>
  Object.fromEntries(Object.entries(record(value)).map(([key, inner]) => [key, change(record(inner), key)]))

/** What an endpoint and the middleware before it refuse with one status, each code once. */
const codesOnce = (description: unknown): string => [...new Set(String(description).split(/, | \| /))].join(", ")

const answer = (response: Json, status: string): Json => ({
  ...response,
  ...(Number(status) < 400 ? {} : { description: codesOnce(response["description"]) }),
  headers: {
    ...record(response["headers"]),
    "X-Request-Id": requestIdHeader,
    ...(status === "429" || status === "503" ? { "Retry-After": retryAfterHeader } : {}),
  },
})

/** Leaving one out has an answer of its own, which needs it to be optional where the request is decoded. */
const requiredHeaders = new Set<unknown>(["if-match", "webhook-id", "webhook-timestamp", "webhook-signature"])
const isRequired = (parameter: Json): boolean => requiredHeaders.has(parameter["name"])

const parameters = (declared: unknown): ReadonlyArray<Json> => [
  ...(Array.isArray(declared) ? declared : [])
    .map(record)
    .map((parameter) => (parameter["name"] === "limit" ? { ...parameter, schema: limitSchema } : parameter))
    .map((parameter) => (isRequired(parameter) ? { ...parameter, required: true } : parameter)),
  requestIdParameter,
]

const securitySchemes = { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } }

/** Whoever can be told to sign in has to. */
const needsToken = (declared: Json): boolean =>
  String(record(record(declared["responses"])["401"])["description"]).includes("unauthenticated")

const operation = (declared: Json): Json => ({
  ...declared,
  ...(needsToken(declared) ? { security: [{ bearer: [] }] } : {}),
  parameters: parameters(declared["parameters"]),
  responses: mapValues(declared["responses"], answer),
})

export const finishOpenApi = (document: Json): Json => {
  const components = record(document["components"])
  const schemas = Object.fromEntries(
    Object.entries(record(components["schemas"])).filter(([name]) => !problemCopy.test(name)),
  )
  return record(
    tidied({
      ...document,
      paths: mapValues(document["paths"], (path) => mapValues(path, operation)),
      components: { ...components, schemas, securitySchemes },
    }),
  )
}

/**
 * Holds an answer against the document: status, content type, body, headers and codes are those of the operation that
 * the request asked for; no 5xx but a 503; nothing leaks. It says what is wrong in sentences, none where all is right.
 *
 * Must stay true: an answer may hold nothing that the document does not name, so that a new field is documented and an
 * internal one is seen.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import formats from "ajv-formats"
import { bodySizeMaxBytes, jsonDepthMax } from "../../src/domain/bounds.ts"
import type { Answer } from "./client.ts"
import type { Contract, DocumentedAnswer, JsonSchema, Operation } from "./contract.ts"
import { leaksIn } from "./leaks.ts"
import { headersNamed, pathOf, type Request } from "./request.ts"

const documentName = "openapi"
const problemType = "application/problem+json"
const problemReference = { $ref: "#/components/schemas/Problem" }
/** Documented for every path in words only: whatever the operation, its method or its bytes may be wrong. */
const anywhere = new Set([404, 405])
const brokenAnywhere = new Set([400, 404, 405, 408, 413, 417, 431])
const undocumentedPaths = new Set(["/openapi.json", "/docs"])

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The schema with every object closed. */
const closed = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(closed)
  if (!isRecord(schema)) return schema
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]))
  return isRecord(schema["properties"]) ? { ...inner, additionalProperties: false } : inner
}

/** What a batch answers: each part has a status of its own. */
const refusesPart = (body: unknown): boolean =>
  isRecord(body) &&
  Array.isArray(body["results"]) &&
  body["results"].some((result) => isRecord(result) && Number(result["status"]) >= 400)

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

const requestIds = /^[\w.:-]{1,128}$/

export interface Judged {
  readonly request: Request
  readonly answer: Answer
  /** Whether something was done to it that no field explains, and so more answers are right. */
  readonly isBroken: boolean
  /** Whether its bytes are not even those of the request. */
  readonly isRaw: boolean
  /** Whether the document says that this request fits. */
  readonly fits: boolean | undefined
}

export const makeJudge = (contract: Contract, secrets: ReadonlyArray<string>) => {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  formats.default(ajv)
  const compiled = new Map<string, ValidateFunction>()
  ajv.addSchema({ $id: documentName, components: { schemas: contract.schemas } })
  ajv.addSchema({ $id: `${documentName}-answers`, components: { schemas: closed(contract.schemas) } })

  const validatorOf = (schema: JsonSchema, ofAnswer: boolean): ValidateFunction => {
    const text = JSON.stringify(ofAnswer ? closed(schema) : schema)
    const name = ofAnswer ? `${documentName}-answers` : documentName
    const known = compiled.get(`${name} ${text}`)
    if (known !== undefined) return known
    const validator = ajv.compile(JSON.parse(text.replaceAll("#/components", `${name}#/components`)))
    compiled.set(`${name} ${text}`, validator)
    return validator
  }

  const misfits = (schema: JsonSchema, value: unknown, what: string): ReadonlyArray<string> => {
    const validate = validatorOf(schema, true)
    if (validate(value)) return []
    return [`${what} does not fit its schema: ${ajv.errorsText(validate.errors, { dataVar: what })}`]
  }

  const problemFaults = ({ headers, status }: Answer, body: unknown): ReadonlyArray<string> => {
    if (!isRecord(body)) return [`a problem with status ${status} is not an object`]
    const faults = [...misfits(problemReference, body, "the problem")]
    if (body["status"] !== status) faults.push(`the problem says ${String(body["status"])} in an answer with ${status}`)
    if (body["type"] !== `urn:hedonify:problem:${String(body["code"])}`)
      faults.push("the problem's type is not of its code")
    if (body["requestId"] !== headers.get("x-request-id")?.[0])
      faults.push("the problem names another request than its header")
    for (const name of ["title", "detail"]) if (body[name] === "") faults.push(`the problem's ${name} is empty`)
    const [retryAfter] = headers.get("retry-after") ?? []
    if ((status === 429 || status === 503) !== (retryAfter !== undefined))
      faults.push("Retry-After belongs to 429 and 503")
    if (retryAfter !== undefined && !/^[1-9]\d*$/.test(retryAfter)) faults.push(`Retry-After is ${retryAfter}`)
    if (status === 405 && !headers.has("allow")) faults.push("a 405 does not say what is allowed")
    if (status === 401 && body["code"] === "unauthenticated" && !headers.has("www-authenticate"))
      faults.push("a 401 does not say how to sign in")
    return faults
  }

  const headerFaults = (documented: DocumentedAnswer, { headers }: Answer): ReadonlyArray<string> =>
    Object.entries(documented.headers).flatMap(([name, { required = false, schema }]) => {
      const values = headers.get(name.toLowerCase()) ?? []
      if (values.length > 1) return [`${name} is there ${values.length} times`]
      const [value] = values
      if (value === undefined) return required || /^x-request-id$/i.test(name) ? [`${name} is missing`] : []
      const typed = schema["type"] === "integer" ? Number(value) : value
      return validatorOf(schema, true)(typed) ? [] : [`${name} is ${value}`]
    })

  const codesOf = (documented: DocumentedAnswer): ReadonlyArray<string> => documented.description.split(", ")

  const documentedFaults = (documented: DocumentedAnswer, answer: Answer, body: unknown): ReadonlyArray<string> => {
    const { headers, status } = answer
    const faults = [...headerFaults(documented, answer)]
    const [type = ""] = (headers.get("content-type")?.[0] ?? "").split(";")
    if (documented.content === undefined) {
      if (answer.text !== "") faults.push(`an answer with ${status} has a body`)
      return faults
    }
    const schema = documented.content[type]?.schema
    if (schema === undefined) return [...faults, `its content type is ${type === "" ? "missing" : type}`]
    if (!answer.hasBody) return faults
    if (type !== problemType) return [...faults, ...misfits(schema, body, "the answer")]
    const code = isRecord(body) ? String(body["code"]) : ""
    if (!codesOf(documented).includes(code)) faults.push(`${status} is not documented with the code ${code}`)
    return faults
  }

  const parsed = ({ headers, text }: Answer): unknown => {
    if (!/json/.test(headers.get("content-type")?.[0] ?? "")) return undefined
    try {
      return JSON.parse(text)
    } catch {
      return undefined
    }
  }

  const faultsOf = ({ answer, fits, isBroken, isRaw, request }: Judged): ReadonlyArray<string> => {
    const { headers, status } = answer
    const path = pathOf(request)
    const operation = contract.operationOf(request.method === "HEAD" ? "GET" : request.method, path)
    const body = parsed(answer)
    const faults: Array<string> = []
    if (status >= 500 && status !== 503) faults.push(`it is answered with ${status}`)
    const requestId = headers.get("x-request-id")
    if (requestId?.length !== 1) faults.push("it has no request id of its own")
    const asked = headersNamed(request, "x-request-id")
    if (
      !isRaw &&
      asked.length === 1 &&
      requestIds.test(asked[0]?.trim() ?? "") &&
      requestId?.[0] !== asked[0]?.trim()
    ) {
      faults.push("it is not answered under the request id that it asked for")
    }
    if (!answer.hasBody && answer.text !== "") faults.push("there is a body where there is none")
    if (status >= 400 && answer.hasBody) {
      if (headers.get("content-type")?.[0] !== problemType) faults.push(`a refusal with ${status} is no problem`)
      else faults.push(...problemFaults(answer, body))
    }
    if (!isRaw) {
      const documented = operation?.answers.get(status)
      if (documented !== undefined) faults.push(...documentedFaults(documented, answer, body))
      else if (!(isBroken ? brokenAnywhere : anywhere).has(status) && !undocumentedPaths.has(path)) {
        faults.push(`${operation?.id ?? "an unknown path"} does not document ${status}`)
      } else if (status === 405) {
        const allowed = (headers.get("allow")?.[0] ?? "").split(", ").filter((method) => method !== "HEAD")
        if (allowed.sort().join() !== [...contract.methodsOf(path)].sort().join() && !undocumentedPaths.has(path)) {
          faults.push(`its Allow is ${allowed.join(", ")}`)
        }
      }
    }
    if (fits === false && status < 400 && !refusesPart(body))
      faults.push("the document says that it does not fit, and it is taken")
    if (fits === true && [400, 405, 413, 415].includes(status))
      faults.push("the document says that it fits, and it is not read")
    const mayHoldToken = status === 201 && operation?.path === "/v1/sessions"
    const told = [...headers].flatMap(([name, values]) => [name, ...values]).join("\n")
    for (const leak of leaksIn(`${told}\n${answer.text}`, { mayHoldToken, secrets })) faults.push(`it leaks ${leak}`)
    return faults
  }

  /** Whether what is sent fits the document: its parameters, and its body where that is JSON. */
  const fitsDocument = (
    operation: Operation,
    sent: ReadonlyMap<string, string>,
    body: { readonly type: string; readonly text: string } | undefined,
  ): boolean | undefined => {
    for (const { name, required, schema } of operation.parameters) {
      const text = sent.get(name)
      // What a header says about an id of its own is no demand.
      if (name === "X-Request-Id") continue
      if (text === undefined) {
        if (required) return false
        continue
      }
      const value = schema["type"] === "integer" && /^-?\d+$/.test(text) ? Number(text) : text
      if (!validatorOf(schema, false)(value)) return false
    }
    if (body === undefined || body.text === "") return !operation.bodyRequired
    const schema = operation.bodies.find(([type]) => type === body.type)?.[1]
    if (schema === undefined || body.type !== "application/json") return undefined
    try {
      const value: unknown = JSON.parse(body.text)
      if (!validatorOf(schema, false)(value)) return false
      // Bounds of a body as a whole, which the document tells in words only.
      return depthOf(value) > jsonDepthMax || Buffer.byteLength(body.text) > bodySizeMaxBytes ? undefined : true
    } catch {
      return false
    }
  }

  return { faultsOf, fitsDocument, parsed }
}

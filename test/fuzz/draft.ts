/**
 * A step as a request in a world, which says what its ids, keys and tags are. Must stay true: a flaw on a field or a
 * parameter is in it, so that what is said to be sent is what is sent.
 */
import { bodyText } from "./bodyText.ts"
import { kindOfParameter } from "./contract.ts"
import type { Request } from "./request.ts"
import type { Step } from "./steps.ts"
import type { World } from "./world.ts"

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
  const bodySent =
    body === undefined
      ? undefined
      : bodyText(body.type, world.settled(body.value, "", operation.kind), flaw?.on === "field" ? flaw.flaw : undefined)
  const signature = world.signatureOf(sent.get("webhook-signature"), bodySent ?? "")
  for (const [name, value] of Object.entries(signature)) sent.set(name, value)
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
      ...(bodySent === undefined ? {} : { body: Buffer.from(bodySent, "utf8") }),
    },
  }
}

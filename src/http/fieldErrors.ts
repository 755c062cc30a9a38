/**
 * Says what does not fit and where, as JSON Pointers (RFC 6901). Must stay true: a caller's values are not repeated,
 * and however much is wrong, the answer stays small.
 */
import { JsonPointer, SchemaIssue } from "effect"

const fieldErrorsMax = 20

const format = SchemaIssue.makeFormatterStandardSchemaV1()

export interface FieldError {
  readonly pointer: string
  readonly message: string
}

const pointerOf = (path: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }>): string =>
  path
    .map((segment) => `/${JsonPointer.escapeToken(String(typeof segment === "object" ? segment.key : segment))}`)
    .join("")

export const fieldErrors = (issue: SchemaIssue.Issue): ReadonlyArray<FieldError> =>
  format(issue)
    .issues.slice(0, fieldErrorsMax)
    .map((found) => ({ pointer: pointerOf(found.path ?? []), message: found.message }))

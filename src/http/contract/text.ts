/**
 * Strings a caller may send. Must stay true: whatever passes here can be stored by PostgreSQL and shown to a person, so
 * no control characters (a NUL would be refused by the database), no lone surrogates (they have no UTF-8 form), and
 * lengths count characters as PostgreSQL does. Anything else is kept letter by letter, SQL included.
 */
import { Schema } from "effect"
import {
  descriptionLengthMax,
  emailLengthMax,
  idempotencyKeyLengthMax,
  imageUrlLengthMax,
  nameLengthMax,
  passwordLengthMax,
  passwordLengthMin,
} from "../../domain/bounds.ts"

// oxlint-disable-next-line no-control-regex -- control characters are what it is for
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/
// oxlint-disable-next-line no-control-regex -- the same without tab, line feed and carriage return
const controlCharacterInProse = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/

/** Characters as PostgreSQL's char_length counts them; UTF-16 units bound it from above. */
const characterCount = (text: string): number => {
  let count = 0
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0xdc00 || unit > 0xdfff) count++
  }
  return count
}

/** What a document can say of the two: neither control characters nor lone surrogates, in a form that others read. */
const oneLinePattern = "^[^\\p{Cc}\\p{Cs}]*$"
const prosePattern = "^([^\\p{Cc}\\p{Cs}]|[\\t\\n\\r])*$"

const textFilter = (minLength: number, maxLength: number, forbidden = controlCharacter, pattern = oneLinePattern) =>
  Schema.makeFilter<string>(
    (text) => {
      if (!text.isWellFormed()) return "must not contain lone surrogates"
      if (forbidden.test(text)) return "must not contain control characters"
      const count = text.length < minLength ? text.length : characterCount(text)
      if (count < minLength || count > maxLength) return `must have ${minLength} to ${maxLength} characters`
      if (minLength > 0 && text.trim() === "") return "must not be blank"
      return undefined
    },
    { toJsonSchema: () => [{ minLength, maxLength, pattern }, true] },
  )

/** One line of text: 1 to `maxLength` characters, none of them a control character. */
export const lineOfText = (maxLength: number) => Schema.String.check(textFilter(1, maxLength))

/** Text that may have several lines, or none. */
export const prose = (maxLength: number) =>
  Schema.String.check(textFilter(0, maxLength, controlCharacterInProse, prosePattern))

export const Name = lineOfText(nameLengthMax)
export const Description = prose(descriptionLengthMax)

export const Email = Schema.String.check(
  textFilter(3, emailLengthMax),
  Schema.isPattern(/^[^\s@]+@[^\s@]+$/u, { message: "must be an e-mail address" }),
)

export const Password = Schema.String.check(textFilter(passwordLengthMin, passwordLengthMax))

/** For sign-in, where saying what a password must look like would help nobody: any text that can be compared. */
export const AttemptedPassword = Schema.String.check(textFilter(0, passwordLengthMax))

export const ImageUrl = Schema.String.check(
  textFilter(1, imageUrlLengthMax),
  Schema.makeFilter<string>((text) => /^https?:\/\//.test(text) && URL.canParse(text), {
    message: "must be an http or https URL",
    toJsonSchema: () => [{ pattern: "^https?://" }, true],
  }),
)

export const IdempotencyKey = Schema.String.check(
  Schema.isPattern(new RegExp(`^[\\x20-\\x7e]{1,${idempotencyKeyLengthMax}}$`, "u"), {
    message: `must have 1 to ${idempotencyKeyLengthMax} printable ASCII characters`,
  }),
).annotate({
  description: `Makes a retry the same request: 1 to ${idempotencyKeyLengthMax} printable ASCII characters.`,
})

/** Seconds with milliseconds, UTC, as every time in an answer. */
export const Timestamp = Schema.String.annotate({ description: "RFC 3339, UTC, milliseconds", format: "date-time" })

/**
 * The words that a search asks for. Must stay true: they are split as `words_of` (sql/004_catalogue.sql) splits a name,
 * so that a product is found by whatever its name says; and nothing that a caller types is more to PostgreSQL than a word.
 *
 * Tried and lost: lower case made here. PostgreSQL makes that of a name by its own locale, and with another one for what
 * is asked "ΟΔΟΣ" and "İstanbul" were not found by themselves.
 */
import type { SqlClient, Statement } from "effect/sql"

/** In ASCII all but letters and digits; what is beyond it PostgreSQL splits, in the same way as in a name. */
const betweenWords = /[^0-9A-Za-z\u{80}-\u{10ffff}]+/u

/** Without a blank, a quote or a backslash in any of them. */
export const wordsOf = (text: string): ReadonlyArray<string> =>
  text
    .normalize("NFC")
    .split(betweenWords)
    .filter((word) => word !== "")

/** Whether a product's column `words` has them all, each as the beginning of one. */
export const hasWords = (sql: SqlClient.SqlClient, words: ReadonlyArray<string>): Statement.Fragment =>
  sql`words @@ to_tsquery('simple', ${words.map((word) => `'${word}':*`).join(" & ")})`

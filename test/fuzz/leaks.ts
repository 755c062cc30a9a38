/**
 * What must never leave the service, whatever was sent: how it is built, what it keeps secret, and what its libraries
 * say when they fail. Must stay true: nothing that the fuzzer itself sends looks like any of it, or an answer that shows
 * a product's name would count as a leak.
 */
const inside: Readonly<Record<string, RegExp>> = {
  "a stack": /\bat (?:async )?[\w.<>$ ]*\(?(?:file:|node:|\/)[^\s)]*:\d+/,
  "a path of a file":
    /node_modules|file:\/\/|\/src\/[\w-]+|\/(?:home|work|root|tmp|usr|app)\/\w|\b[a-zA-Z]{3,}\.(?:ts|mjs|cjs)\b/,
  "SQL or its errors":
    /\b(?:select|insert into|update|delete from)\b.+\b(?:from|values|set|where)\b|violates \w+ constraint|duplicate key|syntax error at|relation "|column "|SQLSTATE|invalid byte sequence|invalid input syntax|out of range for type|pg_[a-z]{3,}/i,
  "a word of PostgreSQL or Redis": /postgres|PgClient|PgConnection|ioredis|hedonify_test/i,
  "a name from within":
    /\b_tag\b|\bSql(?:Error|Client)|HttpApi\w+|\bHttpServer\w+|SchemaError|SchemaIssue|ParseError|\bFiber\b|\bCause\b|ShardActor|Mailbox/i,
  "a JavaScript error":
    /\b(?:Type|Range|Syntax|Reference|URI|Aggregate)?Error\b|is not a function|Cannot (?:read|convert|destructure)|Unexpected (?:token|end)|in JSON at|\[object Object\]|\bundefined\b/,
  "an address of a peer": /ECONN\w+|EPIPE|127\.0\.0\.1:\d{4,}/,
  "a password's hash": /\$argon2|\$2[aby]\$/,
}

const jsonWebTokens = /eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}/g

/** Named by the document for whoever keeps the service running: no secret, whatever else is called so. */
const documentedNames = /"mailbox(?:Depth|Size)":/g

/** The kinds of what leaked in this text, none where it is clean. */
export const leaksIn = (
  text: string,
  { mayHoldToken, secrets }: { readonly mayHoldToken: boolean; readonly secrets: ReadonlyArray<string> },
): ReadonlyArray<string> => {
  // By chance the letters of a token make any word.
  const words = text.replaceAll(jsonWebTokens, "")
  const undocumented = words.replaceAll(documentedNames, "")
  return [
    ...Object.entries(inside)
      .filter(([, pattern]) => pattern.test(undocumented))
      .map(([kind, pattern]) => `${kind} (${pattern.exec(undocumented)?.[0].slice(0, 80)})`),
    ...(secrets.some((secret) => text.includes(secret)) ? ["a secret"] : []),
    ...(!mayHoldToken && words !== text ? ["a token"] : []),
  ]
}

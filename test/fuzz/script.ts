/**
 * A failing sequence as lines for a shell that anybody can paste against a server of their own. Must stay true: what
 * only the failing run had (ids, tokens, addresses of e-mail) stands there under names, and the first lines make what
 * those names need.
 */
import type { Request } from "./request.ts"

export interface Exchange {
  readonly request: Request
  /** What was sent in its place. */
  readonly bytes: Buffer | undefined
  /** The ids that its answer told for the first time, by their names; `nth`: of all ids in its body, from 1. */
  readonly told: ReadonlyArray<{ readonly name: string; readonly nth: number }>
}

type Names = ReadonlyArray<readonly [value: string, name: string]>

const printable = /^[\t\n\r\x20-\x7e\u00a0-\ud7ff\ue000-\u{10ffff}]*$/u

const escaped = (bytes: Buffer): string =>
  [...bytes]
    .map((byte) =>
      byte >= 0x20 && byte < 0x7f && !"\\'%".includes(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `\\${byte.toString(8).padStart(3, "0")}`,
    )
    .join("")

const quoted = (text: string, names: Names): string => named(`'${text.replaceAll("'", `'\\''`)}'`, names)

const named = (text: string, names: Names): string => {
  let result = text
  for (const [value, name] of names) result = result.replaceAll(value, `'"$${name}"'`)
  return result.replaceAll("''\"", '"').replaceAll("\"''", '"')
}

const curlOf = ({ body, headers, method, target }: Request, names: Names, shows: string): string => {
  const hasType = headers.some(([name]) => name.toLowerCase() === "content-type")
  const text = body?.toString("utf8") ?? ""
  const isText = printable.test(text) && Buffer.from(text).equals(body ?? Buffer.alloc(0))
  const how = method === "HEAD" && body === undefined ? "--head" : `-X ${quoted(method, [])}`
  const words = [
    ...(isText ? [] : [`printf ${named(`'${escaped(body ?? Buffer.alloc(0))}'`, names)} |`]),
    `curl -sS${shows} --max-time 30 --globoff --path-as-is ${how} "$URL"${quoted(target, names)}`,
    ...headers
      .filter(([name]) => name !== "x-forwarded-for")
      .map(([name, value]) => `-H ${quoted(value === "" ? `${name};` : `${name}: ${value}`, names)}`),
    ...(body === undefined || hasType ? [] : ["-H 'content-type:'"]),
    ...(body === undefined ? [] : ["-H 'expect:'", `--data-binary ${isText ? quoted(text, names) : "@-"}`]),
  ]
  return words.join(" ")
}

const nth = `nth() { grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' | sed -n "$1p"; }`

const lineOf = ({ bytes, request, told }: Exchange, names: Names, used: (name: string) => boolean): string => {
  if (bytes !== undefined) return `printf ${named(`'${escaped(bytes)}'`, names)} | nc -w 5 127.0.0.1 "\${URL##*:}"`
  const wanted = told.filter(({ name }) => used(name))
  if (wanted.length === 0) return curlOf(request, names, " -i")
  const taken = wanted.map((id) => `${id.name}=$(echo "$ANSWER" | nth ${id.nth})`)
  return [`ANSWER=$(${curlOf(request, names, "")}); echo "$ANSWER"`, ...taken].join("; ")
}

const signIn = `sign_in() { curl -sS "$URL/v1/sessions" -H 'content-type: application/json' -d "{\\"email\\":\\"$1\\",\\"password\\":\\"a long enough password\\"}" | sed -E 's/.*"token":"([^"]*)".*/\\1/'; }`
const signUp = `sign_up() { curl -sS -o /dev/null "$URL/v1/accounts" -H 'content-type: application/json' -d "{\\"email\\":\\"$1\\",\\"password\\":\\"a long enough password\\",\\"name\\":\\"Fuzz\\"}"; }`
const idOf = `sed -nE 's/.*"id":"([^"]*)".*/\\1/p'`

/** What a name needs before it can be used; `first` are the bodies that the world's first products were made with. */
const makings = (
  first: ReadonlyArray<unknown>,
): ReadonlyArray<readonly [name: string, needs: ReadonlyArray<string>, line: string]> => [
  ["ADMIN", [], "ADMIN=${ADMIN:?the token of an admin}"],
  ...["CUSTOMER", "OTHERCUSTOMER", "MERCHANT"].flatMap((role) => [
    [
      `${role}_EMAIL`,
      [],
      `${role}_EMAIL=${role.toLowerCase()}-$RANDOM$RANDOM@example.com; sign_up "$${role}_EMAIL"`,
    ] as const,
    [role, [`${role}_EMAIL`], `${role}=$(sign_in "$${role}_EMAIL")`] as const,
  ]),
  [
    "MERCHANT_1",
    ["MERCHANT", "ADMIN"],
    `MERCHANT_1=$(curl -sS "$URL/v1/merchants" -H "authorization: Bearer $MERCHANT" -H 'content-type: application/json' -d '{"name":"Fuzz"}' | ${idOf}); curl -sS -X POST "$URL/v1/merchants/$MERCHANT_1/approve" -H "authorization: Bearer $ADMIN"`,
  ],
  ...first.map(
    (body, index) =>
      [
        `PRODUCT_${index + 1}`,
        ["MERCHANT_1"],
        `PRODUCT_${index + 1}=$(curl -sS "$URL/v1/products" -H "authorization: Bearer $MERCHANT" -H 'content-type: application/json' -d '${JSON.stringify(body)}' | ${idOf})`,
      ] as const,
  ),
]

/** The exchanges as a script. */
export const scriptOf = (
  exchanges: ReadonlyArray<Exchange>,
  names: Names,
  firstProducts: ReadonlyArray<unknown>,
): ReadonlyArray<string> => {
  const text = exchanges.map((exchange) => lineOf(exchange, names, () => true)).join("\n")
  const uses = (within: string) => (name: string) => new RegExp(`\\$${name}\\b`).test(within)
  const all = makings(firstProducts)
  const wanted = new Set<string>()
  const want = (name: string): void => {
    for (const needed of all.find(([known]) => known === name)?.[1] ?? []) want(needed)
    wanted.add(name)
  }
  // A merchant can do nothing before it is approved.
  for (const [name] of all.filter(([known]) => uses(text)(known))) want(name === "MERCHANT" ? "MERCHANT_1" : name)
  const prelude = all.filter(([name]) => wanted.has(name)).map(([, , line]) => line)
  const lines = exchanges.map((exchange, index) => {
    const later = exchanges.slice(index + 1).map((next) => lineOf(next, names, () => false))
    return lineOf(exchange, names, uses(later.join("\n")))
  })
  return [
    "URL=${URL:-http://127.0.0.1:8080}",
    ...(prelude.length === 0 ? [] : [signUp, signIn, ...prelude]),
    ...(lines.some((line) => line.includes("| nth ")) ? [nth] : []),
    ...lines,
  ]
}

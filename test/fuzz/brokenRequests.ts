/**
 * Ways to break a request that is right otherwise, above its fields: method, path, query, headers and the body as a
 * whole. Must stay true: each is one change, named as a person would say it, so that a failure reads as a sentence; and
 * groups are as likely as each other, however many ways they have.
 */
import { pathOf, type Request, withBody, withHeader } from "./request.ts"

export interface Breakage {
  readonly name: string
  readonly broken: (request: Request) => Request
}

const lines = (text: string): ReadonlyArray<string> => text.trim().split(/\n\s*/)

const short = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)

const queryOf = ({ target }: Request): string => target.slice(pathOf({ target }).length)

const withPath = (name: string, change: (path: string) => string): Breakage => ({
  name,
  broken: (request) => ({ ...request, target: change(pathOf(request)) + queryOf(request) }),
})

const methods = lines(`HEAD
  OPTIONS
  GET
  POST
  PUT
  PATCH
  DELETE
  TRACE
  PROPFIND
  QUERY
  M-SEARCH`).map((method): Breakage => ({ name: `as ${method}`, broken: (request) => ({ ...request, method }) }))

const lastSegments = lines(String.raw`%
  %zz
  %ff
  %00
  %c0%ae%c0%ae
  %ed%a0%80
  ..%2f..%2fetc%2fpasswd
  %2e%2e
  .
  ..
  %20
  %0d%0a
  ;x=y
  *
  __proto__
  constructor
  null
  -1
  {id}
  :id
  '
  %F0%9F%98%80`)

const paths = [
  ...[...lastSegments, "x".repeat(101), "x".repeat(4_000)].map((segment) =>
    withPath(`with the last segment ${short(segment)}`, (path) => path.replace(/[^/]*$/, () => segment)),
  ),
  withPath("with a slash at the end", (path) => `${path}/`),
  withPath("with two slashes", (path) => path.replaceAll("/", "//")),
  withPath("in capitals", (path) => path.toUpperCase()),
  withPath("with a path up and down", (path) => `/v1/../..${path}`),
  ...["/../../../etc/passwd", "/src/main.ts", "/v1", "/", "/openapi.json/x", "/docs/..", "/metrics"].map((path) =>
    withPath(`for ${path}`, () => path),
  ),
]

const queries = [
  ...lines(String.raw`limit=1&limit=2
    limit[]=1
    limit=
    limit=1e1
    limit=+1
    limit=%31
    limit=1%00
    %zz=%zz
    &&&==&
    =
    %
    q=%00
    q=%ed%a0%80
    q=%ff
    q=%25%5f
    q=a&q=b
    __proto__[x]=1
    __proto__=1
    constructor=1
    dryRun=TRUE
    starting_after=
    status=
    merchantId=%27
    %F0%9F%98%80=1`),
  `x=${"y".repeat(8_000)}`,
  "a=1&".repeat(1_200),
].map((query): Breakage => ({
  name: `with the query ${short(query)}`,
  broken: (request) => ({
    ...request,
    target: `${request.target}${request.target.includes("?") ? "&" : "?"}${query}`,
  }),
}))

const header = (name: string, ...values: ReadonlyArray<string>): Breakage => ({
  name: values.length === 0 ? `without ${name}` : `with ${name}: ${values.map(short).join(" and ")}`,
  broken: (request) => withHeader(request, name, ...values),
})

const types = [
  ...lines(`text/plain
    text/html; charset=utf-8
    application/json; charset=latin1
    application/json; charset=utf-16
    application/json;charset
    application/json; charset="utf-8
    application/jsonx
    application/json, text/csv
    application/problem+json
    application/x-www-form-urlencoded
    multipart/form-data
    text/csv
    text/csv; header=absent
    text/csv; charset=utf-7
    */*
    x`),
  "",
  "a/".repeat(2_000),
].map((type) => header("content-type", type))

const contentHeaders = [
  ...types,
  header("content-type"),
  header("content-type", "application/json", "text/csv"),
  ...["gzip", "deflate, br", "identity", "x".repeat(100), ""].map((encoding) => header("content-encoding", encoding)),
]

const base64Url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")
const nobody = { iss: "hedonify", sid: "00000000-0000-0000-0000-000000000000", exp: 4e9 }
const unsigned = `${base64Url({ alg: "none", typ: "JWT" })}.${base64Url(nobody)}.`

const tokenAs = (name: string, change: (token: string) => string): Breakage => ({
  name: `with a token ${name}`,
  broken: (request) => {
    const [, value = "Bearer e30.e30.e30"] = request.headers.find(([known]) => known === "authorization") ?? []
    return withHeader(request, "authorization", change(value.replace("Bearer ", "")))
  },
})

const credentials = [
  ...[...lines("Basic YTpi\nBearer\nToken x\nBearer a b\nbearer\n,\nBearer null\nBearer ..\nBearer e30.e30.e30"), ""]
    .concat(["Bearer ", "Bearer\tx", `Bearer ${"x".repeat(8_000)}`, `Bearer ${unsigned}`, 'Digest username="x"'])
    .concat(["Bearer é", "Bearer \u{1f600}"])
    .map((value) => header("authorization", value)),
  header("authorization"),
  header("authorization", "Bearer x", "Bearer y"),
  tokenAs("in a scheme in capitals", (token) => `BEARER  ${token} `),
  tokenAs("without its signature", (token) => `Bearer ${token.replace(/[^.]*$/, "")}`),
  tokenAs("twice", (token) => `Bearer ${token}, Bearer ${token}`),
  tokenAs("with a character changed", (token) => {
    return `Bearer ${token.slice(0, -3)}${token.at(-3) === "A" ? "B" : "A"}${token.slice(-2)}`
  }),
]

const tags = ["", "*", '"', "W/", 'W/"1"', '"1", "2"', "1", '"99999999999999999999.1.1"', '"1.2.3"'.repeat(900), "é"]
const keys = ["", " ", "x".repeat(255), "x".repeat(256), "é", "\u{1f600}", "a\tb", "key-1, key-2", "~".repeat(4_000)]

const otherHeaders = [
  ...keys.map((key) => header("idempotency-key", key)),
  header("idempotency-key"),
  header("idempotency-key", "key-1", "key-2"),
  ...tags.flatMap((tag) => [header("if-match", tag), header("if-none-match", tag)]),
  header("if-match"),
  header("if-match", "*", "*"),
  ...["", "a b", "x".repeat(129), "<script>", "é", "..:.-"].map((id) => header("x-request-id", id)),
  header("x-request-id", "one", "two"),
  ...lines("text/html\napplication/xml;q=1, */*;q=0\n*/*;q=0\ngarbage\napplication/json;q=9").map((accept) =>
    header("accept", accept),
  ),
  header("x-forwarded-for", "not an address", "::1"),
  header("x-http-method-override", "DELETE"),
  header("cookie", "a=b; ".repeat(500)),
  header("origin", "null"),
  header("range", "bytes=0-0"),
  header("last-event-id", "\u{1f600}"),
  header("traceparent", `00-${"0".repeat(32)}-${"0".repeat(16)}-ff`),
  header("traceparent", "garbage"),
  header("b3", "1-1-1-1"),
  header("__proto__", "x"),
  header("constructor", "x"),
]

const bodyAs = (name: string, change: (body: Buffer) => Buffer | string): Breakage => ({
  name: `with a body ${name}`,
  broken: (request) => withBody(request, change(request.body ?? Buffer.from("{}"))),
})

const inserted = (at: number, bytes: ReadonlyArray<number>) => (body: Buffer) =>
  Buffer.concat([body.subarray(0, at), Buffer.from(bytes), body.subarray(at)])

const bodies = [
  bodyAs("cut in half", (body) => body.subarray(0, body.length >>> 1)),
  bodyAs("without its last byte", (body) => body.subarray(0, -1)),
  bodyAs("and more after it", (body) => Buffer.concat([body, Buffer.from("}")])),
  bodyAs("twice", (body) => Buffer.concat([body, body])),
  bodyAs("with a byte order mark", inserted(0, [0xef, 0xbb, 0xbf])),
  bodyAs("with a surrogate in its bytes", inserted(9, [0xed, 0xa0, 0x80])),
  bodyAs("with a NUL in it", inserted(1, [0])),
  bodyAs("with half a character at its end", (body) => Buffer.concat([body, Buffer.from([0xf0, 0x9f])])),
  bodyAs("in UTF-16", (body) => Buffer.from(body.toString("utf8"), "utf16le")),
  bodyAs("of nothing", () => ""),
  bodyAs("of white space", () => " \r\n\t"),
  bodyAs("that is a form", () => "a=b&c=d"),
  bodyAs("that is CSV", () => 'name,stock\r\n"a'),
  bodyAs("that is XML", () => '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
  ...["[", '"', ",", "\n", '{"a":'].map((part) => bodyAs(`of many ${JSON.stringify(part)}`, () => part.repeat(12_000))),
]

const sizes = [64, 64 + 1, 1_024 + 1, 4_096 + 1].map((kibibytes) =>
  bodyAs(`filled up to ${kibibytes} KiB`, (body) =>
    Buffer.concat([body, Buffer.alloc(Math.max(0, kibibytes * 1_024 - body.length), " ")]),
  ),
)

export const breakages: ReadonlyArray<ReadonlyArray<Breakage>> = [
  methods,
  paths,
  queries,
  contentHeaders,
  credentials,
  otherHeaders,
  bodies,
  sizes,
]

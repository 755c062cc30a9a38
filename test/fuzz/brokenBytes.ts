/**
 * Ways to break a request in its bytes, which no client sends and a socket does. Must stay true: each ends by itself, for
 * the caller's side is closed after it, so that nobody waits for a rest that never comes.
 */
import { bytesOf, type Request, withBody, withHeader, withoutHeader } from "./request.ts"

export interface WireBreakage {
  readonly name: string
  readonly bytes: (request: Request) => Buffer
}

const lines = (text: string): ReadonlyArray<string> => text.trim().split(/\n\s*/)
const short = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)

const sent = (name: string, bytes: (request: Request) => string | Buffer): WireBreakage => ({
  name,
  bytes: (request) => Buffer.from(bytes(request)),
})

const unframed = (request: Request): Request => withoutHeader(request, "content-length")

const headerLines = [
  ...lines(`no colon
    A B: x
    Host: twice
    Content-Length: 5
    Content-Length: -1
    Content-Length: 1e3
    Content-Length: 99999999999999999999
    Transfer-Encoding: chunked
    Transfer-Encoding: gzip
    Transfer-Encoding: chunked, chunked
    Expect: 100-continue
    Expect: the unexpected
    Upgrade: h2c
    Trailer: authorization
    HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA`),
  "Bad\u0000Header: x",
  "Bad: \u0000",
  "Bad: a\u0001b",
  "Bad\u007f: x",
  " : x",
  ": x",
  "X: a\r\n folded",
  "X: \u00ff",
  "Transfer-Encoding: \u000bchunked",
  "Upgrade: websocket\r\nConnection: upgrade",
  "Connection: close, \u0007",
  `X: ${"y".repeat(20_000)}`,
  "X: y\r\n".repeat(300).trim(),
].map((line) =>
  sent(`with the line ${short(line)} among its headers`, (request) =>
    bytesOf(request)
      .toString("latin1")
      .replace("\r\n", () => `\r\n${line}\r\n`),
  ),
)

const versions = ["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/9.9", "http/1.1", "HTTP/", "", "\u0000"].map(
  (version) => sent(`in ${short(version)}`, (request) => bytesOf(request, version)),
)

const targets = [
  ...lines(String.raw`*
    http://elsewhere.example/v1/products
    //elsewhere.example/v1/products
    /v1/products?a b
    v1/products
    /v1/products#x
    /\..\..\etc
    http://[::1/v1/products
    https:
    127.0.0.1:80`),
  "/v1/\u0000",
  "/v1/products/\u00ff",
  "/v1/products/\t",
  "",
  `/${"a".repeat(20_000)}`,
].map((target) => sent(`for the target ${short(target)}`, (request) => bytesOf({ ...unframed(request), target })))

const chunks = [
  "0\r\n\r\n",
  "2\r\n{}\r\n0\r\n\r\n",
  "zz\r\n{}\r\n0\r\n\r\n",
  "-1\r\n{}\r\n",
  '2;x="\r\n{}\r\n0\r\n\r\n',
  "ffffffffffffffff\r\n{}",
  "2\r\n{}\r\n0\r\nX: y\r\n\r\n",
  "2\n{}\n0\n\n",
  "5\r\n{}",
].map((body) =>
  sent(`in the chunks ${short(body)}`, (request) =>
    bytesOf(withBody(withHeader(unframed(request), "transfer-encoding", "chunked"), body)),
  ),
)

const shapes = [
  sent("with line feeds alone", (request) => bytesOf(request).toString("latin1").replaceAll("\r\n", "\n")),
  sent("without a Host", (request) =>
    bytesOf(request)
      .toString("latin1")
      .replace(/Host: .*\r\n/, ""),
  ),
  sent("in lower case", (request) => bytesOf({ ...request, method: request.method.toLowerCase() })),
  sent("by a method nobody knows", (request) => bytesOf({ ...request, method: "BREW" })),
  sent("as CONNECT", (request) => bytesOf({ ...request, method: "CONNECT" })),
  sent("cut off in its headers", (request) => bytesOf(request).subarray(0, 30)),
  sent("cut off in its body", (request) => bytesOf(withHeader(request, "content-length", "100000"))),
  sent("longer than it says", (request) => bytesOf(withHeader(withBody(request, "{} and"), "content-length", "1"))),
  sent("twice at once", (request) =>
    Buffer.concat([bytesOf(withHeader(request, "connection", "keep-alive")), bytesOf(request)]),
  ),
  sent("as a handshake of TLS", () => Buffer.from("16030100a5010000a10303", "hex")),
  sent("as a preface of HTTP/2", () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  sent("as nothing", () => ""),
  sent("as empty lines and nothing", () => "\r\n\r\n\r\n"),
  sent("as noise", () => Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 89) % 256))),
]

export const wireBreakages: ReadonlyArray<WireBreakage> = [
  ...headerLines,
  ...versions,
  ...targets,
  ...chunks,
  ...shapes,
]

/**
 * Sends a request and reads the whole answer: with Node's client over kept connections where it is willing to send it,
 * else, and for bytes that are no request at all, over a socket.
 */
import { Agent, request as httpRequest } from "node:http"
import { connect } from "node:net"
import { bytesOf, type Request } from "./request.ts"

export interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, ReadonlyArray<string>>
  readonly text: string
  /** An answer to HEAD says how long a body would be and has none. */
  readonly hasBody: boolean
}

/** Far longer than any answer takes; what is silent for so long has hung. */
const patienceMillis = 20_000

const headersOf = (raw: ReadonlyArray<readonly [string, string]>): Answer["headers"] => {
  const headers = new Map<string, Array<string>>()
  for (const [name, value] of raw) {
    headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), value])
  }
  return headers
}

const pairs = (flat: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> =>
  flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ""] as const] : []))

const parse = (received: Buffer, isHead: boolean): Answer | undefined => {
  const start = received.indexOf("\r\n\r\n")
  if (start < 0) return undefined
  const [statusLine = "", ...lines] = received.subarray(0, start).toString("latin1").split("\r\n")
  const status = Number(statusLine.split(" ")[1])
  if (status < 200) return parse(received.subarray(start + 4), isHead)
  const headers = headersOf(
    lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  )
  const length = Number(headers.get("content-length")?.[0] ?? 0)
  const body = received.subarray(start + 4, start + 4 + length)
  const hasBody = !isHead && status !== 204 && status !== 304
  if (hasBody && body.byteLength < length) return undefined
  return { status, headers, text: hasBody ? body.toString("utf8") : "", hasBody }
}

export class Client {
  readonly #host: string
  readonly #port: number
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor({ host, port }: { readonly host: string; readonly port: number }) {
    this.#host = host
    this.#port = port
  }

  close(): void {
    this.#agent.destroy()
  }

  async send(request: Request): Promise<Answer | undefined> {
    const isHead = request.method === "HEAD"
    const { promise, reject, resolve } = Promise.withResolvers<Answer | undefined>()
    const names = new Set(request.headers.map(([name]) => name.toLowerCase()))
    const framed = names.has("content-length") || names.has("transfer-encoding")
    try {
      const sent = httpRequest({
        host: this.#host,
        port: this.#port,
        agent: this.#agent,
        method: request.method,
        path: request.target,
        headers: [
          ...(names.has("host") ? [] : ["host", "127.0.0.1"]),
          ...request.headers.flat(),
          ...(request.body === undefined || framed ? [] : ["content-length", String(request.body.byteLength)]),
        ],
      })
      sent.setTimeout(patienceMillis, () => sent.destroy(new Error("no answer came")))
      sent.on("error", reject)
      sent.on("response", (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("error", reject)
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: headersOf(pairs(response.rawHeaders)),
            text: Buffer.concat(chunks).toString("utf8"),
            hasBody: !isHead && response.statusCode !== 204 && response.statusCode !== 304,
          }),
        )
      })
      sent.end(request.body)
    } catch (error) {
      // Node's client refuses to send it.
      if (!(error instanceof TypeError)) throw error
      return this.#sendBytes(bytesOf(request), isHead, false)
    }
    return promise
  }

  /** The first answer to these bytes, after which we close our side; none where the server closes without one. */
  sendBytes(bytes: Buffer, isHead: boolean): Promise<Answer | undefined> {
    return this.#sendBytes(bytes, isHead, true)
  }

  async #sendBytes(bytes: Buffer, isHead: boolean, ends: boolean): Promise<Answer | undefined> {
    const { promise, reject, resolve } = Promise.withResolvers<Answer | undefined>()
    let received = Buffer.alloc(0)
    const socket = connect({ host: this.#host, port: this.#port, allowHalfOpen: true })
    socket.setTimeout(patienceMillis, () => socket.destroy(new Error("no answer came")))
    socket.on("error", (error: NodeJS.ErrnoException) => {
      // The server may close while we still send; what it answered before counts.
      if (error.code === "ECONNRESET" || error.code === "EPIPE") resolve(parse(received, isHead))
      else reject(error)
    })
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      const answer = parse(received, isHead)
      if (answer !== undefined) resolve(answer)
    })
    socket.on("end", () => resolve(parse(received, isHead)))
    socket.write(bytes)
    if (ends) socket.end()
    return promise.finally(() => socket.destroy())
  }
}

/**
 * The load: a program of its own, told over IPC what to send where. Keep-alive connections each send their next order
 * when they have the answer to the last. It writes raw HTTP/1.1 and reads no more of an answer than its status and
 * length, since a client as heavy as the server would measure itself on a machine with two processors.
 */
import { connect, type Socket } from "node:net"
import { performance } from "node:perf_hooks"

export interface Job {
  readonly port: number
  /** One after the other, over and over. */
  readonly paths: ReadonlyArray<string>
  /** What is posted, each time under a key of its own; without one the paths are read. */
  readonly body: string | null
  /** Bearer tokens, one connection after the other; none where the target asks for none. */
  readonly tokens: ReadonlyArray<string>
  /** Makes the keys of this job unlike any other's. */
  readonly keyPrefix: string
  readonly connections: number
  readonly seconds: number
}

export interface LoadResult {
  readonly answers: Readonly<Record<string, number>>
  readonly seconds: number
  readonly latenciesMillis: { readonly median: number; readonly p99: number }
  /** Share of the time this program was busy; near 1 it is the load that is measured. */
  readonly utilisation: number
}

const endOfHead = Buffer.from("\r\n\r\n")

/** Length of the first whole answer in `bytes`, 0 where it is not all there yet. */
const answerLength = (bytes: Buffer): number => {
  const end = bytes.indexOf(endOfHead)
  if (end < 0) return 0
  const head = bytes.toString("latin1", 0, end)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new Error(`an answer without a length: ${head}`)
  const total = end + endOfHead.length + Number(length)
  return bytes.length >= total ? total : 0
}

const run = (job: Job): Promise<LoadResult> =>
  new Promise((resolve, reject) => {
    const answers: Record<string, number> = {}
    const latencies: Array<number> = []
    let keys = 0
    let open = 0
    let startedAt = 0
    let endsAt = Number.POSITIVE_INFINITY
    let utilisation = performance.eventLoopUtilization()

    const headers = (job.tokens.length === 0 ? [""] : job.tokens).map((token) =>
      [
        `Host: 127.0.0.1:${job.port}`,
        ...(token === "" ? [] : [`Authorization: Bearer ${token}`]),
        ...(job.body === null
          ? []
          : ["Content-Type: application/json", `Content-Length: ${Buffer.byteLength(job.body)}`]),
      ].join("\r\n"),
    )
    const requestOf = (headersOfConnection: string): string => {
      const path = job.paths[keys % job.paths.length] ?? "/"
      const key = keys++
      return job.body === null
        ? `GET ${path} HTTP/1.1\r\n${headersOfConnection}\r\n\r\n`
        : `POST ${path} HTTP/1.1\r\n${headersOfConnection}\r\nIdempotency-Key: ${job.keyPrefix}-${key}\r\n\r\n${job.body}`
    }
    const finish = (): void => {
      const seconds = (performance.now() - startedAt) / 1000
      const sorted = Float64Array.from(latencies).sort()
      const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
      resolve({
        answers,
        seconds,
        latenciesMillis: { median: at(0.5), p99: at(0.99) },
        utilisation: performance.eventLoopUtilization(utilisation).utilization,
      })
    }
    const drive = (socket: Socket, headersOfConnection: string): (() => void) => {
      let received: Buffer = Buffer.alloc(0)
      let sentAt = 0
      const send = (): void => {
        sentAt = performance.now()
        socket.write(requestOf(headersOfConnection))
      }
      socket.on("data", (chunk) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
        const length = answerLength(received)
        if (length === 0) return
        const status = received.toString("latin1", 9, 12)
        received = received.subarray(length)
        const now = performance.now()
        answers[status] = (answers[status] ?? 0) + 1
        latencies.push(now - sentAt)
        if (now < endsAt) return send()
        open -= 1
        socket.destroy()
        if (open === 0) finish()
      })
      return send
    }
    /** Those that are connected; they start together, once all are. */
    const waiting: Array<() => void> = []
    for (let index = 0; index < job.connections; index++) {
      const socket = connect({ host: "127.0.0.1", port: job.port, noDelay: true })
      const send = drive(socket, headers[index % headers.length] ?? "")
      socket.once("error", reject)
      socket.once("connect", () => {
        open += 1
        waiting.push(send)
        if (open < job.connections) return
        startedAt = performance.now()
        endsAt = startedAt + job.seconds * 1000
        utilisation = performance.eventLoopUtilization()
        for (const start of waiting) start()
      })
    }
  })

process.on("message", (job: Job) => {
  run(job).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: error instanceof Error ? error.message : String(error) }),
  )
})
process.on("disconnect", () => process.exit(0))

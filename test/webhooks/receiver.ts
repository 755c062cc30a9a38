/**
 * A receiver of webhooks on a port of this machine, as its owner would write it: it verifies each signature with the
 * specification's own library, and answers as the test has it for the moment.
 */
import { Effect } from "effect"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { Webhook as Verifier } from "standardwebhooks"

export interface Received {
  readonly id: string
  readonly type: string
  readonly orderId: string
  readonly status: string
}

export type Mood =
  | { readonly _tag: "Accepts" }
  | { readonly _tag: "Answers"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Takes the request and says nothing. */
  | { readonly _tag: "Hangs" }
  | { readonly _tag: "Slow"; readonly millis: number }
  /** Accepts, with a body that does not end. */
  | { readonly _tag: "Talks" }

export interface Receiver {
  readonly url: string
  mood: Mood
  /** What was accepted, in the order in which it came. */
  readonly accepted: Array<Received>
  /** Every request, whatever came of it. */
  readonly asked: Array<{ readonly id: string; readonly path: string; readonly signature: string }>
  readonly forged: Array<string>
  /** Requests at the same time, at most. */
  busiest: number
  secret: string
  /** Refuses connections until it is opened again, on the same port. */
  readonly close: Effect.Effect<void>
  readonly open: Effect.Effect<void>
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString("utf8")
}

const header = (request: IncomingMessage, name: string): string => String(request.headers[name] ?? "")

const keep = (receiver: Receiver, request: IncomingMessage, body: string): void => {
  try {
    const verified = new Verifier(receiver.secret).verify(body, request.headers as Record<string, string>)
    const { data, id, type } = verified as { id: string; type: string; data: Record<string, unknown> }
    receiver.accepted.push({ id, type, orderId: String(data["orderId"]), status: String(data["status"]) })
  } catch (error) {
    receiver.forged.push(String(error))
  }
}

const answer = async (receiver: Receiver, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const body = await bodyOf(request)
  const id = header(request, "webhook-id")
  receiver.asked.push({ id, path: request.url ?? "", signature: header(request, "webhook-signature") })
  const { mood } = receiver
  switch (mood._tag) {
    case "Hangs":
      return
    case "Answers":
      response.writeHead(mood.status, mood.headers).end("no")
      return
    case "Slow":
      await new Promise((resolve) => setTimeout(resolve, mood.millis))
      break
    case "Talks":
    case "Accepts":
      break
  }
  keep(receiver, request, body)
  if (mood._tag === "Talks") response.writeHead(200).write("x".repeat(1024 * 1024))
  else response.writeHead(204).end()
}

const listening = (server: Server, port: number): Effect.Effect<number> =>
  Effect.callback((resume) => {
    server.listen(port, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const closed = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

export const makeReceiver = Effect.gen(function* () {
  let busy = 0
  const server = createServer((request, response) => {
    busy += 1
    receiver.busiest = Math.max(receiver.busiest, busy)
    response.on("close", () => (busy -= 1))
    void answer(receiver, request, response)
  })
  const port = yield* Effect.acquireRelease(listening(server, 0), () => closed(server))
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hook`,
    mood: { _tag: "Accepts" },
    accepted: [],
    asked: [],
    forged: [],
    busiest: 0,
    secret: "",
    close: closed(server),
    open: Effect.asVoid(Effect.suspend(() => listening(server, port))),
  }
  return receiver
})

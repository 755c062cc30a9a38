/**
 * Speaks to the test's server in bytes, for what a well-behaved client would never send.
 */
import { Effect } from "effect"
import { connect, type Socket } from "node:net"
import { TestServer } from "./testServer.ts"

export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
}

const answerOf = (text: string): RawAnswer => {
  const [head = "", body = ""] = text.split("\r\n\r\n")
  return { status: Number(head.split(" ")[1] ?? 0), head, body }
}

/** Opens a socket that is closed with the scope. */
export const openSocket = Effect.gen(function* () {
  const { host, port } = yield* TestServer
  return yield* Effect.acquireRelease(
    Effect.callback<Socket>((resume) => {
      const socket = connect(port, host, () => resume(Effect.succeed(socket)))
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy()),
  )
})

/** Sends these bytes and reads until the server closes, or has sent a whole answer with its length. */
export const sendBytes = (bytes: string | Buffer) =>
  Effect.scoped(
    Effect.gen(function* () {
      const socket = yield* openSocket
      return yield* Effect.callback<RawAnswer>((resume) => {
        let text = ""
        const finish = () => resume(Effect.succeed(answerOf(text)))
        socket.on("data", (chunk: Buffer) => {
          text += chunk.toString("utf8")
          const length = /content-length: (\d+)/i.exec(text)?.[1]
          const start = text.indexOf("\r\n\r\n")
          if (length !== undefined && start >= 0 && Buffer.byteLength(text.slice(start + 4)) >= Number(length)) finish()
        })
        socket.on("close", finish)
        socket.write(bytes)
      })
    }),
  )

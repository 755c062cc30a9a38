/**
 * A link to a port of this machine that can be made slow: what goes through it, in either direction, arrives that much
 * later, in order. It ends with the scope, with every connection.
 */
import { Effect } from "effect"
import { connect, createServer, type Socket } from "node:net"

export interface SlowLink {
  readonly port: number
  readonly delay: (millis: number) => Effect.Effect<void>
}

export const slowLink = (targetPort: number) =>
  Effect.gen(function* () {
    let delayMillis = 0
    const sockets = new Set<Socket>()
    const pass = (from: Socket, to: Socket) => {
      const waiting: Array<Buffer> = []
      from.on("data", (chunk: Buffer) => {
        if (delayMillis === 0 && waiting.length === 0) return to.write(chunk)
        waiting.push(chunk)
        // Whichever timer comes first takes the chunk that came first: a new delay changes no order.
        return setTimeout(() => to.write(waiting.shift() ?? ""), delayMillis)
      })
    }
    const server = createServer((near) => {
      const far = connect(targetPort, "127.0.0.1")
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(one)
        one
          .on("error", () => undefined)
          .once("close", () => {
            sockets.delete(one)
            other.destroy()
          })
        pass(one, other)
      }
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      }),
    )
    const port = yield* Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    })
    return { port, delay: (millis) => Effect.sync(() => void (delayMillis = millis)) } satisfies SlowLink
  })

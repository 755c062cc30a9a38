/**
 * A link to a port of this machine that fails as networks do: what goes through it may come late, its connections may
 * be cut, or forgotten, as a firewall does that drops what it knew: neither end hears of it, and nothing gets through any
 * more. Must stay true: what has been sent before a cut still arrives, only the answer does not; bytes never change
 * places; everything ends with the scope.
 */
import { Effect } from "effect"
import { connect, createServer, type Socket } from "node:net"

export interface FrailLink {
  readonly port: number
  /** From now on everything arrives that much later, either way. */
  readonly delay: (millis: number) => Effect.Effect<void>
  /** Cuts the connections that opened with this text, and says how many. */
  readonly cut: (opening: string) => Effect.Effect<number>
  /** Forgets every connection there is; the far end is told that it is over, the near one nothing. */
  readonly forget: Effect.Effect<void>
  /** Tells the near ends of what was forgotten, as a firewall or the keep-alive of TCP does in the end. */
  readonly reset: Effect.Effect<void>
}

interface Connection {
  readonly near: Socket
  readonly far: Socket
  opening: string
  isForgotten: boolean
}

export const frailLink = (targetPort: number) =>
  Effect.gen(function* () {
    let delayMillis = 0
    const connections = new Set<Connection>()

    const pass = (connection: Connection, from: Socket, to: Socket) => {
      const waiting: Array<Buffer> = []
      const send = () => {
        const chunk = waiting.shift()
        if (chunk !== undefined && !connection.isForgotten) to.write(chunk)
      }
      from.on("data", (chunk: Buffer) => {
        if (from === connection.near && connection.opening === "") connection.opening = chunk.toString("latin1")
        const isFirst = waiting.push(chunk) === 1
        // Whichever timer comes first takes the chunk that came first: a new delay changes no order.
        if (delayMillis === 0 && isFirst) send()
        else setTimeout(send, delayMillis)
      })
      from
        .on("error", () => undefined)
        .once("close", () => {
          if (connection.isForgotten && from === connection.far) return
          connections.delete(connection)
          to.end()
        })
    }

    const server = createServer({ allowHalfOpen: false }, (near) => {
      const connection = { near, far: connect(targetPort, "127.0.0.1"), opening: "", isForgotten: false }
      connections.add(connection)
      pass(connection, near, connection.far)
      pass(connection, connection.far, near)
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        server.close()
        for (const { far, near } of connections) for (const socket of [far, near]) socket.destroy()
      }),
    )
    const port = yield* Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    })
    return {
      port,
      delay: (millis) => Effect.sync(() => void (delayMillis = millis)),
      cut: (opening) =>
        Effect.sync(() => {
          const chosen = [...connections].filter((connection) => connection.opening.includes(opening))
          for (const { near } of chosen) near.destroy()
          return chosen.length
        }),
      forget: Effect.sync(() => {
        for (const connection of connections) {
          connection.isForgotten = true
          connection.far.end()
        }
      }),
      reset: Effect.sync(() => {
        for (const { isForgotten, near } of connections) if (isForgotten) near.destroy()
      }),
    } satisfies FrailLink
  })

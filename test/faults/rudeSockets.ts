/**
 * Connections of clients that do not behave: bytes are sent, and what happens next is the test's to say. Each is closed
 * with the scope at the latest.
 */
import { Effect } from "effect"
import { connect, type Socket } from "node:net"
import type { Line } from "./wire.ts"

/** One that is open, and has sent these bytes if any. */
export const openSocket = (url: string, bytes = "") =>
  Effect.acquireRelease(
    Effect.callback<Socket>((resume) => {
      const { hostname, port } = new URL(url)
      const socket = connect({ host: hostname, port: Number(port) }, () => {
        if (bytes === "") resume(Effect.succeed(socket))
        else socket.write(bytes, () => resume(Effect.succeed(socket)))
      })
      // The service may end it whenever it likes; nobody here minds.
      socket.on("error", () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.destroy()),
  )

export const openSockets = (url: string, all: ReadonlyArray<string>) =>
  Effect.forEach(all, (bytes) => openSocket(url, bytes), { concurrency: 64 })

export interface RudeOrder {
  readonly token: string
  readonly key: string
  readonly lines: ReadonlyArray<Line>
}

/** A whole order, as bytes. */
export const orderBytes = ({ key, lines, token }: RudeOrder): string => {
  const body = JSON.stringify({ lines })
  return [
    "POST /v1/orders HTTP/1.1",
    "host: shop.example",
    `authorization: Bearer ${token}`,
    `idempotency-key: ${key}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ].join("\r\n")
}

export const readBytes = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: shop.example\r\n\r\n`

/**
 * A link to PostgreSQL that loses what it is told to lose: a proxy in between, on a port of its own. `open` passes
 * everything; `answersLost` lets requests through and cuts the line when the answer comes; `silent` swallows answers.
 */
import type { PgConnection } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Server, type Socket } from "node:net"

export type LinkMode = "open" | "answersLost" | "silent"

export interface LossyLink {
  mode: LinkMode
  readonly address: PgConnection.Config
}

const upstreamOf = (address: PgConnection.Config): NetConnectOpts => {
  if (address.path !== undefined) return { path: address.path }
  const url = address.url === undefined ? null : new URL(Redacted.value(address.url))
  const host = address.host ?? url?.hostname ?? "127.0.0.1"
  const port = address.port ?? Number(url?.port === "" ? 5432 : (url?.port ?? 5432))
  return host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
}

const listening = (server: Server) =>
  Effect.callback<number>((resume) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      resume(Effect.succeed(port))
    })
  })

export const make = (address: PgConnection.Config) =>
  Effect.gen(function* () {
    const sockets = new Set<Socket>()
    const state: { mode: LinkMode } = { mode: "open" }
    const server = createServer((client) => {
      const upstream = connect(upstreamOf(address))
      const cut = (): void => {
        client.destroy()
        upstream.destroy()
      }
      for (const socket of [client, upstream]) {
        sockets.add(socket)
        socket.on("error", cut).on("close", () => {
          sockets.delete(socket)
          cut()
        })
      }
      client.on("data", (request) => upstream.write(request))
      upstream.on("data", (answer) => {
        if (state.mode === "open") client.write(answer)
        else if (state.mode === "answersLost") cut()
      })
    })
    yield* Effect.addFinalizer(() =>
      Effect.callback<void>((resume) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resume(Effect.void))
      }),
    )
    const port = yield* listening(server)
    const link: LossyLink = Object.assign(state, { address: { ...address, host: "127.0.0.1", port, path: undefined } })
    return link
  })

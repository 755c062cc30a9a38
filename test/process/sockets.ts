/**
 * Orders over one socket each, as many at once as are asked for: what a library's pool would hide.
 */
import { Effect } from "effect"
import { type ClientRequest, type IncomingMessage, request } from "node:http"
import type { OrderRequest } from "../../src/demo/ShopClient.ts"

export interface SocketAnswer {
  readonly key: string
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: string
}

const bodyOf = ({ productId, quantity }: OrderRequest) => JSON.stringify({ lines: [{ productId, quantity }] })

const open = (url: string, order: OrderRequest, headers: Readonly<Record<string, string>>): ClientRequest =>
  request(`${url}/v1/orders`, {
    method: "POST",
    agent: false,
    headers: {
      authorization: `Bearer ${order.token}`,
      "idempotency-key": order.key,
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(bodyOf(order))),
      ...headers,
    },
  })

const answerTo = (order: OrderRequest, sent: ClientRequest): Effect.Effect<SocketAnswer> =>
  Effect.callback((resume) => {
    sent.once("error", (error) =>
      resume(Effect.succeed({ key: order.key, status: 0, retryAfter: undefined, body: error.message })),
    )
    sent.once("response", (response: IncomingMessage) => {
      let body = ""
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
      response.once("end", () => {
        const retryAfter = response.headers["retry-after"]
        resume(Effect.succeed({ key: order.key, status: response.statusCode ?? 0, retryAfter, body }))
      })
    })
  })

/** Each on a socket of its own; a status of 0 is a connection that broke. */
export const placeAtOnce = (url: string, orders: ReadonlyArray<OrderRequest>) =>
  Effect.forEach(
    orders,
    (order) =>
      Effect.suspend(() => {
        const sent = open(url, order, {})
        sent.end(bodyOf(order))
        return answerTo(order, sent)
      }),
    { concurrency: "unbounded" },
  )

/** Requests that the service has begun to read: it said "100 Continue" to each, and waits for their bodies. */
export const beginOrders = (url: string, orders: ReadonlyArray<OrderRequest>) =>
  Effect.forEach(
    orders,
    (order) =>
      Effect.callback<Effect.Effect<SocketAnswer>, Error>((resume) => {
        const sent = open(url, order, { expect: "100-continue" })
        sent.once("error", (error) => resume(Effect.fail(error)))
        sent.once("continue", () => {
          const answer = Effect.suspend(() => {
            sent.end(bodyOf(order))
            return answerTo(order, sent)
          })
          resume(Effect.succeed(answer))
        })
        sent.flushHeaders()
      }),
    { concurrency: "unbounded" },
  )

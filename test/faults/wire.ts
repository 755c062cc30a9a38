/**
 * Requests over kept sockets, with their answers as they came: the moment of each, its bytes, and nothing believed that
 * is not the service's own word. Must stay true: a request is sent once, and never again behind the caller's back.
 */
import { Effect, Option, Schema } from "effect"
import { Agent, type IncomingMessage, request } from "node:http"

/** Longer than any fault here lasts; whoever waits for it has lost the connection. */
const answerMaxMillis = 40_000

export interface Exchange {
  readonly method: "GET" | "POST"
  readonly path: string
  readonly token?: string | undefined
  readonly key?: string
  readonly json?: unknown
}

export interface WireAnswer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly isReplayed: boolean
  readonly body: string
}

/** Sockets that a crowd keeps. */
export const makeAgent = (socketsMax: number) => new Agent({ keepAlive: true, maxSockets: socketsMax })

/** The answer, or null where the connection broke or gave nothing. */
export const exchange = (agent: Agent, url: string, sent: Exchange): Effect.Effect<WireAnswer | null> =>
  Effect.callback<WireAnswer | null>((resume) => {
    const lost = () => resume(Effect.succeed(null))
    const body = sent.json === undefined ? "" : JSON.stringify(sent.json)
    const outgoing = request(
      `${url}${sent.path}`,
      {
        agent,
        method: sent.method,
        timeout: answerMaxMillis,
        headers: {
          ...(sent.token === undefined ? {} : { authorization: `Bearer ${sent.token}` }),
          ...(sent.key === undefined ? {} : { "idempotency-key": sent.key }),
          ...(body === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        },
      },
      (incoming: IncomingMessage) => {
        let text = ""
        incoming.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
        incoming.once("error", lost)
        incoming.once("close", () => (incoming.complete ? resume(Effect.succeed(read(incoming, text))) : lost()))
      },
    )
    outgoing.once("error", lost).once("timeout", () => outgoing.destroy())
    outgoing.end(body)
    return Effect.sync(() => outgoing.destroy())
  })

const read = ({ headers, statusCode = 0 }: IncomingMessage, body: string): WireAnswer => ({
  status: statusCode,
  retryAfter: headers["retry-after"],
  isReplayed: headers["idempotency-replayed"] === "true",
  body,
})

export interface Line {
  readonly productId: string
  readonly quantity: number
}

/** What the service said to an order. */
export type OrderAnswer =
  | { readonly _tag: "placed"; readonly orderId: string; readonly isReplayed: boolean }
  | {
      readonly _tag: "out_of_stock"
      readonly isRetryable: boolean
      /** What was left of the products that were short. */
      readonly available: ReadonlyMap<string, number>
    }
  | { readonly _tag: "busy" }
  | { readonly _tag: "unknown" }
  | { readonly _tag: "lost" }
  /** Nothing that the contract knows for an order that is right. */
  | { readonly _tag: "strange"; readonly status: number; readonly body: string }

const decodeOrder = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ id: Schema.String })))
const decodeProblem = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({
      status: Schema.Int,
      code: Schema.String,
      retryable: Schema.Boolean,
      lines: Schema.optionalKey(
        Schema.Array(Schema.Struct({ productId: Schema.String, requested: Schema.Int, available: Schema.Int })),
      ),
    }),
  ),
)

export const orderAnswerOf = (answer: WireAnswer | null): OrderAnswer => {
  if (answer === null) return { _tag: "lost" }
  const { body, isReplayed, retryAfter, status } = answer
  const strange: OrderAnswer = { _tag: "strange", status, body }
  if (status === 201) {
    return Option.match(decodeOrder(body), {
      onNone: () => strange,
      onSome: ({ id }): OrderAnswer => ({ _tag: "placed", orderId: id, isReplayed }),
    })
  }
  const problem = Option.getOrUndefined(decodeProblem(body))
  if (problem?.status !== status) return strange
  if (status === 409 && problem.code === "out_of_stock") {
    const available = new Map((problem.lines ?? []).map((line) => [line.productId, line.available]))
    return { _tag: "out_of_stock", isRetryable: problem.retryable, available }
  }
  if (status !== 503 || !(Number(retryAfter) > 0) || !problem.retryable) return strange
  if (problem.code === "busy") return { _tag: "busy" }
  return problem.code === "outcome_unknown" ? { _tag: "unknown" } : strange
}

/** One order, asked for once. */
export const placeOrder = (
  agent: Agent,
  url: string,
  order: { readonly token: string; readonly key: string; readonly lines: ReadonlyArray<Line> },
) =>
  exchange(agent, url, {
    method: "POST",
    path: "/v1/orders",
    token: order.token,
    key: order.key,
    json: { lines: order.lines },
  })

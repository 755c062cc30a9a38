/**
 * Answers what never became a request: bytes that are not HTTP, headers that are too large or too slow, expectations
 * that nobody meets. Node gives such to nobody else, and its own answer has no body; ours is a problem like any other.
 */
import { ProblemDetails } from "effect/http"
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { problemOf } from "./problems.ts"
import { requestIdFrom, requestIdHeader } from "./RequestId.ts"

interface Meaning {
  readonly status: number
  readonly detail: string
  readonly retryable: boolean
}

const meanings: Readonly<Record<string, Meaning>> = {
  // Nothing is decided before a request is there as a whole, so it may be sent again.
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: "The request took too long to arrive.", retryable: true },
  HPE_HEADER_OVERFLOW: { status: 431, detail: "The headers are too large.", retryable: false },
}
const expectation: Meaning = { status: 417, detail: "No expectation but 100-continue is met.", retryable: false }
const notHttp: Meaning = { status: 400, detail: "This is not an HTTP request.", retryable: false }

const answerOf = ({ status, ...meaning }: Meaning) => {
  const requestId = requestIdFrom(undefined)
  const title = STATUS_CODES[status] ?? ""
  const body = JSON.stringify(problemOf({ status, code: "malformed", title, ...meaning }, requestId))
  return { status, title, requestId, body }
}

export const answerBrokenRequest = (error: Error & { readonly code?: string }, socket: Duplex): void => {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy()
    return
  }
  const { body, requestId, status, title } = answerOf(meanings[error.code ?? ""] ?? notHttp)
  socket.end(
    [
      `HTTP/1.1 ${status} ${title}`,
      `Content-Type: ${ProblemDetails.contentType}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${requestId}`,
      "Connection: close",
      "",
      body,
    ].join("\r\n"),
  )
}

/** What Node would answer with an empty 417: an `Expect` header that it does not know. */
export const answerExpectation = (_request: IncomingMessage, response: ServerResponse): void => {
  const { body, requestId, status } = answerOf(expectation)
  response
    .writeHead(status, {
      "content-type": ProblemDetails.contentType,
      "content-length": Buffer.byteLength(body),
      [requestIdHeader]: requestId,
    })
    .end(body)
}

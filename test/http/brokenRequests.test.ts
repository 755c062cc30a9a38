import { assert, describe, it } from "@effect/vitest"
import { PassThrough } from "node:stream"
import { answerBrokenRequest } from "../../src/http/brokenRequests.ts"

/** What is written to a socket whose request broke in this way. */
const answerTo = (code: string): { readonly head: string; readonly problem: unknown } => {
  const socket = new PassThrough()
  answerBrokenRequest(Object.assign(new Error(code), { code }), socket)
  const [head = "", body = ""] = String(socket.read()).split("\r\n\r\n")
  return { head, problem: JSON.parse(body) }
}

describe("A request that never became one", () => {
  it("may be sent again where it was only slow, since nothing is decided before it is there", () => {
    const { head, problem } = answerTo("ERR_HTTP_REQUEST_TIMEOUT")
    assert.match(head, /^HTTP\/1\.1 408 /)
    assert.deepInclude(problem, { status: 408, code: "malformed", retryable: true })
  })

  it("is not worth repeating where it is no HTTP, or has too much of a head", () => {
    assert.deepInclude(answerTo("HPE_INVALID_METHOD").problem, { status: 400, retryable: false })
    assert.deepInclude(answerTo("HPE_HEADER_OVERFLOW").problem, { status: 431, retryable: false })
  })
})

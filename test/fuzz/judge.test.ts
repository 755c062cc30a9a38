import { assert, describe, it } from "@effect/vitest"
import { OpenApi } from "effect/http-api"
import { Api } from "../../src/http/contract/Api.ts"
import type { Answer } from "./client.ts"
import { readContract } from "./contract.ts"
import { flawedJson } from "./flaws.ts"
import { type Judged, makeJudge } from "./judge.ts"

const contract = readContract(JSON.parse(JSON.stringify(OpenApi.fromApi(Api))))
const judge = makeJudge(contract, ["the secret of all tokens"])

const id = "01a216eb-bc0c-7716-9bce-1f8dde36fc1d"
const requestId = "0123456789abcdef-1"
const merchant = { id, name: "Lamps", status: "approved" }

const problem = {
  type: "urn:hedonify:problem:not_found",
  title: "Not found",
  status: 404,
  detail: "There is nothing here, or nothing that you may see.",
  code: "not_found",
  retryable: false,
  requestId,
}

const answerOf = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer => {
  const type = status < 400 ? "application/json" : "application/problem+json"
  const all = { "content-type": type, "x-request-id": requestId, ...headers }
  const text = typeof body === "string" ? body : JSON.stringify(body)
  return { status, headers: new Map(Object.entries(all).map(([name, value]) => [name, [value]])), text, hasBody: true }
}

/** What is wrong with this answer to the approval of a merchant. */
const faultsOf = (answer: Answer, more: Partial<Judged> = {}) =>
  judge.faultsOf({
    request: { method: "POST", target: `/v1/merchants/${id}/approve`, headers: [] },
    answer,
    isBroken: false,
    isRaw: false,
    fits: true,
    ...more,
  })

const refused = (change: Readonly<Record<string, unknown>>, headers: Readonly<Record<string, string>> = {}) =>
  faultsOf(answerOf(Number(change["status"] ?? 404), { ...problem, ...change }, headers))

describe("The judge of answers", () => {
  it("has nothing to say of what the document tells", () => {
    assert.deepStrictEqual(faultsOf(answerOf(200, merchant)), [])
    assert.deepStrictEqual(refused({}), [])
    const busy = { ...problem, status: 503, code: "busy", type: "urn:hedonify:problem:busy", retryable: true }
    assert.deepStrictEqual(refused(busy, { "retry-after": "1" }), [])
  })

  it("finds what the document does not tell: a status, a code, a field, a type, a missing header", () => {
    const forbidden = { status: 409, code: "not_found" }
    assert.deepStrictEqual(refused(forbidden), ["merchants.approve does not document 409"])
    assert.deepStrictEqual(refused({ code: "gone", type: "urn:hedonify:problem:gone" }), [
      "404 is not documented with the code gone",
    ])
    assert.match(String(faultsOf(answerOf(200, { ...merchant, owner: id }))), /must NOT have additional properties/)
    assert.match(String(faultsOf(answerOf(200, { ...merchant, status: "closed" }))), /must be equal to one of/)
    assert.match(String(faultsOf(answerOf(200, { id, name: "Lamps" }))), /must have required property 'status'/)
    assert.deepStrictEqual(faultsOf(answerOf(200, merchant, { "content-type": "text/html" })), [
      "its content type is text/html",
    ])
    const nameless = answerOf(200, merchant)
    const headers = new Map([...nameless.headers].filter(([name]) => name !== "x-request-id"))
    assert.include(faultsOf({ ...nameless, headers }), "X-Request-Id is missing")
  })

  it("finds a problem that is none: half of it, another status, another request, no word on when to come back", () => {
    assert.match(String(refused({ retryable: undefined })), /must have required property 'retryable'/)
    assert.include(String(faultsOf(answerOf(404, { ...problem, status: 400 }))), "the problem says 400")
    assert.include(refused({ requestId: "another" }), "the problem names another request than its header")
    const busy = { status: 503, code: "busy", type: "urn:hedonify:problem:busy" }
    assert.deepStrictEqual(refused(busy), ["Retry-After belongs to 429 and 503"])
    assert.deepStrictEqual(faultsOf(answerOf(404, "<h1>", { "content-type": "text/html" })), [
      "a refusal with 404 is no problem",
      "its content type is text/html",
    ])
  })

  it("finds a mistake of ours, whatever it says", () => {
    const internal = { status: 500, code: "internal", type: "urn:hedonify:problem:internal" }
    assert.deepStrictEqual(refused(internal), ["it is answered with 500"])
  })

  it("finds what the document refuses and the service takes, and the other way round", () => {
    assert.deepStrictEqual(faultsOf(answerOf(200, merchant), { fits: false }), [
      "the document says that it does not fit, and it is taken",
    ])
    const malformed = { status: 400, code: "malformed", type: "urn:hedonify:problem:malformed" }
    assert.include(refused(malformed), "the document says that it fits, and it is not read")
  })

  it("finds what leaks", () => {
    for (const leak of [
      "TypeError: Cannot read properties of undefined (reading 'id')",
      "    at placeOne (file:///srv/hedonify/src/orders/placing.ts:12:3)",
      "/app/node_modules/effect/dist/Effect.js",
      'duplicate key value violates unique constraint "orders_key"',
      "select id from accounts where email = $1",
      "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
      "the secret of all tokens",
      "eyJhbGciOiJIUzI1NiJ9.eyJzaWQiOiJub2JvZHkifQ.c2lnbmF0dXJlc2lnbmF0dXJl",
      "SqlError",
      "connect ECONNREFUSED 127.0.0.1:5432",
    ]) {
      const found = refused({ detail: leak })
      assert.isTrue(found.length > 0 && found.every((fault) => fault.startsWith("it leaks ")), leak)
    }
    assert.match(String(faultsOf(answerOf(200, merchant, { "x-powered-by": "SqlClient" }))), /it leaks/)
  })
})

describe("A flaw in a field", () => {
  const order = { lines: [{ productId: id, quantity: 1 }] }

  it("is put where no value of JavaScript could stand", () => {
    const quantity = flawedJson(order, { kind: "replaced", at: 3, by: "1e400" })
    assert.strictEqual(quantity, `{"lines":[{"productId":"${id}","quantity":1e400}]}`)
  })

  it("can be a field left out, one too many, or a line many times", () => {
    assert.strictEqual(flawedJson(order, { kind: "missing", at: 0 }), "{}")
    const added = flawedJson(order, { kind: "added", at: 0, name: "__proto__", value: '{"isAdmin":true}' })
    assert.strictEqual(added, `{"lines":[{"productId":"${id}","quantity":1}],"__proto__":{"isAdmin":true}}`)
    assert.strictEqual(JSON.parse(flawedJson(order, { kind: "repeated", at: 0, times: 101 })).lines.length, 101)
  })
})

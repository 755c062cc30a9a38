import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { sendBytes } from "./rawSocket.ts"
import { type Answer, call, newCustomer, testServer } from "./testServer.ts"

const assertProblem = (answer: Answer, status: number, code: string) => {
  assert.strictEqual(answer.status, status, answer.text)
  assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
  assert.strictEqual(answer.body["code"], code)
  assert.strictEqual(answer.body["status"], status)
  assert.strictEqual(answer.body["type"], `urn:hedonify:problem:${code}`)
  assert.isString(answer.body["title"])
  assert.isString(answer.body["detail"])
  assert.isBoolean(answer.body["retryable"])
  assert.strictEqual(answer.body["requestId"], answer.headers.get("x-request-id"))
}

const pointers = (answer: Answer): ReadonlyArray<string> => {
  const errors = answer.body["errors"]
  return Array.isArray(errors) ? errors.map((error: { readonly pointer: string }) => error.pointer) : []
}

const signUp = (raw: BodyInit, headers: Readonly<Record<string, string>> = {}) => call("/v1/accounts", { raw, headers })

const person = { email: "someone@example.com", password: "a long enough password", name: "Someone" }

layer(testServer, { excludeTestServices: true })("requests that do not fit", (it) => {
  it.effect("broken, empty and half JSON cannot be parsed", () =>
    Effect.gen(function* () {
      for (const raw of ["{", "", '{"email": "a@b.c"', "email=a", "{'email': 1}", '{"a":1}}', "\u0000", '"\u0001"']) {
        assertProblem(yield* signUp(raw), 400, "malformed")
      }
    }),
  )

  it.effect("bytes that are not UTF-8 cannot be parsed", () =>
    Effect.gen(function* () {
      const bytes = Buffer.concat([
        Buffer.from('{"email":"'),
        Buffer.from([0xff, 0xfe, 0xed, 0xa0, 0x80]),
        Buffer.from('"}'),
      ])
      assertProblem(yield* signUp(bytes), 400, "malformed")
    }),
  )

  it.effect("ten thousand levels of JSON are refused before they are parsed", () =>
    Effect.gen(function* () {
      assertProblem(yield* signUp("[".repeat(10_000)), 400, "malformed")
      assertProblem(yield* signUp("[".repeat(10_000) + "]".repeat(10_000)), 400, "malformed")
      assertProblem(yield* signUp('{"a":'.repeat(5_000) + "1" + "}".repeat(5_000)), 400, "malformed")
      // Brackets in a text nest nothing.
      const name = "[{".repeat(50)
      const answer = yield* call("/v1/accounts", { json: { ...person, email: "brackets@example.com", name } })
      assert.strictEqual(answer.body["name"], name)
    }),
  )

  it.effect("JSON of another shape is told where it does not fit", () =>
    Effect.gen(function* () {
      for (const raw of ["null", "[]", "42", '"text"', "true"]) assertProblem(yield* signUp(raw), 422, "invalid")
      const answer = yield* signUp(JSON.stringify({ email: 1, password: null }))
      assertProblem(answer, 422, "invalid")
      assert.deepStrictEqual([...pointers(answer)].sort(), ["/email", "/name", "/password"])
    }),
  )

  it.effect("10 MB are refused at once, declared or not", () =>
    Effect.gen(function* () {
      const answer = yield* signUp(JSON.stringify({ ...person, name: "x".repeat(65_536) }))
      assertProblem(answer, 413, "too_large")

      const declared = yield* sendBytes(
        "POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10485760\r\n\r\n{",
      )
      assert.strictEqual(declared.status, 413)
      assert.match(declared.body, /too_large/)

      const megabyte = `100000\r\n${"x".repeat(0x100000)}\r\n`
      const chunked = yield* sendBytes(
        `POST /v1/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${megabyte.repeat(10)}`,
      )
      assert.strictEqual(chunked.status, 413)
      assert.match(chunked.body, /too_large/)
    }),
  )

  it.effect("only JSON in UTF-8 is read", () =>
    Effect.gen(function* () {
      const body = JSON.stringify(person)
      for (const type of [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin1",
      ]) {
        assertProblem(yield* signUp(body, { "content-type": type }), 415, "unsupported_media_type")
      }
      assertProblem(yield* signUp(body, { "content-encoding": "gzip" }), 415, "unsupported_media_type")
      const answer = yield* signUp(body, { "content-type": "application/json; charset=UTF-8" })
      assert.strictEqual(answer.status, 201)
    }),
  )

  it.effect("unknown paths are 404, wrong methods 405 with what the path answers", () =>
    Effect.gen(function* () {
      for (const path of [
        "/",
        "/v1",
        "/v1/accounts/",
        "/v1/nothing",
        "/%ff",
        "/v1/products/%00",
        "/v1/products/..%2f",
      ]) {
        assertProblem(yield* call(path), 404, "not_found")
      }
      const wrong = yield* call("/v1/accounts", { method: "PUT", json: person })
      assertProblem(wrong, 405, "method_not_allowed")
      assert.strictEqual(wrong.headers.get("allow"), "POST")
      const product = yield* call("/v1/products", { method: "DELETE" })
      assert.strictEqual(product.headers.get("allow"), "GET, HEAD, POST")
      assertProblem(yield* call("/openapi.json", { method: "POST", json: {} }), 405, "method_not_allowed")
    }),
  )

  it.effect("a path is its own letter by letter: no other case, no further slash", () =>
    Effect.gen(function* () {
      for (const path of ["/V1/products", "/v1/Products", "//v1/products", "/v1//products", "/v1/products/"]) {
        assertProblem(yield* call(path), 404, "not_found")
      }
      assertProblem(yield* call("/v1/accounts/", { json: person }), 404, "not_found")
      assert.strictEqual((yield* call("/v1/products")).status, 200)
    }),
  )

  it.effect("NUL bytes, lone surrogates and control characters in names are told apart from text", () =>
    Effect.gen(function* () {
      for (const name of [
        "a\u0000b",
        "\ud800",
        "a\udc00",
        "line\nbreak",
        "\u001b[31m",
        "\u0085",
        "   ",
        "x".repeat(201),
      ]) {
        const answer = yield* signUp(JSON.stringify({ ...person, name }))
        assertProblem(answer, 422, "invalid")
        assert.deepStrictEqual(pointers(answer), ["/name"])
      }
      const nulEmail = yield* signUp(JSON.stringify({ ...person, email: "a\u0000@example.com" }))
      assertProblem(nulEmail, 422, "invalid")
    }),
  )

  it.effect("names of 200 characters, emoji and SQL are kept letter by letter", () =>
    Effect.gen(function* () {
      const names = ["'); drop table accounts; --", "😀".repeat(200), "Ünïcödé עברית 日本語", "%_\\ $1 ${x}"]
      for (const [index, name] of names.entries()) {
        const answer = yield* signUp(JSON.stringify({ ...person, email: `kept-${index}@example.com`, name }))
        assert.strictEqual(answer.status, 201, answer.text)
        assert.strictEqual(answer.body["name"], name)
      }
    }),
  )

  it.effect("a password may be odd, but not NUL", () =>
    Effect.gen(function* () {
      const password = "pässwörd 日本語 ' \" \\"
      const email = "odd@example.com"
      assert.strictEqual((yield* call("/v1/accounts", { json: { ...person, email, password } })).status, 201)
      assert.strictEqual((yield* call("/v1/sessions", { json: { email, password } })).status, 201)
      assertProblem(yield* call("/v1/accounts", { json: { ...person, password: "nul\u0000 inside" } }), 422, "invalid")
    }),
  )

  it.effect("what is not HTTP gets a problem, too", () =>
    Effect.gen(function* () {
      const garbage = yield* sendBytes("\u0016\u0003\u0001 this is no HTTP\r\n\r\n")
      assert.strictEqual(garbage.status, 400)
      assert.match(garbage.head, /application\/problem\+json/)
      assert.strictEqual(JSON.parse(garbage.body).code, "malformed")
      const headers = yield* sendBytes(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${"x".repeat(40_000)}\r\n\r\n`)
      assert.strictEqual(headers.status, 431)
    }),
  )

  it.effect("a request that names no host, or expects what nobody does, gets a problem, too", () =>
    Effect.gen(function* () {
      const answers = [
        [400, yield* sendBytes("GET /v1/products HTTP/1.1\r\n\r\n")],
        [417, yield* sendBytes("GET /v1/products HTTP/1.1\r\nHost: x\r\nExpect: the-unexpected\r\n\r\n")],
      ] as const
      for (const [status, answer] of answers) {
        assert.strictEqual(answer.status, status)
        assert.match(answer.head, /application\/problem\+json/)
        const problem = JSON.parse(answer.body)
        assert.include(problem, { status, code: "malformed", retryable: false })
        assert.include(answer.head.toLowerCase(), `x-request-id: ${problem.requestId}`)
      }
      // HTTP/1.0 knew no Host.
      assert.strictEqual((yield* sendBytes("GET /v1/products HTTP/1.0\r\n\r\n")).status, 200)
    }),
  )

  it.effect("a request id of the caller's own comes back when it is sane", () =>
    Effect.gen(function* () {
      const own = yield* call("/health/live", { headers: { "x-request-id": "checkout-42" } })
      assert.strictEqual(own.headers.get("x-request-id"), "checkout-42")
      for (const odd of ["two words", "x".repeat(129), "<script>"]) {
        const made = yield* call("/health/live", { headers: { "x-request-id": odd } })
        assert.match(String(made.headers.get("x-request-id")), /^[0-9a-f]{16}-\d+$/)
      }
    }),
  )

  it.effect("a list's parameters are checked", () =>
    Effect.gen(function* () {
      const { token } = yield* newCustomer()
      for (const query of [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=1.5",
        "limit=",
        "limit=1&limit=2",
        "starting_after=x",
      ]) {
        const answer = yield* call(`/v1/merchants?${query}`, { token })
        assertProblem(answer, 422, "invalid")
        assert.deepStrictEqual(pointers(answer), [`/${query.split("=")[0]}`])
      }
    }),
  )
})

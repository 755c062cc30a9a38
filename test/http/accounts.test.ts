import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { adminToken, call, newCustomer, testServer } from "./testServer.ts"

const person = (email: string) => ({ email, password: "a long enough password", name: "Ada Lovelace" })

layer(testServer, { excludeTestServices: true })("accounts and sessions", (it) => {
  it.effect("a person signs up, signs in, asks who they are, and signs out", () =>
    Effect.gen(function* () {
      const signedUp = yield* call("/v1/accounts", { json: person("ada@example.com") })
      assert.strictEqual(signedUp.status, 201, signedUp.text)
      assert.deepStrictEqual(
        { ...signedUp.body, id: undefined },
        { id: undefined, email: "ada@example.com", name: "Ada Lovelace", roles: ["customer"] },
      )

      const signedIn = yield* call("/v1/sessions", {
        json: { email: "ADA@example.com", password: "a long enough password" },
      })
      assert.strictEqual(signedIn.status, 201, signedIn.text)
      assert.match(String(signedIn.body["expiresAt"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      const token = String(signedIn.body["token"])

      const me = yield* call("/v1/me", { token })
      assert.strictEqual(me.status, 200)
      assert.deepStrictEqual(me.body, signedUp.body)

      const signedOut = yield* call("/v1/sessions/current", { method: "DELETE", token })
      assert.strictEqual(signedOut.status, 204)
      assert.strictEqual(signedOut.text, "")

      const after = yield* call("/v1/me", { token })
      assert.strictEqual(after.status, 401)
      assert.strictEqual(after.body["code"], "unauthenticated")
    }),
  )

  it.effect("an e-mail address has one account, however it is written", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* call("/v1/accounts", { json: person("grace@example.com") })).status, 201)
      const second = yield* call("/v1/accounts", { json: person("GRACE@Example.com") })
      assert.strictEqual(second.status, 409)
      assert.strictEqual(second.body["code"], "email_taken")
    }),
  )

  it.effect("a wrong password and an unknown address get the same answer", () =>
    Effect.gen(function* () {
      const { email } = yield* newCustomer()
      const wrong = yield* call("/v1/sessions", { json: { email, password: "something else" } })
      const unknown = yield* call("/v1/sessions", { json: { email: "nobody@example.com", password: "something else" } })
      assert.strictEqual(wrong.status, 401)
      assert.strictEqual(wrong.body["code"], "bad_credentials")
      assert.deepStrictEqual({ ...wrong.body, requestId: "" }, { ...unknown.body, requestId: "" })
    }),
  )

  it.effect("guessing is slowed with 429 and Retry-After, and the right password has to wait, too", () =>
    Effect.gen(function* () {
      const { email } = yield* newCustomer()
      for (let attempt = 0; attempt < 10; attempt++) {
        const guess = yield* call("/v1/sessions", { json: { email, password: `guess ${attempt}` } })
        assert.strictEqual(guess.status, 401)
      }
      const slowed = yield* call("/v1/sessions", { json: { email, password: "a long enough password" } })
      assert.strictEqual(slowed.status, 429)
      assert.strictEqual(slowed.body["code"], "too_many_requests")
      assert.isAtLeast(Number(slowed.headers.get("retry-after")), 1)
      const other = yield* call("/v1/sessions", { json: { email: "somebody-else@example.com", password: "x" } })
      assert.strictEqual(other.status, 401)
    }),
  )

  it.effect("the admin of the settings can sign in and is one", () =>
    Effect.gen(function* () {
      const me = yield* call("/v1/me", { token: yield* adminToken() })
      assert.deepStrictEqual(me.body["roles"], ["customer", "admin"])
    }),
  )

  it.effect("what a person may be called is checked, and the answer points at each misfit", () =>
    Effect.gen(function* () {
      const answer = yield* call("/v1/accounts", { json: { email: "no address", password: "short", name: "" } })
      assert.strictEqual(answer.status, 422)
      assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
      const errors = answer.body["errors"]
      assert.isArray(errors)
      assert.deepStrictEqual(
        new Set(Array.isArray(errors) ? errors.map((error: { pointer: string }) => error.pointer) : []),
        new Set(["/email", "/password", "/name"]),
      )
    }),
  )
})

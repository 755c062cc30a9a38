import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { call, testServer, testServerWith } from "./testServer.ts"

const preflight = (origin: string) =>
  call("/v1/orders", { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } })

it.live("without a setting no page of another origin may call", () =>
  Effect.gen(function* () {
    const answer = yield* call("/v1/products", { headers: { origin: "https://shop.example" } })
    assert.strictEqual(answer.status, 200)
    assert.isNull(answer.headers.get("access-control-allow-origin"))
    const asked = yield* preflight("https://shop.example")
    assert.strictEqual(asked.status, 405)
    assert.isNull(asked.headers.get("access-control-allow-origin"))
  }).pipe(Effect.provide(testServer)),
)

it.live("pages of the origins in the settings may call, others may not", () =>
  Effect.gen(function* () {
    const allowed = yield* preflight("https://shop.example")
    assert.strictEqual(allowed.status, 204)
    assert.strictEqual(allowed.headers.get("access-control-allow-origin"), "https://shop.example")
    const called = yield* call("/v1/nothing", { headers: { origin: "https://shop.example" } })
    assert.strictEqual(called.status, 404)
    assert.strictEqual(called.headers.get("access-control-allow-origin"), "https://shop.example")
    assert.match(String(called.headers.get("access-control-expose-headers")), /X-Request-Id/)
    const other = yield* call("/v1/products", { headers: { origin: "https://evil.example" } })
    assert.isNull(other.headers.get("access-control-allow-origin"))
  }).pipe(Effect.provide(testServerWith({ HEDONIFY_CORS_ORIGINS: "https://shop.example,https://other.example" }))),
)

/** Fails sign-ins for one name after the other, until the network address is slowed. */
const exhaust = (forwardedFor: string) =>
  Effect.gen(function* () {
    for (let attempt = 0; attempt < 300; attempt++) {
      const json = { email: `nobody-${forwardedFor}-${attempt}@example.com`, password: "guess" }
      const answer = yield* call("/v1/sessions", { json, headers: { "x-forwarded-for": forwardedFor } })
      if (answer.status === 429) return
      assert.strictEqual(answer.status, 401)
    }
    assert.fail("the address was never slowed")
  })

const signIn = (forwardedFor: string) =>
  call("/v1/sessions", {
    json: { email: "somebody-else@example.com", password: "guess" },
    headers: { "x-forwarded-for": forwardedFor },
  })

it.live("a trusted proxy's word on who called counts, so one caller's guesses slow nobody else", () =>
  Effect.gen(function* () {
    yield* exhaust("203.0.113.1")
    assert.strictEqual((yield* signIn("203.0.113.1")).status, 429)
    assert.strictEqual((yield* signIn("203.0.113.2")).status, 401)
  }).pipe(Effect.provide(testServerWith({ HEDONIFY_TRUSTED_PROXIES: "127.0.0.1" }))),
)

it.live("nobody else's word counts, so a caller cannot hide behind other names", () =>
  Effect.gen(function* () {
    yield* exhaust("203.0.113.1")
    assert.strictEqual((yield* signIn("203.0.113.2")).status, 429)
  }).pipe(Effect.provide(testServer)),
)

import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SignJWT, UnsecuredJWT } from "jose"
import { call, newCustomer, newMerchant, testServer, tokenSecret, adminToken } from "./testServer.ts"

const secret = new TextEncoder().encode(tokenSecret)

const sessionOf = (token: string): string => {
  const claims: { readonly sid: string } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString())
  return claims.sid
}

const sign = (sid: string, change: (token: SignJWT) => SignJWT, key: Uint8Array = secret, alg = "HS256") =>
  Effect.promise(() =>
    change(new SignJWT({ sid }).setProtectedHeader({ alg }).setIssuer("hedonify").setExpirationTime("1h")).sign(key),
  )

layer(testServer, { excludeTestServices: true })("tokens", (it) => {
  const refused = (token: string) =>
    Effect.gen(function* () {
      const answer = yield* call("/v1/me", { token })
      assert.strictEqual(answer.status, 401, token)
      assert.strictEqual(answer.body["code"], "unauthenticated")
      assert.strictEqual(answer.headers.get("www-authenticate"), "Bearer")
    })

  it.effect("no token, an empty one, garbage and another scheme are refused", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* call("/v1/me")).status, 401)
      for (const authorization of ["", "Bearer", "Bearer ", "Basic YTpi", "bearer", "Token x"]) {
        assert.strictEqual((yield* call("/v1/me", { headers: { authorization } })).status, 401, authorization)
      }
      for (const token of ["x", "a.b.c", "..", "x".repeat(2_000)]) yield* refused(token)
    }),
  )

  it.effect(
    "forged tokens are refused: alg none, another secret, another algorithm, another issuer, a changed payload",
    () =>
      Effect.gen(function* () {
        const { token } = yield* newCustomer()
        const sid = sessionOf(token)
        assert.strictEqual((yield* call("/v1/me", { token })).status, 200)

        yield* refused(new UnsecuredJWT({ sid }).setIssuer("hedonify").setExpirationTime("1h").encode())
        yield* refused(`${Buffer.from('{"alg":"none"}').toString("base64url")}.${token.split(".")[1]}.`)
        yield* refused(
          yield* sign(sid, (jwt) => jwt, new TextEncoder().encode("another secret that is long enough to sign")),
        )
        yield* refused(yield* sign(sid, (jwt) => jwt, Buffer.alloc(64, 7), "HS512"))
        yield* refused(yield* sign(sid, (jwt) => jwt.setIssuer("somebody else")))
        yield* refused(yield* sign("not an id", (jwt) => jwt))
        const [head, , signature] = token.split(".")
        const other = Buffer.from(JSON.stringify({ sid, iss: "hedonify", exp: 4e9 })).toString("base64url")
        yield* refused(`${head}.${other}.${signature}`)
      }),
  )

  it.effect("expired tokens, tokens without an end and tokens of no session are refused", () =>
    Effect.gen(function* () {
      const { token } = yield* newCustomer()
      const sid = sessionOf(token)
      assert.strictEqual((yield* call("/v1/me", { token: yield* sign(sid, (jwt) => jwt) })).status, 200)
      yield* refused(yield* sign(sid, (jwt) => jwt.setExpirationTime(1)))
      yield* refused(
        yield* Effect.promise(() =>
          new SignJWT({ sid }).setProtectedHeader({ alg: "HS256" }).setIssuer("hedonify").sign(secret),
        ),
      )
      yield* refused(yield* sign("0190a0a0-0000-7000-8000-000000000000", (jwt) => jwt))
    }),
  )

  it.effect("tokens of another role are told so: only an admin approves, only a merchant adds products", () =>
    Effect.gen(function* () {
      const customer = yield* newCustomer()
      const merchant = yield* newMerchant()
      for (const { token } of [customer, merchant]) {
        const answer = yield* call(`/v1/merchants/${merchant.merchantId}/approve`, { method: "POST", token })
        assert.strictEqual(answer.status, 403)
        assert.strictEqual(answer.body["code"], "forbidden")
      }
      const product = { name: "Thing", price: { amount: 100, currency: "EUR" }, stock: 1 }
      assert.strictEqual((yield* call("/v1/products", { token: customer.token, json: product })).status, 403)
      assert.strictEqual((yield* call("/v1/products", { token: yield* adminToken(), json: product })).status, 403)
      assert.strictEqual((yield* call("/v1/products", { token: merchant.token, json: product })).status, 201)
    }),
  )
})

/**
 * Who uses the shop of the faults: an account that sells and one that buys, made over the API as anybody's.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { type Exchange, exchange, makeAgent } from "./wire.ts"

/** The tokens of their sessions. */
export interface People {
  readonly merchant: string
  readonly customer: string
}

/** What has to work before anything is broken; the field of the answer that is asked for. */
export const ask = (url: string, sent: Exchange, field: "id" | "token" | "hasMore") =>
  Effect.acquireUseRelease(
    Effect.sync(() => makeAgent(1)),
    (agent) =>
      Effect.map(exchange(agent, url, sent), (answer) => {
        assert.isNotNull(answer)
        assert.isBelow(answer.status, 300, answer.body)
        return String(JSON.parse(answer.body)[field])
      }),
    (agent) => Effect.sync(() => agent.destroy()),
  )

export const invite = Effect.fnUntraced(function* (
  url: string,
  given: { readonly adminEmail: string; readonly adminPassword: string; readonly userPassword: string },
) {
  const post = (path: string, json: unknown, field: "id" | "token", token?: string) =>
    ask(url, { method: "POST", path, json, token }, field)
  const signIn = (email: string, password: string) => post("/v1/sessions", { email, password }, "token")
  const join = Effect.fnUntraced(function* (name: string) {
    const email = `${name}@faults.example`
    yield* post("/v1/accounts", { email, name, password: given.userPassword }, "id")
    return yield* signIn(email, given.userPassword)
  })
  const admin = yield* signIn(given.adminEmail, given.adminPassword)
  const merchant = yield* join("merchant")
  const merchantId = yield* post("/v1/merchants", { name: "Records" }, "id", merchant)
  yield* post(`/v1/merchants/${merchantId}/approve`, {}, "id", admin)
  return { merchant, customer: yield* join("customer") } satisfies People
})

import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { demoAccounts } from "../../src/commands/demoCatalogue.ts"
import { knownPassword } from "../../src/commands/seed.ts"
import { importChunkRows, importRowsMax } from "../../src/domain/bounds.ts"
import { assertVerified } from "./crowd.ts"
import { startService, until, workingFolder } from "./serviceProcess.ts"

interface Answer {
  /** 0 where nobody answered any more. */
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

const lost: Answer = { status: 0, body: {} }

const request = (url: string, init: RequestInit = {}) =>
  Effect.promise((signal) =>
    fetch(url, { ...init, signal }).then(
      (response) =>
        response.json().then(
          (body: Readonly<Record<string, unknown>>): Answer => ({ status: response.status, body }),
          () => lost,
        ),
      () => lost,
    ),
  )

const signIn = Effect.fnUntraced(function* (url: string) {
  const { body } = yield* request(`${url}/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: demoAccounts.merchant.email, password: knownPassword }),
  })
  return String(body["token"])
})

const rows = Array.from({ length: importRowsMax }, (_, index) => `Imported ${index},100,EUR,5`)
const csv = ["name,price.amount,price.currency,stock", ...rows].join("\n")

const sendImport = (url: string, token: string) =>
  request(`${url}/v1/products/import`, {
    method: "POST",
    headers: { "content-type": "text/csv", "idempotency-key": "catalogue", authorization: `Bearer ${token}` },
    body: csv,
  })

/** The ids of the products that an import made, by the list. */
const imported = Effect.fnUntraced(function* (url: string) {
  const ids: Array<string> = []
  let next: unknown = null
  do {
    const after = typeof next === "string" ? `&starting_after=${next}` : ""
    const { body } = yield* request(`${url}/v1/products?q=imported&limit=100${after}`)
    ids.push(...(body["data"] as ReadonlyArray<{ readonly id: string }>).map(({ id }) => id))
    next = body["next"]
  } while (typeof next === "string")
  return ids
})

it.live(
  "an import in whose midst the service was killed is finished by the same request, with each product once",
  () =>
    Effect.gen(function* () {
      const folder = yield* workingFolder
      const first = yield* startService(folder)
      const token = yield* signIn(first.url)
      const sent = yield* Effect.forkScoped(sendImport(first.url, token))
      yield* until(
        "some of it is there",
        Effect.map(request(`${first.url}/v1/products?q=imported`), ({ body }) => body["hasMore"] === true),
      )
      first.child.kill("SIGKILL")
      assert.deepStrictEqual(yield* Fiber.join(sent), lost, "the kill came too late")
      yield* first.ended

      const second = yield* startService(folder)
      const before = yield* imported(second.url)
      assert.strictEqual(before.length % importChunkRows, 0)
      assert.isAbove(before.length, 0)
      assert.isBelow(before.length, importRowsMax)
      const again = yield* sendImport(second.url, yield* signIn(second.url))
      assert.strictEqual(again.status, 200)
      const results = again.body["results"] as ReadonlyArray<{ readonly productId: string }>
      const after = yield* imported(second.url)
      assert.deepStrictEqual(
        after,
        results.map(({ productId }) => productId),
      )
      assert.deepStrictEqual(after.slice(0, before.length), before)
      assert.strictEqual(after.length, importRowsMax)
      yield* assertVerified(folder)
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
  { timeout: 180_000 },
)

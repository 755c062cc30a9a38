import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { prune } from "../../src/webhooks/webhookPruning.ts"
import { webhooksOfMerchantMax } from "../../src/webhooks/webhookBounds.ts"
import { buyAndCancel, deliveriesOf, makeShop, relayRounds } from "../webhooks/relaying.ts"
import { TestNames } from "../webhooks/testWebhooks.ts"
import { assertRefused } from "./shopping.ts"
import { adminToken, call, newCustomer, newMerchant, testServer } from "./testServer.ts"

const url = "https://8.8.8.8/hook"
const create = (token: string, json: Readonly<Record<string, unknown>> = {}) =>
  call("/v1/webhooks", { token, json: { url, ...json } })

layer(testServer, { excludeTestServices: true })("webhooks", (it) => {
  it.effect("are made with a secret that is shown once, and changed, listed and taken away", () =>
    Effect.gen(function* () {
      const { merchantId, token } = yield* newMerchant()
      const created = yield* create(token, { types: ["order.paid"], description: "the shop" })
      assert.strictEqual(created.status, 201, created.text)
      const { createdAt, id, secret, updatedAt, ...shown } = created.body
      assert.match(String(secret), /^whsec_[A-Za-z0-9+/]{43}=$/)
      assert.strictEqual(created.headers.get("location"), `/v1/webhooks/${String(id)}`)
      assert.strictEqual(createdAt, updatedAt)
      assert.deepStrictEqual(shown, {
        merchantId,
        url,
        description: "the shop",
        types: ["order.paid"],
        enabled: true,
        disabledReason: null,
      })
      const path = `/v1/webhooks/${String(id)}`
      const { secret: _, ...told } = created.body
      assert.deepStrictEqual((yield* call(path, { token })).body, told)
      const json = { enabled: false, types: [], description: "" }
      const changed = yield* call(path, { method: "PATCH", token, json })
      assert.strictEqual(changed.status, 200, changed.text)
      assert.deepStrictEqual(changed.body, { ...told, ...json, updatedAt: changed.body["updatedAt"] })
      const listed = yield* call("/v1/webhooks", { token })
      assert.deepStrictEqual(listed.body, { data: [changed.body], cursor: null, hasMore: false })
      assert.notInclude(listed.text, "whsec_")
      assert.strictEqual((yield* call(path, { method: "DELETE", token })).status, 204)
      assertRefused(yield* call(path, { token }), 404, "not_found")
      assertRefused(yield* call(path, { method: "DELETE", token }), 404, "not_found")
      assert.deepStrictEqual((yield* call("/v1/webhooks", { token })).body["data"], [])
    }),
  )

  it.effect("are the merchant's own and the admins'", () =>
    Effect.gen(function* () {
      const admin = yield* adminToken()
      const [own, other, customer] = [yield* newMerchant(), yield* newMerchant(), yield* newCustomer()]
      assertRefused(yield* create(customer.token), 403, "forbidden")
      assertRefused(yield* create(other.token, { merchantId: own.merchantId }), 403, "forbidden")
      const id = String((yield* create(own.token)).body["id"])
      const path = `/v1/webhooks/${id}`
      for (const token of [other.token, customer.token]) {
        assertRefused(yield* call(path, { token }), 404, "not_found")
        assertRefused(yield* call(path, { method: "PATCH", token, json: { enabled: false } }), 404, "not_found")
        assertRefused(yield* call(path, { method: "DELETE", token }), 404, "not_found")
        assertRefused(yield* call(`${path}/deliveries`, { token }), 404, "not_found")
        assertRefused(yield* call(`${path}/deliveries/${id}/replay`, { method: "POST", token }), 404, "not_found")
      }
      assert.strictEqual((yield* call(path, { token: admin })).status, 200)
      const ofAdmin = yield* create(admin)
      assert.isNull(ofAdmin.body["merchantId"])
      assertRefused(yield* call(`/v1/webhooks/${String(ofAdmin.body["id"])}`, { token: own.token }), 404, "not_found")
      const listed = yield* call(`/v1/webhooks?merchantId=${own.merchantId}`, { token: admin })
      assert.deepStrictEqual(
        (listed.body["data"] as ReadonlyArray<{ readonly id: string }>).map((webhook) => webhook.id),
        [id],
      )
      const nobody = "0190a0a0-0000-7000-8000-000000000000"
      assertRefused(yield* create(admin, { merchantId: nobody }), 404, "not_found")
    }),
  )

  it.effect("lead nowhere inside, neither when they are made nor when they are changed", () =>
    Effect.gen(function* () {
      const table = yield* TestNames
      const { token } = yield* newMerchant()
      table.set("inside.example", [["192.168.1.1"]])
      const id = String((yield* create(token)).body["id"])
      const targets = [
        "https://10.0.0.1/",
        "https://inside.example/",
        "http://example.com/",
        "https://a:b@example.com/",
      ]
      for (const target of [...targets, "https://169.254.169.254/latest/meta-data", "ftp://example.com/"]) {
        const json = { url: target }
        const made = yield* create(token, json)
        const changed = yield* call(`/v1/webhooks/${id}`, { method: "PATCH", token, json })
        for (const answer of [made, changed]) {
          assertRefused(answer, 422, "invalid")
          assert.include(answer.text, "/url")
        }
      }
      assert.strictEqual((yield* create(token, { url: "https://not-there-yet.example/" })).status, 201)
    }),
  )

  it.effect("are refused where they do not fit", () =>
    Effect.gen(function* () {
      const { token } = yield* newMerchant()
      const misfits = [
        { url: 7 },
        { url: `https://example.com/${"x".repeat(2_000)}` },
        { types: ["order.unheardof"] },
        { description: "x".repeat(501) },
      ]
      for (const json of misfits) assertRefused(yield* create(token, json), 422, "invalid")
      const id = String((yield* create(token)).body["id"])
      assertRefused(yield* call(`/v1/webhooks/${id}`, { method: "PATCH", token, json: {} }), 422, "invalid")
      assertRefused(yield* call(`/v1/webhooks/${id}/deliveries?state=lost`, { token }), 422, "invalid")
      assertRefused(yield* call("/v1/webhooks/nonsense", { token }), 404, "not_found")
    }),
  )

  it.effect("are so many at most, however many are made at once", () =>
    Effect.gen(function* () {
      const { token } = yield* newMerchant()
      const made = yield* Effect.forEach(Array.from({ length: webhooksOfMerchantMax + 5 }), () => create(token), {
        concurrency: "unbounded",
      })
      assert.strictEqual(made.filter(({ status }) => status === 201).length, webhooksOfMerchantMax)
      const refused = made.find(({ status }) => status !== 201)
      assert.exists(refused)
      assertRefused(refused, 409, "webhooks_full")
      assert.strictEqual(refused.body["allowed"], webhooksOfMerchantMax)
      const pages: Array<number> = []
      for (let after = ""; ;) {
        const page = yield* call(`/v1/webhooks?limit=4${after}`, { token })
        pages.push((page.body["data"] as ReadonlyArray<unknown>).length)
        if (page.body["cursor"] === null) break
        after = `&after=${String(page.body["cursor"])}`
      }
      assert.deepStrictEqual(pages, [4, 4, 2])
    }),
  )

  it.effect("list deliveries page by page, the newest first, and by state", () =>
    Effect.gen(function* () {
      const shop = yield* makeShop()
      yield* buyAndCancel(shop, 2)
      yield* relayRounds(1)
      const path = `/v1/webhooks/${shop.webhookId}/deliveries`
      const { token } = shop.merchant
      const all = yield* deliveriesOf(shop)
      assert.strictEqual(all.length, 4)
      const first = yield* call(`${path}?limit=3`, { token })
      const second = yield* call(`${path}?limit=3&after=${String(first.body["cursor"])}`, { token })
      assert.deepStrictEqual([...(first.body["data"] as []), ...(second.body["data"] as [])], all)
      assert.isNull(second.body["cursor"])
      const ids = all.map(({ id }) => String(id))
      assert.deepStrictEqual([...ids].sort().toReversed(), ids)
      const [newest] = all
      assert.deepStrictEqual(
        { ...newest, id: "", eventId: "", createdAt: "", lastAttemptAt: "" },
        {
          id: "",
          eventId: "",
          type: "order.cancelled",
          state: "succeeded",
          attempts: 1,
          createdAt: "",
          nextAttemptAt: null,
          lastAttemptAt: "",
          lastStatus: 204,
          lastError: null,
        },
      )
      assert.deepStrictEqual((yield* call(`${path}?state=dead`, { token })).body["data"], [])
    }),
  )

  it.effect("that were taken away are told nothing more, and leave nothing behind", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const shop = yield* makeShop()
      shop.receiver.mood = { _tag: "Answers", status: 500 }
      yield* buyAndCancel(shop, 2)
      yield* relayRounds(1)
      const asked = shop.receiver.asked.length
      yield* call(`/v1/webhooks/${shop.webhookId}`, { method: "DELETE", token: shop.merchant.token })
      yield* relayRounds(2)
      assert.strictEqual(shop.receiver.asked.length, asked)
      yield* prune(sql, { eventsKeptMillis: 30 * 24 * 3_600_000 })
      for (const [table, column] of [
        ["webhooks", "id"],
        ["webhook_relays", "webhook_id"],
        ["webhook_deliveries", "webhook_id"],
      ] as const) {
        const rows = yield* sql`select from ${sql(table)} where ${sql(column)} = ${shop.webhookId}`
        assert.deepStrictEqual(rows, [], table)
      }
    }),
  )

  it.effect("keep what was accepted for a day, what is dead as long as events, and events until they were read", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const shop = yield* makeShop()
      const { webhookId } = shop
      const keptMillis = 30 * 24 * 3_600_000
      yield* buyAndCancel(shop, 2)
      yield* relayRounds(1)
      const age = (state: string, days: number) => sql`
        update webhook_deliveries set state = ${state}, finished_at = now() - ${days}::float8 * interval '1 day'
        where id = (select id from webhook_deliveries where webhook_id = ${webhookId} and state = 'succeeded'
          and finished_at > now() - interval '1 hour' limit 1)`
      yield* age("succeeded", 0.9)
      yield* age("succeeded", 1.1)
      yield* age("dead", 29)
      yield* age("dead", 31)
      yield* prune(sql, { eventsKeptMillis: keptMillis })
      const states = (yield* deliveriesOf(shop)).map(({ state }) => String(state)).sort()
      assert.deepStrictEqual(states, ["dead", "succeeded"])

      const left = Effect.map(
        sql<{ readonly batches: number }>`select count(*)::integer as batches from batches where events::text <> '[]'`,
        ([row]) => row?.batches,
      )
      yield* buyAndCancel(shop, 1)
      yield* sql`update batches set committed_at = committed_at - interval '31 days'`
      yield* sql`update orders set created_at = created_at - interval '31 days'`
      // Others may not have read it yet, either; what matters is this one.
      yield* sql`update webhooks set enabled = false where id <> ${webhookId}`
      yield* prune(sql, { eventsKeptMillis: keptMillis })
      assert.strictEqual(yield* left, 2, "the placing and the cancelling that nobody has read")
      yield* relayRounds(1)
      yield* prune(sql, { eventsKeptMillis: keptMillis })
      assert.strictEqual(yield* left, 0)
    }),
  )
})

/** What whoever is on call sees and does over HTTP: shards, audits of the books, the level of the log. */
import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { AuditView, ShardView } from "../../src/http/contract/ops.ts"
import { CurrentLogControl } from "../../src/platform/logging/LogControl.ts"
import { Audit } from "../../src/verification/Audit.ts"
import { assertRefused } from "./shopping.ts"
import { adminToken, call, newCustomer, newMerchant, newProduct, order, testServer } from "./testServer.ts"

const decodeShards = Schema.decodeUnknownSync(Schema.Array(ShardView))
const decodeAudit = Schema.decodeUnknownSync(AuditView)

const shardsSeen = Effect.fnUntraced(function* (token: string) {
  const answer = yield* call("/v1/ops/shards", { token })
  assert.strictEqual(answer.status, 200, answer.text)
  return decodeShards(answer.body["data"])
})

layer(testServer, { excludeTestServices: true })("operations", (it) => {
  it.effect("they are for admins: others are told so, and strangers to sign in", () =>
    Effect.gen(function* () {
      const merchant = yield* newMerchant()
      for (const [path, method] of [
        ["/v1/ops/shards", "GET"],
        ["/v1/ops/audit", "GET"],
        ["/v1/ops/audit", "POST"],
        ["/v1/ops/log-level", "GET"],
        ["/v1/ops/log-level", "PUT"],
      ] as const) {
        const json = method === "PUT" ? { json: { level: "trace" } } : {}
        assertRefused(yield* call(path, { method, token: merchant.token, ...json }), 403, "forbidden")
        assertRefused(yield* call(path, { method, ...json }), 401, "unauthenticated")
      }
      assert.strictEqual((yield* CurrentLogControl).level, "Info")
    }),
  )

  it.effect("each shard is shown with its owner, its lease and what it has done", () =>
    Effect.gen(function* () {
      const token = yield* adminToken()
      const before = yield* shardsSeen(token)
      assert.strictEqual(before.length, 16)
      const sql = yield* SqlClient.SqlClient
      const [lease] = yield* sql<{ readonly owner: string }>`select owner from shard_leases where shard = 0`
      for (const shard of before) {
        assert.isTrue(shard.serving)
        assert.strictEqual(shard.owner, lease?.owner)
        assert.deepInclude(shard, { epoch: 1, mailboxDepth: 0, mailboxSize: 4096 })
      }

      const lamp = yield* newProduct(yield* newMerchant(), {})
      const [place] = yield* sql<{ readonly shard: number }>`select shard from products where id = ${lamp}`
      const buyer = yield* newCustomer()
      for (const key of ["one", "two", "three"]) {
        assert.strictEqual((yield* order(buyer.token, key, [[lamp, 1]])).status, 201)
      }
      const after = yield* shardsSeen(token)
      for (const [index, shard] of after.entries()) {
        const done = shard.commands - (before[index]?.commands ?? 0)
        if (shard.shard === place?.shard) {
          assert.isAtLeast(done, 3)
          assert.strictEqual(shard.lastBatchSize, 1)
          assert.isAbove(shard.commandsPerSecond, 0)
          assert.isAbove(shard.batch ?? 0, before[index]?.batch ?? 0)
        } else assert.strictEqual(done, 0)
      }
    }),
  )

  it.effect("an audit is begun once, runs in the background, and its last result is kept with each rule's count", () =>
    Effect.gen(function* () {
      const token = yield* adminToken()
      const sql = yield* SqlClient.SqlClient
      const audit = yield* Audit
      const lamp = yield* newProduct(yield* newMerchant(), { stock: 5 })
      assert.deepStrictEqual((yield* call("/v1/ops/audit", { token })).body, { running: false })

      const [first, second] = yield* Effect.all(
        [call("/v1/ops/audit", { method: "POST", token }), call("/v1/ops/audit", { method: "POST", token })],
        { concurrency: 2 },
      )
      assert.strictEqual(first.status, 202, first.text)
      assert.isTrue(decodeAudit(first.body).running)
      assert.strictEqual(second.body["runningSince"], first.body["runningSince"])
      yield* audit.run
      const sound = decodeAudit((yield* call("/v1/ops/audit", { token })).body)
      assert.isFalse(sound.running)
      assert.strictEqual(sound.last?.startedAt, first.body["runningSince"])
      assert.strictEqual(sound.last?.outcome, "holds")
      const units = sound.last?.rules.find(({ name }) => name === "units_accounted_for")
      assert.strictEqual(units?.outcome, "holds")
      assert.isAtLeast(units?.checked ?? 0, 1)

      yield* sql`update stock set available = available - 1 where product_id = ${lamp}`
      yield* audit.run
      const broken = decodeAudit((yield* call("/v1/ops/audit", { token })).body).last
      assert.strictEqual(broken?.outcome, "violated")
      const violated = broken?.rules.filter(({ outcome }) => outcome === "violated") ?? []
      assert.deepStrictEqual(
        violated.map(({ name, violations }) => ({ name, violations })),
        [{ name: "units_accounted_for", violations: 1 }],
      )
      assert.include(JSON.stringify(violated[0]?.examples), lamp)
    }),
  )

  it.effect("the level of the log is changed for everybody at once, and shown with what the settings say", () =>
    Effect.gen(function* () {
      const token = yield* adminToken()
      const put = (json: unknown) => call("/v1/ops/log-level", { method: "PUT", token, json })
      assert.deepStrictEqual((yield* call("/v1/ops/log-level", { token })).body, { level: "info", configured: "info" })
      const changed = yield* put({ level: "debug" })
      assert.strictEqual(changed.status, 200, changed.text)
      assert.deepStrictEqual(changed.body, { level: "debug", before: "info", configured: "info" })
      assert.isTrue((yield* CurrentLogControl).isOn("Debug"))
      assert.deepStrictEqual((yield* call("/v1/ops/log-level", { token })).body, { level: "debug", configured: "info" })
      assertRefused(yield* put({ level: "loud" }), 422, "invalid")
      assert.strictEqual((yield* put({ level: "info" })).body["before"], "debug")
    }),
  )
})

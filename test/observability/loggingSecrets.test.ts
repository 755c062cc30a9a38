/**
 * Secrets planted in every input that the service has, at the level that says most and with every trace kept, in
 * stories that go well and in ones that fail: none of them is in a log line or a span.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, ConfigProvider, Effect, Layer, Redacted, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, vi } from "vitest"
import { signedHeaders } from "../../src/payments/signing.ts"
import { Configuration } from "../../src/platform/Configuration.ts"
import * as Logging from "../../src/platform/logging/logging.ts"
import * as Telemetry from "../../src/platform/tracing/telemetry.ts"
import {
  adminPassword,
  adminToken,
  call,
  newCustomer,
  newMerchant,
  newProduct,
  order,
  paymentSecret,
  testServerPlacing,
  testServerWith,
  tokenSecret,
} from "../http/testServer.ts"
import { readOn, relayRounds } from "../webhooks/relaying.ts"
import { otlpReceiver } from "./otlpReceiver.ts"

type Server = ReturnType<typeof testServerWith>
type Story = Effect.Effect<unknown, unknown, Layer.Success<Server> | Scope.Scope>

/** Everything that must never be seen, by where it was planted. */
const planted = new Map<string, string>()
const plant = (where: string): string => {
  const secret = `plant${planted.size}x${where.replaceAll(/[^a-z]/g, "")}Zq7`
  planted.set(where, secret)
  return secret
}
const keep = (where: string, secret: unknown): string => {
  const text = String(secret)
  assert.isAbove(text.length, 20, where)
  planted.set(where, text)
  return text
}

const environment = () => ({
  HEDONIFY_LOG_LEVEL: "trace",
  HEDONIFY_ADMIN_EMAIL: "admin@example.com",
  HEDONIFY_ADMIN_PASSWORD: keep("the admin's password", adminPassword),
  HEDONIFY_TOKEN_SECRET: keep("what tokens are signed with", tokenSecret),
  HEDONIFY_PAYMENT_SECRET: keep("what callbacks are signed with", paymentSecret),
  DATABASE_URL: `postgres://shop:${plant("database password")}@127.0.0.1:5432/shop`,
  REDIS_URL: `redis://:${plant("redis password")}@127.0.0.1:6379`,
})

interface Told {
  readonly lines: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** Each text that left the service about itself, by its kind: what else is told belongs here. */
  readonly texts: Readonly<Record<string, string>>
}

/** What a story leaves behind of log lines and spans. */
const told = (server: Server, story: Story) =>
  Effect.gen(function* () {
    const receiver = yield* otlpReceiver({ answers: true })
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "hedonify-secrets-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true })),
    )
    const file = join(folder, "stdout")
    const descriptor = openSync(file, "w")
    vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    vi.stubEnv("OTEL_EXPORTER_OTLP_HEADERS", `authorization=${plant("collector header")}`)
    vi.stubEnv("OTEL_TRACES_SAMPLER_ARG", "1")
    const telemetry = Layer.mergeAll(
      Telemetry.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv()))),
      Logging.layerTo({ descriptor, isTerminal: false }).pipe(Layer.provide(Configuration.layerOf(environment()))),
    )
    yield* Effect.scoped(story).pipe(Effect.provide(server.pipe(Layer.provide(telemetry)), { local: true }))
    closeSync(descriptor)
    const log = readFileSync(file, "utf8")
    const lines = log
      .trim()
      .split("\n")
      .map((line): Record<string, unknown> => JSON.parse(line))
    return { lines, texts: { log, spans: receiver.bodies.join("\n") } } satisfies Told
  })

const assertNothingSeen = ({ texts }: Told) => {
  for (const [kind, text] of Object.entries(texts)) {
    assert.isAbove(text.length, 1_000, `${kind} say something`)
    for (const [where, secret] of planted) {
      for (const form of [secret, encodeURIComponent(secret), Buffer.from(secret).toString("base64")]) {
        const at = text.indexOf(form)
        assert.strictEqual(at, -1, `${where} is in the ${kind}: …${text.slice(Math.max(0, at - 200), at + 100)}`)
      }
    }
  }
}

/** People, their passwords and sessions, and requests that are broken in each part. */
const accountsStory = Effect.gen(function* () {
  const password = plant("sign up password")
  const email = "planted@example.com"
  yield* call("/v1/accounts", { json: { email, password, name: "Planted" } })
  yield* call("/v1/sessions", { json: { email, password: plant("wrong password") } })
  const session = yield* call("/v1/sessions", { json: { email, password } })
  const token = keep("session token", session.body["token"])
  const newPassword = plant("new password")
  yield* call("/v1/me/password", { token, json: { currentPassword: password, newPassword } })
  for (const raw of [
    `{"password": "${plant("broken json")}`,
    `${plant("no json at all")}{`,
    `{"email": 5, "password": ["${plant("misfit")}"]}`,
  ]) {
    yield* call("/v1/accounts", { raw })
  }
  yield* call("/v1/accounts", { raw: plant("other media type"), headers: { "content-type": "text/plain" } })
  yield* call("/v1/me", { token: plant("token that is none") })
  yield* call("/v1/me", {
    headers: {
      authorization: `Basic ${Buffer.from(`user:${plant("basic authorization")}`).toString("base64")}`,
      cookie: `session=${plant("cookie")}`,
      "proxy-authorization": plant("proxy authorization"),
      "x-api-key": plant("api key header"),
    },
  })
  for (const path of ["/v1/products", "/v1/nowhere", "/v1/merchants", "/v1/events"]) {
    yield* call(`${path}?limit=x&token=${plant(`query of ${path}`)}`, { token })
  }
  yield* call("/v1/sessions/current", { method: "DELETE", token })
})

/** A merchant's keys, imports and webhooks, and the provider's callbacks. */
const merchantStory = Effect.gen(function* () {
  const merchant = yield* newMerchant()
  keep("merchant token", merchant.token)
  const lamp = yield* newProduct(merchant, {})
  const keys = `/v1/merchants/${merchant.merchantId}/api-keys`
  const made = yield* call(keys, { token: merchant.token, json: { name: "Shop" } })
  const key = keep("api key", made.body["key"])
  yield* order(key, "of the channel", [[lamp, 1]])
  yield* call(`${keys}/${String(made.body["id"])}`, { method: "DELETE", token: merchant.token })
  yield* order(key, "of a key that ended", [[lamp, 1]])

  const csv = { "content-type": "text/csv", "idempotency-key": "import" }
  for (const raw of [
    `name,amount,currency,stock\n"${plant("csv that does not close")},1,EUR,5`,
    `name,amount,currency,stock\nLamp,${plant("csv amount")},EUR,5`,
    `name,${plant("csv column")}\nLamp,1`,
  ]) {
    yield* call("/v1/products/import", { token: merchant.token, raw, headers: csv })
  }

  const url = `http://127.0.0.1:1099/hook?token=${plant("webhook target")}`
  const webhook = yield* call("/v1/webhooks", { token: merchant.token, json: { url } })
  keep("webhook secret", webhook.body["secret"])
  const path = `/v1/webhooks/${String(webhook.body["id"])}`
  const rotated = yield* call(path, { method: "PATCH", token: merchant.token, json: { rotateSecret: true } })
  keep("rotated webhook secret", rotated.body["secret"])
  yield* order((yield* newCustomer()).token, "told", [[lamp, 1]])
  yield* relayRounds(2)

  const body = JSON.stringify({ type: "charge.succeeded", data: { note: plant("callback body") } })
  const signed = signedHeaders(Redacted.make(paymentSecret), "msg_1", yield* Clock.currentTimeMillis, body)
  keep("callback signature", signed["webhook-signature"])
  yield* call("/v1/payments/callback", { raw: body, headers: { ...signed } })
  yield* call("/v1/payments/callback", {
    raw: body,
    headers: { ...signed, "webhook-signature": `v1,${plant("false signature")}` },
  })
  const admin = keep("admin token", yield* adminToken())
  yield* call("/v1/ops/log-level", { method: "PUT", token: admin, json: { level: plant("log level") } })
  yield* call("/v1/ops/audit", { method: "POST", token: admin })
})

/** Every table refuses what is written, with the row in what it says, and then the database is away as a whole. */
const failingStory = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const merchant = yield* newMerchant()
  const lamp = yield* newProduct(merchant, {})
  keep("merchant token of failures", merchant.token)
  const shelf = yield* newProduct(merchant, {})
  // A service below the handlers fails on its own and says so in a line of the request.
  yield* sql`alter sequence catalogue_generation rename to catalogue_generation_elsewhere`
  yield* call(`/v1/products/${shelf}`, {
    method: "DELETE",
    token: merchant.token,
    headers: { "if-match": '"1"', "x-request-id": "planted-request" },
  })
  for (const table of ["accounts", "webhooks", "api_keys", "sessions", "products", "orders"]) {
    yield* sql.unsafe(`alter table ${table} add constraint planted check (false) not valid`)
  }
  const failed = [
    yield* call("/v1/accounts", {
      json: { email: "b@example.com", password: plant("password that fails"), name: plant("name that fails") },
    }),
    yield* call("/v1/webhooks", {
      token: merchant.token,
      json: { url: `http://127.0.0.1:1099/hook?token=${plant("webhook that fails")}` },
    }),
    yield* call(`/v1/merchants/${merchant.merchantId}/api-keys`, {
      token: merchant.token,
      json: { name: plant("api key that fails") },
    }),
    yield* call("/v1/products", {
      token: merchant.token,
      json: { name: plant("product that fails"), stock: 1, price: { amount: 1, currency: "EUR" } },
    }),
    yield* order(merchant.token, plant("idempotency key that fails"), [[lamp, 1]]),
  ]
  assert.deepStrictEqual(
    failed.map(({ status }) => status),
    [500, 500, 500, 500, 500],
  )
  yield* sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`
  yield* sql`alter table webhook_relays rename to webhook_relays_elsewhere`
  yield* Effect.exit(readOn)
  yield* call("/v1/accounts", {
    json: { email: "c@example.com", password: plant("password after a cut"), name: "C" },
  })
})

afterEach(() => {
  vi.unstubAllEnvs()
})

describe("planted secrets", () => {
  it.live("of accounts, sessions and broken requests are in no log line and no span", () =>
    Effect.gen(function* () {
      assertNothingSeen(yield* told(testServerWith({}), accountsStory))
    }),
  )

  it.live("of merchants, imports, webhooks and callbacks are in no log line and no span", () =>
    Effect.gen(function* () {
      assertNothingSeen(yield* told(testServerWith({}), merchantStory))
    }),
  )

  it.live("of what PostgreSQL refuses and loses are in no log line and no span, and each line names its request", () =>
    Effect.gen(function* () {
      const found = yield* told(testServerWith({}), failingStory)
      assertNothingSeen(found)
      const failures = found.lines.filter(({ msg }) => msg === "A request could not be served")
      assert.isAtLeast(failures.length, 4)
      for (const { err, requestId } of failures) {
        assert.isString(requestId)
        assert.hasAllKeys(err, ["type", "message", "stack"])
      }
      const below = found.lines.find(({ msg }) => msg === "A change of the catalogue will show late in searches")
      assert.strictEqual(below?.["requestId"], "planted-request")
    }),
  )

  it.live("of a defect, whatever it carries, are in no log line and no span", () =>
    Effect.gen(function* () {
      const cause = Object.assign(new Error(`no answer from https://a:${plant("defect address")}@b/?q=1`), {
        request: { headers: { authorization: plant("defect request") }, body: plant("defect body") },
        detail: `Failing row contains (${plant("defect detail")})`,
        password: plant("defect field"),
      })
      const [cookie, query] = [plant("cookie at a defect"), plant("query at a defect")]
      const server = testServerPlacing(() => Effect.die(new Error(`it broke at ${cookie} and ${query}`, { cause })))
      const found = yield* told(
        server,
        Effect.gen(function* () {
          const lamp = yield* newProduct(yield* newMerchant(), {})
          const { token } = yield* newCustomer()
          const answer = yield* call(`/v1/orders?secret=${query}`, {
            token: keep("token at a defect", token),
            json: { lines: [{ productId: lamp, quantity: 1 }] },
            headers: { "idempotency-key": "one", cookie: `session=${cookie}` },
          })
          assert.strictEqual(answer.status, 500)
        }),
      )
      assertNothingSeen(found)
      const line = found.lines.find(({ msg }) => msg === "A request met a defect")
      assert.include(JSON.stringify(line?.["err"]), "it broke at [censored] and [censored]")
      assert.include(JSON.stringify(line?.["err"]), "no answer from https://a:[censored]@b/?[censored]")
    }),
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { readFileSync } from "node:fs"
import * as bounds from "../../src/domain/bounds.ts"
import { readConfiguration } from "../../src/platform/Configuration.ts"
import { type Setting, settings } from "../../src/platform/settings.ts"

const refusalOf = (environment: Record<string, string>) =>
  Effect.map(Effect.flip(readConfiguration(environment)), ({ message }) => message)

describe("the settings", () => {
  it.effect("have the defaults of the contract when nothing is set", () =>
    Effect.gen(function* () {
      const values = yield* readConfiguration({ PATH: "/bin", HEDONIFY_PORT: "" })
      assert.strictEqual(values.host, "127.0.0.1")
      assert.strictEqual(values.port, 8080)
      assert.strictEqual(values.shards, 16)
      assert.strictEqual(values.lingerMillis, 0)
      assert.strictEqual(values.reservationTtlMillis, bounds.reservationTtlDefaultMillis)
      assert.strictEqual(values.orderDeadlineMillis, bounds.orderDeadlineDefaultMillis)
      assert.isTrue(values.demo)
      assert.isTrue(Option.isNone(values.databaseUrl))
      assert.isTrue(Option.isNone(values.paymentUrl))
    }),
  )

  it.effect("read durations with and without a unit, lists and switches", () =>
    Effect.gen(function* () {
      const values = yield* readConfiguration({
        HEDONIFY_LINGER: "5",
        HEDONIFY_ORDER_DEADLINE: "2 seconds",
        HEDONIFY_CORS_ORIGINS: "https://shop.example, http://localhost:3000",
        HEDONIFY_TRUSTED_PROXIES: "10.0.0.0/8,::1",
        HEDONIFY_UNSAFE_DURABILITY: "ON",
        HEDONIFY_LOG_LEVEL: "Debug",
      })
      assert.strictEqual(values.lingerMillis, 5)
      assert.strictEqual(values.orderDeadlineMillis, 2_000)
      assert.deepStrictEqual(values.corsOrigins, ["https://shop.example", "http://localhost:3000"])
      assert.deepStrictEqual(values.trustedProxies, ["10.0.0.0/8", "::1"])
      assert.isTrue(values.unsafeDurability)
      assert.strictEqual(values.logLevel, "Debug")
    }),
  )

  it.effect("keep a batch within a mailbox that was made small", () =>
    Effect.gen(function* () {
      const values = yield* readConfiguration({ HEDONIFY_MAILBOX_SIZE: "10" })
      assert.strictEqual(values.batchSizeMax, 10)
    }),
  )

  it.effect("in production have no demo and need a token secret of one's own", () =>
    Effect.gen(function* () {
      const secret = "0123456789abcdef0123456789abcdef"
      const values = yield* readConfiguration({ NODE_ENV: "production", HEDONIFY_TOKEN_SECRET: secret })
      assert.isFalse(values.demo)
      assert.deepStrictEqual(Option.map(values.tokenSecret, Redacted.value), Option.some(secret))
      assert.strictEqual(
        yield* refusalOf({ NODE_ENV: "production" }),
        "HEDONIFY_TOKEN_SECRET is required in production; allowed is at least 32 characters.",
      )
      const abroad = {
        NODE_ENV: "production",
        HEDONIFY_TOKEN_SECRET: secret,
        HEDONIFY_PAYMENT_URL: "https://pay.example",
      }
      assert.strictEqual(
        yield* refusalOf(abroad),
        "HEDONIFY_PAYMENT_SECRET is required in production; allowed is whsec_ and 24 to 64 bytes in base64.",
      )
      const signed = `whsec_${Buffer.alloc(24).toString("base64")}`
      const { paymentSecret } = yield* readConfiguration({ ...abroad, HEDONIFY_PAYMENT_SECRET: signed })
      assert.deepStrictEqual(Option.map(paymentSecret, Redacted.value), Option.some(signed))
    }),
  )
})

describe("a setting that does not fit stops the start with one sentence", () => {
  const cases: ReadonlyArray<readonly [Record<string, string>, string]> = [
    [{ HEDONIFY_PROT: "1" }, "HEDONIFY_PROT is not a setting: did you mean HEDONIFY_PORT?"],
    [{ HEDONIFY_XYZZY: "1" }, "HEDONIFY_XYZZY is not a setting; .env.example lists all."],
    [{ HEDONIFY_PORT: "abc" }, 'HEDONIFY_PORT is "abc"; allowed is a whole number from 0 to 65535.'],
    [{ HEDONIFY_PORT: "80.5" }, 'HEDONIFY_PORT is "80.5"; allowed is a whole number from 0 to 65535.'],
    [{ HEDONIFY_SHARDS: "0" }, 'HEDONIFY_SHARDS is "0"; allowed is a whole number from 1 to 64.'],
    [
      { HEDONIFY_LINGER: "20 parsecs" },
      'HEDONIFY_LINGER is "20 parsecs"; allowed is a duration like "500 millis", "5 seconds" or "15 minutes", from 0 to 1s.',
    ],
    [
      { HEDONIFY_PAYMENT_URL: "pay.example" },
      'HEDONIFY_PAYMENT_URL is "pay.example"; allowed is a URL like http://127.0.0.1:8090.',
    ],
    [{ HEDONIFY_CLUSTER: "on" }, 'HEDONIFY_CLUSTER is "on"; allowed is off (one process serves a database).'],
    [
      { HEDONIFY_ADMIN_EMAIL: "a@example.com" },
      "HEDONIFY_ADMIN_EMAIL and HEDONIFY_ADMIN_PASSWORD go together: set both or neither.",
    ],
    [
      { HEDONIFY_TRUSTED_PROXIES: "10.0.0.0/33" },
      'HEDONIFY_TRUSTED_PROXIES is "10.0.0.0/33"; allowed is IP addresses or ranges like 10.0.0.0/8, separated by commas.',
    ],
    [
      { HEDONIFY_MAILBOX_SIZE: "10", HEDONIFY_BATCH_SIZE_MAX: "11" },
      "HEDONIFY_BATCH_SIZE_MAX is 11; allowed is at most HEDONIFY_MAILBOX_SIZE, which is 10.",
    ],
  ]
  for (const [environment, sentence] of cases) {
    it.effect(sentence, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* refusalOf(environment), sentence)
      }),
    )
  }

  it.effect("and a secret is never shown", () =>
    Effect.gen(function* () {
      for (const name of [
        "DATABASE_URL",
        "REDIS_URL",
        "HEDONIFY_TOKEN_SECRET",
        "HEDONIFY_ADMIN_PASSWORD",
        "HEDONIFY_PAYMENT_SECRET",
      ]) {
        const message = yield* refusalOf({ [name]: "hush hu" })
        assert.include(message, `${name} has a value that does not fit; allowed is `)
        assert.notInclude(message, "hush")
      }
    }),
  )

  it.effect("a URL that cannot be taken apart is refused by its name, before anybody is called", () =>
    Effect.gen(function* () {
      for (const url of ["postgres://u:hush@", "postgres://u:hush@host:port/shop"]) {
        const message = yield* refusalOf({ DATABASE_URL: url })
        assert.include(message, "DATABASE_URL has a value that does not fit; allowed is ")
        assert.notInclude(message, "hush")
      }
    }),
  )
})

describe(".env.example", () => {
  it("lists every setting with its default, and nothing else", () => {
    const lines = readFileSync(new URL("../../.env.example", import.meta.url), "utf8").split("\n")
    const listed = lines.flatMap((line) => /^# ([A-Z][A-Z0-9_]+)=(.*)$/.exec(line)?.slice(1, 3) ?? [])
    const all: ReadonlyArray<Setting<unknown>> = Object.values(settings)
    const known = all.flatMap(({ name, fallback }) => [name, fallback ?? ""])
    assert.deepStrictEqual(listed, known)
  })

  it("names only defaults that fit", () => {
    const all: ReadonlyArray<Setting<unknown>> = Object.values(settings)
    const misfits = all.filter(({ codec, fallback }) => fallback !== undefined && Option.isNone(codec.read(fallback)))
    assert.deepStrictEqual(misfits, [])
  })
})

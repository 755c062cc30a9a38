/**
 * What a scraper finds: every number after a story that is known, in both formats, under the names that
 * `observability/signals.md` gives, and no more series however much is sold.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { ProductId } from "../../src/domain/ids.ts"
import { makeHotProducts, shownMax } from "../../src/metrics/hotProducts.ts"
import { Instruments } from "../../src/metrics/Instruments.ts"
import { MetricsAddress, scraping } from "../../src/metrics/scraping.ts"
import * as Telemetry from "../../src/platform/tracing/telemetry.ts"
import { call, newCustomer, newMerchant, newProduct, order, testServerWith } from "../http/testServer.ts"

const measured = (settings: Readonly<Record<string, string>>) =>
  scraping.pipe(Layer.provideMerge(testServerWith(settings)), Layer.provide([Instruments.layer, Telemetry.layer]))

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly exemplar: string | undefined
}
interface Exposition {
  readonly types: ReadonlyMap<string, string>
  readonly samples: ReadonlyArray<Sample>
}

const sampleLine =
  /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)(?: \d+)?(?: # \{([^}]*)\} \S+(?: \S+)?)?$/
const label = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"/g

/** As the formats are specified; whatever does not fit fails. */
const parse = (text: string): Exposition => {
  const types = new Map<string, string>()
  const samples: Array<Sample> = []
  for (const line of text.split("\n")) {
    if (line === "" || line === "# EOF" || line.startsWith("# HELP ")) continue
    const [, typed, type] = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line) ?? []
    if (typed !== undefined && type !== undefined) {
      assert.isFalse(types.has(typed), `${typed} is declared twice`)
      types.set(typed, type)
      continue
    }
    const [, name, labels = "", value, exemplar] = sampleLine.exec(line) ?? assert.fail(`no sample: ${line}`)
    const named = Object.fromEntries([...labels.matchAll(label)].map(([, key = "", given = ""]) => [key, given]))
    samples.push({ name: name ?? "", labels: named, value: Number(value), exemplar })
  }
  return { types, samples }
}

const plain = "text/plain; version=0.0.4"
const open = "application/openmetrics-text; version=1.0.0"

const scrape = Effect.fnUntraced(function* (accept = plain) {
  const url = Option.getOrThrow(yield* MetricsAddress)
  const response = yield* Effect.promise(() => fetch(url, { headers: { accept } }))
  assert.strictEqual(response.status, 200)
  assert.include(response.headers.get("content-type") ?? "", accept.split(";", 1)[0] ?? "")
  return parse(yield* Effect.promise(() => response.text()))
})

const valueOf = ({ samples }: Exposition, name: string, labels: Readonly<Record<string, string>> = {}): number =>
  samples
    .filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    )
    .reduce((sum, { value }) => sum + value, 0)

const Stock = Schema.Struct({ results: Schema.Array(Schema.Struct({ productId: Schema.optionalKey(Schema.String) })) })

describe("metrics", () => {
  layer(measured({ HEDONIFY_METRICS_PORT: "0" }), { excludeTestServices: true })((served) => {
    served.effect("count what happened, and nothing else", () =>
      Effect.gen(function* () {
        const merchant = yield* newMerchant()
        const { token } = yield* newCustomer()
        const lamp = yield* newProduct(merchant, { stock: 4, name: 'A "lamp"\\' })
        assert.strictEqual((yield* order(token, "one", [[lamp, 2]])).status, 201)
        assert.strictEqual((yield* order(token, "one", [[lamp, 2]])).status, 201)
        assert.strictEqual((yield* order(token, "two", [[lamp, 3]])).status, 409)
        const orders = ["three", "one"].map((idempotencyKey) => ({
          idempotencyKey,
          lines: [{ productId: lamp, quantity: idempotencyKey === "one" ? 2 : 1 }],
        }))
        const batch = yield* call("/v1/orders/batch", { token, json: { orders } })
        assert.strictEqual(batch.status, 200)
        const id = String((yield* order(token, "four", [[lamp, 1]])).body["id"])
        yield* call(`/v1/orders/${id}/payments`, {
          token,
          json: { method: "success" },
          headers: { "idempotency-key": "pay" },
        })
        yield* call(`/v1/orders/${id}/cancel`, { token, json: {} })
        yield* call("/v1/nowhere?secret=1", { token })

        const found = yield* scrape()
        const count = (outcome: string, reason = "none") => valueOf(found, "hedonify_orders_total", { outcome, reason })
        assert.deepStrictEqual(
          [count("accepted"), count("repeated"), count("refused", "out_of_stock"), count("busy")],
          [3, 2, 1, 0],
        )
        assert.strictEqual(valueOf(found, "hedonify_units_sold_total"), 4)
        assert.strictEqual(valueOf(found, "hedonify_order_transitions_total", { to: "reserved" }), 3)
        assert.strictEqual(valueOf(found, "hedonify_order_transitions_total", { to: "cancelled" }), 1)
        assert.strictEqual(valueOf(found, "hedonify_payments_total", { result: "succeeded" }), 1)
        assert.strictEqual(valueOf(found, "hedonify_order_duration_seconds_count"), 6)
        assert.isAtLeast(valueOf(found, "hedonify_payment_gateway_duration_seconds_count", { operation: "charge" }), 1)
        assert.strictEqual(valueOf(found, "hedonify_stock_available_units", { product_id: lamp }), 1)
        assert.strictEqual(valueOf(found, "hedonify_stock_stocked_units", { product_id: lamp }), 4)
        assert.strictEqual(valueOf(found, "hedonify_product_info", { name: 'A \\"lamp\\"\\\\' }), 1)
        assert.strictEqual(valueOf(found, "hedonify_lease_held"), 16)
        assert.strictEqual(valueOf(found, "http_server_active_requests"), 0)
        const answered = (route: string, status: number) =>
          valueOf(found, "http_server_request_duration_seconds_count", {
            http_route: route,
            http_response_status_code: `${status}`,
          })
        assert.deepStrictEqual(
          [answered("/v1/orders", 201), answered("/v1/orders", 409), answered("none", 404)],
          [3, 1, 1],
        )
        const shardCommands = valueOf(found, "hedonify_shard_commands_total")
        assert.strictEqual(valueOf(found, "hedonify_batch_size_sum"), shardCommands)
        assert.isAtLeast(valueOf(found, "hedonify_commit_duration_seconds_count"), 4)
      }),
    )

    served.effect("have the names and labels that the page of signals gives them, and it has no others", () =>
      Effect.gen(function* () {
        const page = readFileSync(new URL("../../observability/signals.md", import.meta.url), "utf8")
        const rows = [...page.matchAll(/^\| `((?:hedonify|http_server)_\w+)` \| (\w+)[^|]*\| ([^|]*)\|/gm)]
        const told = new Map(rows.map(([, name = "", type = "", labels = ""]) => [name, { type, labels }]))
        const { samples, types } = yield* scrape()
        const own = [...types].filter(([name]) => !/^(nodejs|process)_/.test(name))
        const withoutRedis = [...told.keys()].filter((name) => name !== "hedonify_redis_up").sort()
        assert.deepStrictEqual(
          own
            .map(([name]) => name)
            .filter((name) => name !== "hedonify_redis_up")
            .sort(),
          withoutRedis,
        )
        for (const [name, type] of own) assert.strictEqual(told.get(name)?.type, type, name)
        for (const { labels, name } of samples) {
          const base = name.replace(/_(bucket|sum|count)$/, "")
          const row = told.get(name) ?? told.get(base)
          if (row === undefined) continue
          for (const key of Object.keys(labels)) {
            if (key !== "le") assert.include(row.labels, `\`${key}\``, `${name}{${key}}`)
          }
        }
      }),
    )

    served.effect("keep their number however many products sell", () =>
      Effect.gen(function* () {
        const merchant = yield* newMerchant()
        const { token } = yield* newCustomer()
        const products = 10_000
        const rows = Array.from({ length: products }, (_, index) =>
          JSON.stringify({ name: `Row ${index}`, price: { amount: 100, currency: "EUR" }, stock: 5 }),
        )
        const imported = yield* call("/v1/products/import", {
          token: merchant.token,
          raw: rows.join("\n"),
          headers: { "content-type": "application/x-ndjson", "idempotency-key": "rows" },
        })
        const { results } = yield* Schema.decodeUnknownEffect(Stock)(imported.body)
        assert.lengthOf(results, products)
        for (let from = 0; from < products; from += 500) {
          const orders = results.slice(from, from + 500).map(({ productId }) => ({
            idempotencyKey: `row ${productId}`,
            lines: [{ productId, quantity: 1 }],
          }))
          assert.strictEqual((yield* call("/v1/orders/batch", { token, json: { orders } })).status, 200)
        }
        const { samples } = yield* scrape()
        const shown = samples.filter(({ name }) => name === "hedonify_stock_available_units")
        assert.lengthOf(shown, shownMax + 1)
        assert.isBelow(samples.length, 2_500)
        assert.isAtLeast(valueOf({ samples, types: new Map() }, "hedonify_units_sold_total"), products)
      }),
    )

    served.effect("are text that OpenMetrics calls well-formed, and answer nothing but their path", () =>
      Effect.gen(function* () {
        const found = yield* scrape(open)
        assert.isAtLeast(found.samples.length, 300)
        assert.strictEqual(found.types.get("hedonify_units_sold"), "counter")
        const again = yield* scrape()
        assert.strictEqual(again.types.get("hedonify_units_sold_total"), "counter")
        assert.strictEqual(
          valueOf(again, "hedonify_units_sold_total"),
          valueOf(found, "hedonify_units_sold_total"),
          "in the one format as in the other",
        )
        const url = Option.getOrThrow(yield* MetricsAddress)
        const statusOf = (path: string, method = "GET") =>
          Effect.promise(async () => (await fetch(new URL(path, url), { method })).status)
        assert.deepStrictEqual(
          [yield* statusOf("/"), yield* statusOf("/metrics", "POST"), yield* statusOf("/metrics", "HEAD")],
          [404, 405, 200],
        )
      }),
    )
  })

  it.effect("are not served where the settings say so", () =>
    Effect.gen(function* () {
      const address = yield* Effect.provide(MetricsAddress, measured({ HEDONIFY_METRICS_PORT: "off" }))
      assert.isTrue(Option.isNone(address))
    }),
  )

  it.live("whose port is taken stop the start with its name", () =>
    Effect.gen(function* () {
      const taken = createServer()
      const port = yield* Effect.promise(
        () =>
          new Promise<number>((resolve) => {
            taken.listen(0, "127.0.0.1", () => {
              const address = taken.address()
              resolve(typeof address === "object" && address !== null ? address.port : 0)
            })
          }),
      )
      const start = Layer.build(measured({ HEDONIFY_METRICS_PORT: `${port}` }))
      const error = yield* Effect.flip(Effect.scoped(start))
      taken.close()
      assert.strictEqual(error._tag, "CannotStart")
      assert.include(error.message, "HEDONIFY_METRICS_PORT")
    }),
  )
})

describe("the products that sell most", () => {
  it("are those of lately: what sold an hour ago gives way", () => {
    let now = 0
    const hot = makeHotProducts(() => now)
    const id = (number: number) => ProductId.make(`00000000-0000-7000-8000-${String(number).padStart(12, "0")}`)
    const loaded = Array.from({ length: 300 }, (_, number) => ({
      productId: id(number),
      name: `${number}`,
      stocked: 2,
      available: 1,
    }))
    for (const { productId } of loaded.slice(0, 200)) hot.sold(productId, 10)
    now = 3_600_000
    for (const { productId } of loaded.slice(200)) hot.sold(productId, 1)
    const { hot: hottest, others } = hot.among(loaded)
    assert.lengthOf(hottest, shownMax)
    assert.deepStrictEqual(
      new Set(hottest.slice(0, 100).map(({ productId }) => productId)),
      new Set(loaded.slice(200).map(({ productId }) => productId)),
    )
    assert.deepStrictEqual(others, { products: 100, stocked: 200, available: 100 })
  })

  it("are remembered within a bound", () => {
    const hot = makeHotProducts(() => 0)
    const id = (number: number) => ProductId.make(`00000000-0000-7000-8000-${String(number).padStart(12, "0")}`)
    for (let number = 0; number < 20_000; number++) hot.sold(id(number), number === 7 ? 100 : 1)
    const loaded = [8, 7].map((number) => ({ productId: id(number), name: "", stocked: 1, available: 1 }))
    assert.strictEqual(hot.among(loaded).hot[0]?.productId, id(7))
  })
})

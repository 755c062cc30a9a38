/**
 * What the one on call finds of an order at the collector and in the log: the whole way of it through the real service
 * in one trace, its batch beside it, and nothing of the many that went well.
 */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Layer, Option, type Scope } from "effect"
import { NodeServices } from "@effect/platform-node"
import { readFileSync } from "node:fs"
import { afterEach, vi } from "vitest"
import type { Orders } from "../../src/orders/Orders.ts"
import * as Logging from "../../src/platform/logging/logging.ts"
import * as Telemetry from "../../src/platform/tracing/telemetry.ts"
import {
  call,
  newCustomer,
  newMerchant,
  newProduct,
  order,
  testServerPlacing,
  testServerWith,
} from "../http/testServer.ts"
import { attributesOf, otlpReceiver, type ReceivedSpan } from "./otlpReceiver.ts"

type Server = ReturnType<typeof testServerWith>

/** The spans and log lines that a story leaves behind at a server which keeps this share of traces. */
const told = Effect.fnUntraced(function* (
  share: string,
  server: Server,
  story: Effect.Effect<unknown, unknown, Layer.Success<Server> | Scope.Scope>,
) {
  const receiver = yield* otlpReceiver({ answers: true })
  const files = yield* FileSystem.FileSystem
  const file = `${yield* files.makeTempDirectoryScoped()}/log`
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
  vi.stubEnv("OTEL_TRACES_SAMPLER_ARG", share)
  const telemetry = Layer.mergeAll(
    Telemetry.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv()))),
    Logging.layerOf({ level: "Info", file: Option.some(file), output: { descriptor: 1, isTerminal: false } }),
  )
  yield* Effect.scoped(story).pipe(Effect.provide(server.pipe(Layer.provide(telemetry)), { local: true }))
  const lines = (yield* files.readFileString(file)).split("\n").filter((line) => line !== "")
  return { spans: receiver.spans, lines: lines.map((line): Record<string, unknown> => JSON.parse(line)) }
}, Effect.provide(NodeServices.layer))

const childrenOf = (spans: ReadonlyArray<ReceivedSpan>, { spanId, traceId }: ReceivedSpan) =>
  spans
    .filter((span) => span.parentSpanId === spanId && span.traceId === traceId)
    .toSorted((left, right) => (left.startTimeUnixNano < right.startTimeUnixNano ? -1 : 1))

const named = (spans: ReadonlyArray<ReceivedSpan>, name: string): ReceivedSpan =>
  spans.find((span) => span.name === name) ?? assert.fail(`no span ${name} among ${spans.map((span) => span.name)}`)

const caller = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" }
const traceparent = (flags: string) => ({ traceparent: `00-${caller.traceId}-${caller.spanId}-${flags}` })

const placed = Effect.fnUntraced(function* (token: string, productIds: ReadonlyArray<string>, headers = {}) {
  const lines = productIds.map((productId) => ({ productId, quantity: 1 }))
  const key = { "idempotency-key": `${Math.random()}` }
  return yield* call("/v1/orders", { token, json: { lines }, headers: { ...key, ...headers } })
})

afterEach(() => {
  vi.unstubAllEnvs()
})

describe("an order's trace", () => {
  it.live("tells its whole way, is linked to its batch and back, and its log line names it", () =>
    Effect.gen(function* () {
      let orderId = ""
      const { lines, spans } = yield* told(
        "1",
        testServerWith({}),
        Effect.gen(function* () {
          const lamp = yield* newProduct(yield* newMerchant(), {})
          const answer = yield* placed((yield* newCustomer()).token, [lamp], traceparent("01"))
          assert.strictEqual(answer.status, 201)
          orderId = String(answer.body["id"])
        }),
      )
      const request = spans.find((span) => span.parentSpanId === caller.spanId) ?? assert.fail("no request")
      assert.strictEqual(request.name, "POST /v1/orders")
      assert.strictEqual(request.traceId, caller.traceId)
      assert.strictEqual(request.kind, 2)
      assert.deepInclude(attributesOf(request), {
        "http.request.method": "POST",
        "http.route": "/v1/orders",
        "http.response.status_code": 201,
        "url.path": "/v1/orders",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "hedonify.order.id": orderId,
      })
      const place = named(childrenOf(spans, request), "Orders.place")
      assert.deepInclude(attributesOf(place), { "hedonify.outcome": "Accepted", "hedonify.order.id": orderId })
      // Which shard a product belongs to is asked once.
      const steps = childrenOf(spans, place).filter((span) => attributesOf(span)["db.query.text"] === undefined)
      assert.deepStrictEqual(
        steps.map((step) => step.name),
        ["mailbox", "batch", "reply"],
      )
      const [mailbox, batch] = steps
      assert.isAtLeast(Number(attributesOf(mailbox ?? assert.fail())["hedonify.mailbox.wait_millis"]), 0)
      assert.strictEqual(attributesOf(mailbox ?? assert.fail())["hedonify.command"], "Reserve")
      const shared = named(spans, "ShardActor.batch")
      assert.deepStrictEqual(
        batch?.links.map(({ spanId }) => spanId),
        [shared.spanId],
      )
      assert.deepStrictEqual(
        shared.links.map(({ spanId }) => spanId),
        [place.spanId],
      )
      assert.notStrictEqual(shared.traceId, request.traceId)
      assert.deepInclude(attributesOf(shared), { "hedonify.batch.size": 1 })
      const commit = named(childrenOf(spans, batch ?? assert.fail()), "commit")
      assert.deepInclude(attributesOf(commit), { "db.system.name": "postgresql", "hedonify.lease.batch": 1 })
      assert.strictEqual(
        named(childrenOf(spans, shared), "ShardStore.commit").startTimeUnixNano,
        commit.startTimeUnixNano,
      )

      const line = lines.find((each) => each["orderId"] === orderId) ?? assert.fail("no line")
      assert.deepInclude(line, { msg: "request", traceId: request.traceId, spanId: request.spanId, status: 201 })
      const shipped = readFileSync(
        new URL("../../observability/grafana/provisioning/datasources/datasources.yml", import.meta.url),
        "utf8",
      )
      const [, expression = ""] = /matcherRegex: '(.*)'/.exec(shipped) ?? []
      assert.strictEqual(new RegExp(expression).exec(JSON.stringify(line))?.[1], request.traceId)
      assert.isString(line["requestId"])
      assert.isNumber(line["shard"])
    }).pipe(Effect.scoped),
  )

  it.live("has each shard's part where the order needs several, and goes on through a payment", () =>
    Effect.gen(function* () {
      const { spans } = yield* told(
        "1",
        testServerWith({}),
        Effect.gen(function* () {
          const merchant = yield* newMerchant()
          const { token } = yield* newCustomer()
          const lamps = yield* Effect.all([
            newProduct(merchant, { stockGroup: "one" }),
            newProduct(merchant, { stockGroup: "another" }),
          ])
          const answer = yield* placed(token, lamps)
          assert.strictEqual(answer.status, 201)
          const payment = { token, json: { method: "success" }, headers: { "idempotency-key": "pay" } }
          yield* call(`/v1/orders/${String(answer.body["id"])}/payments`, payment)
        }),
      )
      const commands = childrenOf(spans, named(spans, "Orders.place")).flatMap((span) => {
        const command = attributesOf(span)["hedonify.command"]
        return command === undefined ? [] : [command]
      })
      assert.deepStrictEqual(commands, ["Hold", "Reserve"])
      const pay = named(spans, "POST /v1/orders/{id}/payments")
      const charge = named(spans, "PaymentGateway.charge")
      assert.strictEqual(charge.traceId, pay.traceId)
    }).pipe(Effect.scoped),
  )

  it.live("is not kept where it went well or found nothing left, unless the caller's is; a refusal's is", () =>
    Effect.gen(function* () {
      const { lines, spans } = yield* told(
        "0",
        testServerWith({}),
        Effect.gen(function* () {
          const merchant = yield* newMerchant()
          const { token } = yield* newCustomer()
          const [lamp, none] = yield* Effect.all([newProduct(merchant, {}), newProduct(merchant, { stock: 0 })])
          for (let times = 0; times < 20; times++) yield* order(token, `well ${times}`, [[lamp, 1]])
          assert.strictEqual((yield* order(token, "gone", [[none, 1]])).status, 409)
          assert.strictEqual((yield* placed(token, [lamp], traceparent("00"))).status, 201)
          assert.strictEqual((yield* placed(token, [lamp], traceparent("01"))).status, 201)
          assert.strictEqual((yield* order(token, "reused", [[lamp, 1]])).status, 201)
          assert.strictEqual((yield* order(token, "reused", [[lamp, 2]])).status, 422)
        }),
      )
      const requests = spans
        .filter((span) => span.kind === 2)
        .map((span) => attributesOf(span)["http.response.status_code"])
      assert.deepStrictEqual(requests, [201, 422])
      assert.deepStrictEqual(
        lines.filter(({ msg }) => msg === "request").map(({ code, status }) => [status, code]),
        [
          [201, undefined],
          [422, "idempotency_key_reused"],
        ],
      )
      const batches = spans.filter((span) => span.name === "ShardActor.batch")
      assert.lengthOf(batches, 2)
      assert.isAtLeast(spans.filter((span) => span.name === "Orders.place").length, 2)
    }).pipe(Effect.scoped),
  )

  it.live("is kept where the service failed or was slow, however small the share", () =>
    Effect.gen(function* () {
      const place: Orders["Service"]["place"] = (_buyer, { idempotencyKey }) =>
        idempotencyKey === "broken"
          ? Effect.die(new Error("a bug"))
          : Effect.as(Effect.sleep(1_100), {
              _tag: "Refused",
              refusal: { code: "out_of_stock", lines: [], retryable: false },
            })
      const { spans } = yield* told(
        "0",
        testServerPlacing(place),
        Effect.gen(function* () {
          const { token } = yield* newCustomer()
          const product = "00000000-0000-7000-8000-000000000000"
          assert.strictEqual((yield* order(token, "broken", [[product, 1]])).status, 500)
          assert.strictEqual((yield* order(token, "slow", [[product, 1]])).status, 409)
        }),
      )
      const requests = spans.filter((span) => span.kind === 2)
      assert.deepStrictEqual(
        requests.map((span) => [attributesOf(span)["http.response.status_code"], span.status.code]),
        [
          [500, 2],
          [409, 0],
        ],
      )
      assert.strictEqual(attributesOf(requests[0] ?? assert.fail())["error.type"], "500")
    }).pipe(Effect.scoped),
  )
})

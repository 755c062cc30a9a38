/** What an operator sees of the spans: a tree at the collector, the share that was asked for, and a bounded goodbye. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Layer, Option } from "effect"
import { afterEach, vi } from "vitest"
import * as Telemetry from "../../src/platform/tracing/telemetry.ts"
import { otlpReceiver } from "./otlpReceiver.ts"

const order = Effect.void.pipe(
  Effect.withSpan("Shard.commit"),
  Effect.withSpan("Orders.place"),
  Effect.withSpan("POST /v1/orders"),
)

/** With the environment as it is now: Effect's own provider remembers the one the process was started with. */
const run = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.suspend(() =>
    Effect.provide(effect, Telemetry.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv())))),
  )

/** How many spans of 500 orders of three spans each arrive. */
const arrivals = Effect.fnUntraced(function* (ratio: string) {
  const receiver = yield* otlpReceiver({ answers: true })
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
  vi.stubEnv("OTEL_TRACES_SAMPLER_ARG", ratio)
  yield* run(Effect.forEach(Array.from({ length: 500 }), () => order, { discard: true }))
  return receiver.spans.length
})

afterEach(() => {
  vi.unstubAllEnvs()
})

describe("Telemetry", () => {
  it.live("an order's spans arrive at the collector as one tree, under the service's name", () =>
    Effect.gen(function* () {
      const receiver = yield* otlpReceiver({ answers: true })
      vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
      vi.stubEnv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop")
      vi.stubEnv("OTEL_TRACES_SAMPLER", "always_on")
      yield* run(order)
      const [commit, place, request] = ["Shard.commit", "Orders.place", "POST /v1/orders"].map((name) =>
        receiver.spans.find((span) => span.name === name),
      )
      assert.strictEqual(receiver.spans.length, 3)
      assert.strictEqual(commit?.parentSpanId, place?.spanId)
      assert.strictEqual(place?.parentSpanId, request?.spanId)
      assert.isUndefined(request?.parentSpanId)
      assert.strictEqual(commit?.traceId, request?.traceId)
      assert.strictEqual(receiver.resource.get("service.name"), "hedonify")
      assert.strictEqual(receiver.headers[0]?.["x-tenant"], "shop")
    }),
  )

  it.live("OTEL_SERVICE_NAME names the service", () =>
    Effect.gen(function* () {
      const receiver = yield* otlpReceiver({ answers: true })
      vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
      vi.stubEnv("OTEL_TRACES_SAMPLER", "always_on")
      vi.stubEnv("OTEL_SERVICE_NAME", "ticket-drop")
      yield* run(order)
      assert.strictEqual(receiver.resource.get("service.name"), "ticket-drop")
    }),
  )

  it.live("about one trace in a hundred is kept when nothing is said, all with a ratio of 1, none with 0", () =>
    Effect.gen(function* () {
      assert.isBelow(yield* arrivals(""), 150)
      assert.strictEqual(yield* arrivals("1"), 1_500)
      assert.strictEqual(yield* arrivals("0"), 0)
    }),
  )

  it.live("without an endpoint no span is made", () =>
    Effect.gen(function* () {
      vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
      const span = yield* run(Effect.option(Effect.withSpan(Effect.currentSpan, "Orders.place")))
      assert.isFalse(Option.exists(span, ({ sampled }) => sampled))
    }),
  )

  it.live("OTEL_SDK_DISABLED switches spans off in spite of an endpoint", () =>
    Effect.gen(function* () {
      const receiver = yield* otlpReceiver({ answers: true })
      vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
      vi.stubEnv("OTEL_TRACES_SAMPLER", "always_on")
      vi.stubEnv("OTEL_SDK_DISABLED", "true")
      yield* run(order)
      assert.strictEqual(receiver.spans.length, 0)
    }),
  )

  it.live("a collector that never answers delays the end by about three seconds, not more", () =>
    Effect.gen(function* () {
      const receiver = yield* otlpReceiver({ answers: false })
      vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
      vi.stubEnv("OTEL_TRACES_SAMPLER", "always_on")
      const [duration] = yield* Effect.timed(run(order))
      assert.isBelow(Duration.toMillis(duration), 4_500)
      assert.strictEqual(receiver.spans.length, 3)
    }),
  )

  it.live("a ratio that is none, and a sampler nobody knows, stop the start by name", () =>
    Effect.gen(function* () {
      vi.stubEnv("OTEL_TRACES_SAMPLER_ARG", "2")
      assert.include((yield* Effect.flip(run(order))).message, "OTEL_TRACES_SAMPLER_ARG")
      vi.stubEnv("OTEL_TRACES_SAMPLER_ARG", "1")
      vi.stubEnv("OTEL_TRACES_SAMPLER", "sometimes")
      const error = yield* Effect.flip(run(order))
      assert.strictEqual(error._tag, "CannotStart")
      assert.include(error.message, "OTEL_TRACES_SAMPLER")
    }),
  )
})

/**
 * Sends Effect's spans to an OpenTelemetry collector over OTLP/HTTP when one is named by the standard
 * `OTEL_EXPORTER_OTLP_ENDPOINT`, and otherwise switches spans off, so that nobody pays for what nobody reads.
 *
 * Must stay true: the standard OTEL_* names mean what the OpenTelemetry specification says; a collector that is slow
 * or gone costs spans, never an order, and delays the shutdown by `flushTimeoutMillis` at most.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base"
import { Config, Effect, Layer, References, Schema } from "effect"
import manifest from "../../package.json" with { type: "json" }
import { type CannotStart, cannotStart } from "./CannotStart.ts"

/** One trace in a hundred tells where time goes; more costs throughput that nobody asked to spend. */
const sampledRatioDefault = 0.01
/** What the shutdown waits for the last spans to leave. */
const flushTimeoutMillis = 3_000

const ratio = Schema.FiniteFromString.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

const samplers = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const

/** A standard setting, where an empty value counts as none, as the specification wants it. */
const setting = <S extends Schema.Codec<unknown, string>, Default>(name: string, schema: S, otherwise: Default) =>
  Config.schema(Schema.Union([schema, Schema.Literal("")]), name).pipe(
    Config.map((value) => (value === "" ? otherwise : value)),
    Config.withDefault(otherwise),
  )

const settings = Config.all({
  disabled: setting("OTEL_SDK_DISABLED", Schema.Literals(["true", "false"]), "false"),
  exporter: setting("OTEL_TRACES_EXPORTER", Schema.Literals(["otlp", "none"]), "otlp"),
  endpoint: setting("OTEL_EXPORTER_OTLP_ENDPOINT", Schema.String, ""),
  tracesEndpoint: setting("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", Schema.String, ""),
  sampler: setting("OTEL_TRACES_SAMPLER", Schema.Literals(samplers), undefined),
  sampledRatio: setting("OTEL_TRACES_SAMPLER_ARG", ratio, sampledRatioDefault),
  serviceName: setting("OTEL_SERVICE_NAME", Schema.String, manifest.name),
})

export const layer: Layer.Layer<never, CannotStart> = Layer.unwrap(
  Effect.gen(function* () {
    const given = yield* Effect.mapError(settings, (error) => cannotStart(`Telemetry: ${error.message}`))
    const isOff =
      given.disabled === "true" || given.exporter === "none" || (given.endpoint === "" && given.tracesEndpoint === "")
    return isOff ? withoutSpans : exportingSpans(given)
  }),
)

const withoutSpans = Layer.succeed(References.TracerEnabled, false)

const exportingSpans = (given: Config.Success<typeof settings>): Layer.Layer<never> =>
  NodeSdk.layer(() => ({
    resource: { serviceName: given.serviceName, serviceVersion: manifest.version },
    // Address, headers, compression, time-outs and queue sizes are read from the environment by the SDK itself.
    spanProcessor: new BatchSpanProcessor(new OTLPTraceExporter()),
    tracerConfig: given.sampler === undefined ? { sampler: shareOfTraces(given.sampledRatio) } : {},
    shutdownTimeout: flushTimeoutMillis,
  }))

/** The standard's default samples everything; ours follows the caller's decision and otherwise takes a share. */
const shareOfTraces = (share: number): Sampler => new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) })

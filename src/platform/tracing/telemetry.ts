/**
 * Sends Effect's spans to an OpenTelemetry collector over OTLP/HTTP when one is named by the standard
 * `OTEL_EXPORTER_OTLP_ENDPOINT`, and otherwise switches spans off, so that nobody pays for what nobody reads.
 *
 * Must stay true: the standard OTEL_* names mean what the OpenTelemetry specification says; a collector that is slow
 * or gone costs spans, never an order, and delays the shutdown by `flushTimeoutMillis` at most.
 */
import * as Resource from "@effect/opentelemetry/Resource"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { Config, Effect, Layer, References, Schema, Tracer } from "effect"
import manifest from "../../../package.json" with { type: "json" }
import { type CannotStart, cannotStart } from "../CannotStart.ts"
import { exportingTo, keepingNone } from "./exporting.ts"
import { makeRecordingTracer, type SamplerName, samplers } from "./recordingTracer.ts"

/** One trace in a hundred tells where time goes; more costs throughput that nobody asked to spend. */
const sampledRatioDefault = 0.01
/** What the shutdown waits for the last spans to leave. */
const flushTimeoutMillis = 3_000

const ratio = Schema.FiniteFromString.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

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
    return isOff ? withoutSpans(given) : exportingSpans(given)
  }),
)

/** Requests are told apart all the same: by the same rule each that matters has its log line. */
const withoutSpans = (given: Config.Success<typeof settings>): Layer.Layer<never> =>
  Layer.merge(
    Layer.succeed(References.TracerEnabled, false),
    Layer.sync(Tracer.Tracer, () =>
      makeRecordingTracer(given.sampler ?? samplerDefault, given.sampledRatio, keepingNone()),
    ),
  )

const exportingSpans = (given: Config.Success<typeof settings>): Layer.Layer<never> =>
  Layer.effect(
    Tracer.Tracer,
    Effect.gen(function* () {
      const resource = yield* Resource.Resource
      // Address, headers, compression, time-outs and batch sizes are read from the environment by the SDK itself.
      const exporting = yield* Effect.acquireRelease(
        Effect.sync(() =>
          exportingTo(new OTLPTraceExporter(), resource, { name: manifest.name, version: manifest.version }),
        ),
        ({ close }) =>
          Effect.promise(() => close().catch(() => undefined)).pipe(
            Effect.interruptible,
            Effect.timeoutOption(flushTimeoutMillis),
          ),
      )
      return makeRecordingTracer(given.sampler ?? samplerDefault, given.sampledRatio, exporting)
    }),
  ).pipe(
    Layer.provide(Resource.layerFromEnv({ "service.name": given.serviceName, "service.version": manifest.version })),
  )

/** The standard's default keeps everything; ours follows the caller's decision and otherwise takes a share. */
const samplerDefault: SamplerName = "parentbased_traceidratio"

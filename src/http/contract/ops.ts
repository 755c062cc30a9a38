/**
 * What whoever is on call asks the running service: how its shards do, whether its books are in order, and to say more
 * or less in its log.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { logLabels } from "../../platform/logging/LogControl.ts"
import { Authorization } from "./authorization.ts"
import { bodyProblems, problems } from "./problem.ts"
import { Timestamp } from "./text.ts"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const ShardView = Schema.Struct({
  shard: Count,
  owner: Schema.NullOr(Schema.String).annotate({
    description: "Who took it last, as host/process; null where PostgreSQL does not say and it is not this process.",
  }),
  serving: Schema.Boolean.annotate({ description: "Whether this process may write it now." }),
  epoch: Schema.NullOr(Count).annotate({ description: "Of this process's lease; null without one." }),
  batch: Schema.NullOr(Count).annotate({ description: "The last batch's number." }),
  mailboxDepth: Count.annotate({ description: "Commands that wait." }),
  mailboxSize: Count.annotate({ description: "Commands that may wait; past it callers hear busy." }),
  batches: Count.annotate({ description: "Since the start of this process." }),
  commands: Count.annotate({ description: "Since the start of this process." }),
  lastBatchSize: Count,
  batchesPerSecond: Schema.Finite,
  commandsPerSecond: Schema.Finite,
}).annotate({ identifier: "Shard" })

const Shards = Schema.Struct({
  data: Schema.Array(ShardView),
  rateSeconds: Schema.Finite.annotate({ description: "How long a time the rates are of, up to now." }),
})

const Rule = Schema.Struct({
  name: Schema.String,
  sentence: Schema.String.annotate({ description: "What has to hold." }),
  outcome: Schema.Literals(["holds", "violated", "unknown"]).annotate({
    description: "unknown: it could not be looked at, and reason says why.",
  }),
  reason: Schema.optionalKey(Schema.String),
  checked: Count.annotate({ description: "Rows it looked at." }),
  violations: Count,
  examples: Schema.Array(Schema.Json).annotate({ description: "Some of the offenders." }),
  durationMillis: Count,
}).annotate({ identifier: "AuditedRule" })

export const AuditView = Schema.Struct({
  running: Schema.Boolean,
  runningSince: Schema.optionalKey(Timestamp),
  last: Schema.optionalKey(
    Schema.Struct({
      outcome: Schema.Literals(["holds", "violated", "unknown"]).annotate({
        description: "violated where one rule is; holds only where every rule was looked at.",
      }),
      startedAt: Timestamp,
      endedAt: Timestamp,
      rules: Schema.Array(Rule),
    }).annotate({ description: "The last one that ended since this process started." }),
  ),
}).annotate({ identifier: "Audit" })

const Level = Schema.Literals([...logLabels, "none"])

export const LogLevelView = Schema.Struct({
  level: Level,
  before: Schema.optionalKey(Level).annotateKey({ description: "What it was until now, where it was changed." }),
  configured: Level.annotate({ description: "What it is again after a restart." }),
}).annotate({ identifier: "LogLevel" })

export const SetLogLevel = Schema.Struct({ level: Level }).annotate({ identifier: "SetLogLevel" })

export class OpsGroup extends HttpApiGroup.make("ops")
  .add(
    HttpApiEndpoint.get("shards", "/v1/ops/shards", {
      success: Shards,
      error: problems({ 403: ["forbidden"] }),
    }).annotateMerge(
      OpenApi.annotations({ summary: "Who owns each shard, what waits for it, how fast it is (admin)" }),
    ),
    HttpApiEndpoint.get("audit", "/v1/ops/audit", {
      success: AuditView,
      error: problems({ 403: ["forbidden"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "What the last audit of the books found (admin)" })),
    HttpApiEndpoint.post("startAudit", "/v1/ops/audit", {
      success: AuditView.pipe(HttpApiSchema.status(202)),
      error: problems({ 403: ["forbidden"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Hold the whole database to every rule (admin)",
        description: "In the background, while orders go on; safe to repeat: one that is under way is joined.",
      }),
    ),
    HttpApiEndpoint.get("logLevel", "/v1/ops/log-level", {
      success: LogLevelView,
      error: problems({ 403: ["forbidden"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "What is logged now (admin)" })),
    HttpApiEndpoint.put("setLogLevel", "/v1/ops/log-level", {
      payload: SetLogLevel,
      success: LogLevelView,
      error: problems(bodyProblems, { 403: ["forbidden"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Log more or less from now on, until the next restart (admin)" })),
  )
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Operations", description: "For whoever keeps the service running." })) {}

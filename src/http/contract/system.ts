/**
 * What a supervisor asks: whether the process lives, and whether it can serve now.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { problems } from "./problem.ts"

const Status = Schema.Struct({ status: Schema.Literal("ok") })

const Ready = Schema.Struct({
  status: Schema.Literal("ok"),
  without: Schema.optionalKey(
    Schema.Array(Schema.Struct({ name: Schema.String, detail: Schema.String })).annotate({
      description: "What would help and is away. Nobody has to be sent elsewhere for it.",
    }),
  ),
})

export class SystemGroup extends HttpApiGroup.make("system")
  .add(
    HttpApiEndpoint.get("live", "/health/live", { success: Status }).annotateMerge(
      OpenApi.annotations({ summary: "The process runs" }),
    ),
    HttpApiEndpoint.get("ready", "/health/ready", {
      success: Ready,
      error: problems({ 503: ["not_ready"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "The service can serve now" })),
  )
  .annotateMerge(OpenApi.annotations({ title: "Health" })) {}

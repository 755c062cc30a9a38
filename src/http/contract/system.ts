/**
 * What a supervisor asks: whether the process lives, and whether it can serve now.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { problems } from "./problem.ts"

const Status = Schema.Struct({ status: Schema.Literal("ok") })

export class SystemGroup extends HttpApiGroup.make("system")
  .add(
    HttpApiEndpoint.get("live", "/health/live", { success: Status }).annotateMerge(
      OpenApi.annotations({ summary: "The process runs" }),
    ),
    HttpApiEndpoint.get("ready", "/health/ready", {
      success: Status,
      error: problems({ 503: ["not_ready"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "The service can serve now" })),
  )
  .annotateMerge(OpenApi.annotations({ title: "Health" })) {}

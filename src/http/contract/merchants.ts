/**
 * Merchants as a caller sees them: any account applies, an admin approves.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { MerchantId } from "../../domain/ids.ts"
import { Authorization } from "./authorization.ts"
import { limitParameter, page } from "./paging.ts"
import { bodyProblems, problems } from "./problem.ts"
import { Name } from "./text.ts"

export const MerchantView = Schema.Struct({
  id: MerchantId,
  name: Schema.String,
  status: Schema.Literals(["pending", "approved", "suspended"]),
}).annotate({ identifier: "Merchant" })

export const ApplyAsMerchant = Schema.Struct({ name: Name }).annotate({ identifier: "ApplyAsMerchant" })

export class MerchantsGroup extends HttpApiGroup.make("merchants")
  .add(
    HttpApiEndpoint.post("apply", "/v1/merchants", {
      payload: ApplyAsMerchant,
      success: MerchantView.pipe(HttpApiSchema.status(201)),
      error: problems(bodyProblems, { 403: ["forbidden"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Apply to sell" })),
    HttpApiEndpoint.get("list", "/v1/merchants", {
      query: { limit: limitParameter, starting_after: Schema.optionalKey(MerchantId) },
      success: page(MerchantView),
      error: problems({ 422: ["invalid"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Own merchants; all of them for an admin" })),
    HttpApiEndpoint.post("approve", "/v1/merchants/:id/approve", {
      params: { id: MerchantId },
      success: MerchantView,
      error: problems({ 403: ["forbidden"], 404: ["not_found"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Approve a merchant (admin)" })),
  )
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Merchants", description: "Who sells." })) {}

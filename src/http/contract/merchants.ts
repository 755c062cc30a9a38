/**
 * Merchants as a caller sees them: any account applies, an admin approves and suspends, members look after who belongs
 * to it and which keys its own back end orders with.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { apiKeysMax, membersMax } from "../../accounts/accountBounds.ts"
import { AccountId, ApiKeyId, MerchantId } from "../../domain/ids.ts"
import { Authorization } from "./authorization.ts"
import { limitParameter, page } from "./paging.ts"
import { bodyProblems, problems } from "./problem.ts"
import { Email, Name, Timestamp } from "./text.ts"

export const MerchantView = Schema.Struct({
  id: MerchantId,
  name: Schema.String,
  status: Schema.Literals(["pending", "approved", "suspended"]),
}).annotate({ identifier: "Merchant" })

export const ApplyAsMerchant = Schema.Struct({ name: Name }).annotate({ identifier: "ApplyAsMerchant" })

export const MemberView = Schema.Struct({
  accountId: AccountId,
  email: Schema.String,
  name: Schema.String,
  createdAt: Timestamp,
}).annotate({ identifier: "Member" })

export const AddMember = Schema.Struct({ email: Email }).annotate({ identifier: "AddMember" })

const apiKeyFields = {
  id: ApiKeyId,
  name: Schema.String,
  createdAt: Timestamp,
  lastUsedAt: Schema.optionalKey(Timestamp),
  revokedAt: Schema.optionalKey(Timestamp),
}
export const ApiKeyView = Schema.Struct(apiKeyFields).annotate({ identifier: "ApiKey" })
export const NewApiKeyView = Schema.Struct({
  ...apiKeyFields,
  key: Schema.String.annotate({ description: "The secret, shown here and never again." }),
}).annotate({ identifier: "NewApiKey" })

export const CreateApiKey = Schema.Struct({ name: Name }).annotate({ identifier: "CreateApiKey" })

const membersOnly = { 403: ["forbidden"], 404: ["not_found"] }

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
      error: problems(membersOnly),
    }).annotateMerge(OpenApi.annotations({ summary: "Approve a merchant, or end its suspension (admin)" })),
    HttpApiEndpoint.post("suspend", "/v1/merchants/:id/suspend", {
      params: { id: MerchantId },
      success: MerchantView,
      error: problems(membersOnly, { 409: ["not_suspendable"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Take a merchant's products off the shelf (admin)",
        description:
          "From the answer on none of them is sold; what is paid is still shipped. After a 503, repeat it: that finishes it.",
      }),
    ),
    HttpApiEndpoint.get("members", "/v1/merchants/:id/members", {
      params: { id: MerchantId },
      query: { limit: limitParameter, starting_after: Schema.optionalKey(AccountId) },
      success: page(MemberView),
      error: problems(membersOnly, { 422: ["invalid"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Who acts for a merchant (merchant)" })),
    HttpApiEndpoint.post("addMember", "/v1/merchants/:id/members", {
      params: { id: MerchantId },
      payload: AddMember,
      success: MemberView.pipe(HttpApiSchema.status(201)),
      error: problems(bodyProblems, membersOnly, { 409: ["too_many"], 429: ["too_many_requests"] }),
    }).annotateMerge(
      OpenApi.annotations({ summary: `Make an account one of up to ${membersMax} members; safe to repeat (merchant)` }),
    ),
    HttpApiEndpoint.delete("removeMember", "/v1/merchants/:id/members/:accountId", {
      params: { id: MerchantId, accountId: AccountId },
      success: HttpApiSchema.NoContent,
      error: problems(membersOnly, { 409: ["last_member"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "End a membership; safe to repeat (merchant)" })),
    HttpApiEndpoint.post("createApiKey", "/v1/merchants/:id/api-keys", {
      params: { id: MerchantId },
      payload: CreateApiKey,
      success: NewApiKeyView.pipe(HttpApiSchema.status(201)),
      error: problems(bodyProblems, membersOnly, { 409: ["too_many"] }),
    }).annotateMerge(
      OpenApi.annotations({ summary: `Make one of up to ${apiKeysMax} keys, shown this once (merchant)` }),
    ),
    HttpApiEndpoint.get("apiKeys", "/v1/merchants/:id/api-keys", {
      params: { id: MerchantId },
      query: { limit: limitParameter, starting_after: Schema.optionalKey(ApiKeyId) },
      success: page(ApiKeyView),
      error: problems(membersOnly, { 422: ["invalid"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Keys and when each was used last (merchant)" })),
    HttpApiEndpoint.delete("revokeApiKey", "/v1/merchants/:id/api-keys/:keyId", {
      params: { id: MerchantId, keyId: ApiKeyId },
      success: HttpApiSchema.NoContent,
      error: problems(membersOnly),
    }).annotateMerge(OpenApi.annotations({ summary: "End a key at once; safe to repeat (merchant)" })),
  )
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Merchants", description: "Who sells." })) {}

/**
 * Applying, listing and approving merchants.
 */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { forbidden } from "../../accounts/accountRefusals.ts"
import { pageSizeDefault } from "../../domain/bounds.ts"
import type { MerchantId } from "../../domain/ids.ts"
import { Merchants } from "../../merchants/Merchants.ts"
import { Api } from "../contract/Api.ts"
import { CurrentPrincipal } from "../contract/authorization.ts"
import { ApplyAsMerchant } from "../contract/merchants.ts"
import { makeBodyReader } from "../requestBody.ts"
import { answeringInTime } from "../respond.ts"

const readApplication = makeBodyReader(ApplyAsMerchant)

export const merchantsHandlers = HttpApiBuilder.group(
  Api,
  "merchants",
  Effect.fnUntraced(function* (handlers) {
    const merchants = yield* Merchants

    const apply = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const { account } = yield* CurrentPrincipal
      const { name } = yield* readApplication(request)
      return yield* merchants.apply(account.id, name)
    })

    const list = Effect.fnUntraced(function* (query: {
      readonly limit?: number
      readonly starting_after?: MerchantId
    }) {
      const { account } = yield* CurrentPrincipal
      return yield* merchants.list({
        memberId: account.isAdmin ? null : account.id,
        startingAfter: query.starting_after ?? null,
        limit: query.limit ?? pageSizeDefault,
      })
    })

    const approve = Effect.fnUntraced(function* (id: MerchantId) {
      const { account } = yield* CurrentPrincipal
      if (!account.isAdmin) return yield* Effect.fail(forbidden("Only an admin approves merchants."))
      return yield* merchants.approve(id)
    })

    return handlers
      .handleRaw("apply", ({ request }) => answeringInTime(apply(request)))
      .handle("list", ({ query }) => answeringInTime(list(query)))
      .handle("approve", ({ params }) => answeringInTime(approve(params.id)))
  }),
)

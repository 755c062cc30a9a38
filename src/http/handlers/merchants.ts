/**
 * Merchants over HTTP. Must stay true: an admin alone approves and suspends; members and admins see who belongs to a
 * merchant and take keys and memberships away; only members of an approved one hand out keys.
 */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { forbidden } from "../../accounts/accountRefusals.ts"
import { actsFor, belongsTo } from "../../accounts/principal.ts"
import { pageSizeDefault } from "../../domain/bounds.ts"
import type { AccountId, ApiKeyId, MerchantId } from "../../domain/ids.ts"
import { type ApiKey, ApiKeys } from "../../merchants/ApiKeys.ts"
import { type Member, Members } from "../../merchants/Members.ts"
import { Merchants } from "../../merchants/Merchants.ts"
import { MerchantStanding } from "../../merchants/MerchantStanding.ts"
import { Api } from "../contract/Api.ts"
import { CurrentPrincipal } from "../contract/authorization.ts"
import { AddMember, type ApiKeyView, ApplyAsMerchant, CreateApiKey, type MemberView } from "../contract/merchants.ts"
import { isoTime } from "../isoTime.ts"
import { makeBodyReader } from "../requestBody.ts"
import { answeringInTime } from "../respond.ts"

const readApplication = makeBodyReader(ApplyAsMerchant)
const readMember = makeBodyReader(AddMember)
const readApiKey = makeBodyReader(CreateApiKey)

interface PageQuery<Id> {
  readonly limit?: number
  readonly starting_after?: Id
}

const pageOf = <Id>(query: PageQuery<Id>) => ({
  startingAfter: query.starting_after ?? null,
  limit: query.limit ?? pageSizeDefault,
})

const memberView = ({ createdAtMillis, ...member }: Member): typeof MemberView.Type => ({
  ...member,
  createdAt: isoTime(createdAtMillis),
})

const apiKeyView = (key: ApiKey): typeof ApiKeyView.Type => ({
  id: key.id,
  name: key.name,
  createdAt: isoTime(key.createdAtMillis),
  ...(key.lastUsedAtMillis === null ? {} : { lastUsedAt: isoTime(key.lastUsedAtMillis) }),
  ...(key.revokedAtMillis === null ? {} : { revokedAt: isoTime(key.revokedAtMillis) }),
})

const admin = Effect.flatMap(CurrentPrincipal, ({ account }) =>
  account.isAdmin ? Effect.void : Effect.fail(forbidden("Only an admin approves and suspends merchants.")),
)

/** A member, whatever has become of the merchant, or an admin. */
const insider = Effect.fnUntraced(function* (id: MerchantId) {
  const { account } = yield* CurrentPrincipal
  if (account.isAdmin || belongsTo(account, id)) return account
  return yield* Effect.fail(forbidden("Only members of this merchant may do this."))
})

const seller = Effect.fnUntraced(function* (id: MerchantId) {
  const { account } = yield* CurrentPrincipal
  if (actsFor(account, id)) return account
  return yield* Effect.fail(forbidden("Only members of an approved merchant make keys for it."))
})

export const merchantsHandlers = HttpApiBuilder.group(
  Api,
  "merchants",
  Effect.fnUntraced(function* (handlers) {
    const merchants = yield* Merchants
    const standing = yield* MerchantStanding
    const members = yield* Members
    const keys = yield* ApiKeys

    const apply = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const { account } = yield* CurrentPrincipal
      const { name } = yield* readApplication(request)
      return yield* merchants.apply(account.id, name)
    })

    const list = Effect.fnUntraced(function* (query: PageQuery<MerchantId>) {
      const { account } = yield* CurrentPrincipal
      return yield* merchants.list({ memberId: account.isAdmin ? null : account.id, ...pageOf(query) })
    })

    const listMembers = Effect.fnUntraced(function* (id: MerchantId, query: PageQuery<AccountId>) {
      yield* insider(id)
      const page = yield* members.list(id, pageOf(query))
      return { data: page.data.map(memberView), hasMore: page.hasMore }
    })

    const addMember = Effect.fnUntraced(function* (id: MerchantId, request: HttpServerRequest.HttpServerRequest) {
      const account = yield* insider(id)
      const { email } = yield* readMember(request)
      return memberView(yield* members.add(account.id, id, email))
    })

    const removeMember = Effect.fnUntraced(function* (id: MerchantId, accountId: AccountId) {
      yield* insider(id)
      yield* members.remove(id, accountId)
    })

    const createApiKey = Effect.fnUntraced(function* (id: MerchantId, request: HttpServerRequest.HttpServerRequest) {
      const account = yield* seller(id)
      const { name } = yield* readApiKey(request)
      const key = yield* keys.create(id, account.id, name)
      return { ...apiKeyView(key), key: key.secret }
    })

    const listApiKeys = Effect.fnUntraced(function* (id: MerchantId, query: PageQuery<ApiKeyId>) {
      yield* insider(id)
      const page = yield* keys.list(id, pageOf(query))
      return { data: page.data.map(apiKeyView), hasMore: page.hasMore }
    })

    const revokeApiKey = Effect.fnUntraced(function* (id: MerchantId, keyId: ApiKeyId) {
      yield* insider(id)
      yield* keys.revoke(id, keyId)
    })

    return handlers
      .handleRaw("apply", ({ request }) => answeringInTime(apply(request)))
      .handle("list", ({ query }) => answeringInTime(list(query)))
      .handle("approve", ({ params }) => answeringInTime(Effect.andThen(admin, standing.approve(params.id))))
      .handle("suspend", ({ params }) => answeringInTime(Effect.andThen(admin, standing.suspend(params.id))))
      .handle("members", ({ params, query }) => answeringInTime(listMembers(params.id, query)))
      .handleRaw("addMember", ({ params, request }) => answeringInTime(addMember(params.id, request)))
      .handle("removeMember", ({ params }) => answeringInTime(removeMember(params.id, params.accountId)))
      .handleRaw("createApiKey", ({ params, request }) => answeringInTime(createApiKey(params.id, request)))
      .handle("apiKeys", ({ params, query }) => answeringInTime(listApiKeys(params.id, query)))
      .handle("revokeApiKey", ({ params }) => answeringInTime(revokeApiKey(params.id, params.keyId)))
  }),
)

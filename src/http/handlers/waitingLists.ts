/**
 * Waiting lists and offers over HTTP. An offer that is accepted answers as an order does.
 */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { notFound } from "../../accounts/accountRefusals.ts"
import { OrderRate } from "../../accounts/OrderRate.ts"
import { pageSizeDefault } from "../../domain/bounds.ts"
import type { OfferId, ProductId } from "../../domain/ids.ts"
import type { Offer, Place } from "../../orders/WaitingListReads.ts"
import { WaitingLists } from "../../orders/WaitingLists.ts"
import { Api } from "../contract/Api.ts"
import { CurrentPrincipal } from "../contract/authorization.ts"
import { JoinWaitlist, type OfferView, type PlaceView } from "../contract/waitingLists.ts"
import { isoTime } from "../isoTime.ts"
import { makeBodyReader } from "../requestBody.ts"
import { answering, answeringInTime } from "../respond.ts"
import { placedResponse } from "./orders.ts"

const readJoin = makeBodyReader(JoinWaitlist)

const offerView = ({ expiresAtMillis, ...offer }: Offer): OfferView => ({
  ...offer,
  expiresAt: isoTime(expiresAtMillis),
})

const placeView = ({ offer, position, quantity }: Place): PlaceView => ({
  position,
  quantity,
  ...(offer === null ? {} : { offer: offerView(offer) }),
})

export const waitingListsHandlers = HttpApiBuilder.group(
  Api,
  "waitingLists",
  Effect.fnUntraced(function* (handlers) {
    const lists = yield* WaitingLists
    const rate = yield* OrderRate

    const join = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, productId: ProductId) {
      const { account } = yield* CurrentPrincipal
      const { quantity } = yield* readJoin(request)
      const joined = yield* lists.join(account.id, productId, quantity)
      if (joined._tag === "Joined") return placeView(joined.place)
      return yield* Effect.fail(joined.refusal.code === "unknown_product" ? notFound : joined.refusal)
    })

    const place = Effect.fnUntraced(function* (productId: ProductId) {
      const { account } = yield* CurrentPrincipal
      const found = yield* lists.place(account.id, productId)
      return found === null ? yield* Effect.fail(notFound) : placeView(found)
    })

    const leave = Effect.fnUntraced(function* (productId: ProductId) {
      const { account } = yield* CurrentPrincipal
      yield* lists.leave(account.id, productId)
    })

    const offers = Effect.fnUntraced(function* (query: { readonly limit?: number; readonly starting_after?: OfferId }) {
      const { account } = yield* CurrentPrincipal
      const startingAfter = query.starting_after ?? null
      const page = yield* lists.offers(account.id, { startingAfter, limit: query.limit ?? pageSizeDefault })
      return { data: page.data.map(offerView), hasMore: page.hasMore }
    })

    const accept = Effect.fnUntraced(function* (offerId: OfferId, key: string) {
      const { account, caller } = yield* CurrentPrincipal
      yield* rate.take(caller)
      const accepted = yield* lists.accept(account.id, offerId, key)
      return accepted._tag === "Refused" ? yield* Effect.fail(accepted.refusal) : placedResponse(accepted)
    })

    const decline = Effect.fnUntraced(function* (offerId: OfferId) {
      const { account } = yield* CurrentPrincipal
      const declined = yield* lists.decline(account.id, offerId)
      return declined === null ? yield* Effect.fail({ code: "offer_expired" } as const) : offerView(declined)
    })

    return handlers
      .handleRaw("join", ({ params, request }) => answering(join(request, params.id)))
      .handle("place", ({ params }) => answeringInTime(place(params.id)))
      .handle("leave", ({ params }) => answering(leave(params.id)))
      .handle("offers", ({ query }) => answeringInTime(offers(query)))
      .handleRaw("accept", ({ headers, params }) => answering(accept(params.id, headers["idempotency-key"])))
      .handle("decline", ({ params }) => answering(decline(params.id)))
  }),
)

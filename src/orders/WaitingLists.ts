/**
 * Waiting for what is sold out, and what comes of it: an offer, which is a hold of the account's own until its time is
 * over. Places are given and offers made by the product's shard; here an account joins, looks, leaves, accepts and
 * declines.
 *
 * Must stay true: accepting is placing an order, once for each key, and sells the very units that the offer holds; of an
 * acceptance and the end of the offer's time exactly one wins.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { SecureRandom } from "effect/crypto"
import { pageSizeMax } from "../domain/bounds.ts"
import { type Command, offerHold, type OutcomeOf } from "../domain/commands.ts"
import { type AccountId, CallerId, OfferId, OrderId, type ProductId } from "../domain/ids.ts"
import type { Page } from "../domain/page.ts"
import type { JoinRefusal, OfferRefusal, OrderRefusal } from "../domain/refusals.ts"
import { offerFingerprint } from "../inventory/fingerprint.ts"
import { Inventory } from "../inventory/Inventory.ts"
import { OrderCoordinator } from "../inventory/OrderCoordinator.ts"
import { Busy, type CommandError, OutcomeUnknown } from "../inventory/shard/mailboxEntry.ts"
import { ShardDirectory } from "../inventory/ShardDirectory.ts"
import { OrderReads } from "./OrderReads.ts"
import { accountBuyer, orderOf, type OrderSettings, type Placed } from "./placing.ts"
import { type Offer, type Place, WaitingListReads } from "./WaitingListReads.ts"

export type Joined =
  | { readonly _tag: "Joined"; readonly place: Place }
  | { readonly _tag: "Refused"; readonly refusal: JoinRefusal }

export type AcceptedOffer =
  | Extract<Placed, { readonly _tag: "Placed" }>
  | { readonly _tag: "Refused"; readonly refusal: OfferRefusal | OrderRefusal }

export class WaitingLists extends Context.Service<
  WaitingLists,
  {
    /**
     * Waits for `quantity` units, or says why not. The same wish again keeps its place, another quantity goes to the
     * end. Fails as `Orders.place` does.
     */
    readonly join: (accountId: AccountId, productId: ProductId, quantity: number) => Effect.Effect<Joined, CommandError>
    readonly leave: (accountId: AccountId, productId: ProductId) => Effect.Effect<void, CommandError>
    /** Leaves every waiting list and declines every open offer. Safe to repeat. */
    readonly leaveAll: (accountId: AccountId) => Effect.Effect<void, CommandError>
    /** Null where the account neither waits for the product nor is offered any. */
    readonly place: (accountId: AccountId, productId: ProductId) => Effect.Effect<Place | null, Busy>
    /** Open offers, the earliest made first. */
    readonly offers: (
      accountId: AccountId,
      page: { readonly startingAfter: OfferId | null; readonly limit: number },
    ) => Effect.Effect<Page<Offer>, Busy>
    /** Orders what is offered, once for each key. Fails as `Orders.place` does. */
    readonly accept: (
      accountId: AccountId,
      offerId: OfferId,
      idempotencyKey: string,
    ) => Effect.Effect<AcceptedOffer, CommandError>
    /** Gives an open offer up, for whoever waits next; null where there is none. */
    readonly decline: (accountId: AccountId, offerId: OfferId) => Effect.Effect<Offer | null, CommandError>
  }
>()("hedonify/orders/WaitingLists") {
  static readonly layer = (settings: OrderSettings) => Layer.effect(WaitingLists, make(settings))
}

const make = Effect.fnUntraced(function* (settings: OrderSettings) {
  const inventory = yield* Inventory
  const coordinator = yield* OrderCoordinator
  const directory = yield* ShardDirectory
  const orders = yield* OrderReads
  const random = yield* SecureRandom.SecureRandom
  const reads = yield* WaitingListReads
  const deadline = Effect.map(Clock.currentTimeMillis, (nowMillis) => nowMillis + settings.orderDeadlineMillis)

  /** Sends a command to the product's shard; null where there is no such product. */
  const submit = Effect.fnUntraced(function* <C extends Command>(
    productId: ProductId,
    command: C,
  ): Effect.fn.Return<OutcomeOf<C> | null, CommandError> {
    const deadlineMillis = yield* deadline
    const places = yield* directory.shardsOf([productId]).pipe(Effect.mapError(() => new Busy()))
    const shard = places.get(productId)
    return shard === undefined ? null : yield* inventory.submit(shard, command, deadlineMillis)
  })

  const join = Effect.fn("WaitingLists.join")(function* (
    accountId: AccountId,
    productId: ProductId,
    quantity: number,
  ): Effect.fn.Return<Joined, CommandError> {
    const offerId = OfferId.make(yield* random.uuidV7())
    const outcome = yield* submit(productId, { _tag: "Join" as const, offerId, productId, accountId, quantity })
    if (outcome === null) return { _tag: "Refused", refusal: { code: "unknown_product", productIds: [productId] } }
    if (outcome._tag === "Refused") return outcome
    // The place is there by now, whatever keeps it from being shown; an offer may have come of it, and gone, meanwhile.
    const place = yield* Effect.mapError(reads.place(accountId, productId), () => new OutcomeUnknown())
    return { _tag: "Joined", place: place ?? { position: 0, quantity, offer: null } }
  })

  const leave = Effect.fn("WaitingLists.leave")((accountId: AccountId, productId: ProductId) =>
    Effect.asVoid(submit(productId, { _tag: "Leave" as const, productId, accountId })),
  )

  const accept = Effect.fn("WaitingLists.accept")(function* (
    accountId: AccountId,
    offerId: OfferId,
    key: string,
  ): Effect.fn.Return<AcceptedOffer, CommandError> {
    const deadlineMillis = yield* deadline
    const buyer = accountBuyer(CallerId.make(accountId))
    const fingerprint = offerFingerprint(offerId)
    const known = Effect.gen(function* (): Effect.fn.Return<AcceptedOffer | null, Busy> {
      const earlier = yield* orders.byKey(buyer.caller, key)
      if (earlier === null) return null
      if (earlier.fingerprint !== fingerprint) return refused({ code: "idempotency_key_reused" })
      return { _tag: "Placed", order: earlier.order, isReplayed: true }
    })
    const earlier = yield* known
    if (earlier !== null) return earlier
    const open = yield* reads.open(accountId, offerId)
    /** This key's own first attempt may have taken the offer: whether it did, only the rows can tell. */
    const gone = known.pipe(
      Effect.mapError(() => new OutcomeUnknown()),
      Effect.map((placed) => placed ?? refused({ code: "offer_expired" })),
    )
    if (open === null) return yield* gone
    const orderId = OrderId.make(yield* random.uuidV7())
    const { reservationTtlMillis } = settings
    const request = { ...buyer, key, fingerprint, orderId, reservationTtlMillis }
    const outcome = yield* coordinator.placeHeld(request, open.part, deadlineMillis)
    switch (outcome._tag) {
      case "Accepted":
        return { _tag: "Placed", order: orderOf(buyer, outcome), isReplayed: false }
      case "Refused":
        return outcome
      case "Repeated":
      case "HoldMissing":
      case "CartChanged":
        return yield* gone
    }
  })

  const decline = Effect.fn("WaitingLists.decline")(function* (
    accountId: AccountId,
    offerId: OfferId,
  ): Effect.fn.Return<Offer | null, CommandError> {
    const deadlineMillis = yield* deadline
    const open = yield* reads.open(accountId, offerId)
    if (open === null) return null
    const { offer, part } = open
    const release = { ...offerHold(offerId, accountId), productIds: [offer.productId], onlyExpired: false }
    yield* inventory.submit(part.shard, { _tag: "Release" as const, ...release }, deadlineMillis)
    return offer
  })

  const leaveAll = Effect.fn("WaitingLists.leaveAll")(function* (accountId: AccountId) {
    // First the places, since an offer may come of one; each is gone once its command is done.
    for (let waits = yield* reads.waitsFor(accountId); waits.length > 0; waits = yield* reads.waitsFor(accountId)) {
      yield* Effect.forEach(waits, (productId) => leave(accountId, productId), { discard: true })
    }
    const page = { startingAfter: null, limit: pageSizeMax }
    for (let open = yield* reads.offers(accountId, page); open.data.length > 0;) {
      yield* Effect.forEach(open.data, ({ id }) => decline(accountId, id), { discard: true })
      open = yield* reads.offers(accountId, page)
    }
  })

  return WaitingLists.of({ join, leave, leaveAll, place: reads.place, offers: reads.offers, accept, decline })
})

const refused = (refusal: OfferRefusal | OrderRefusal): AcceptedOffer => ({ _tag: "Refused", refusal })

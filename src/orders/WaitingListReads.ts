/**
 * Places on waiting lists and offers as they are in the rows. Must stay true: an offer whose time is over by PostgreSQL's
 * clock is no offer to any reader, whether or not anybody has come to give its units back.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer } from "effect"
import { pageSizeMax, pooledSilenceMaxMillis } from "../domain/bounds.ts"
import { type HeldPart, offerHold, type SoldLine } from "../domain/commands.ts"
import type { AccountId, MerchantId, OfferId, ProductId, Shard } from "../domain/ids.ts"
import type { Money } from "../domain/money.ts"
import { type Page, pageOf } from "../domain/page.ts"
import { Busy } from "../inventory/shard/mailboxEntry.ts"
import { interruptibleAtOnce } from "../platform/interruptibleAtOnce.ts"

/** Units that came back, held for somebody who waited for them. */
export interface Offer {
  readonly id: OfferId
  readonly productId: ProductId
  readonly quantity: number
  readonly unitPrice: Money
  readonly expiresAtMillis: number
}

export interface Place {
  /** 1 is next; 0 where units are offered already. */
  readonly position: number
  readonly quantity: number
  readonly offer: Offer | null
}

interface OfferRow extends Omit<Offer, "unitPrice"> {
  readonly unitPrice: number
  readonly currency: string
  readonly shard: Shard
  readonly name: string
  readonly merchantId: MerchantId
  readonly reservationTtlSeconds: number | null
}

/** An open offer, with what it takes to sell it. */
export interface OpenOffer {
  readonly offer: Offer
  readonly part: HeldPart & { readonly lines: ReadonlyArray<SoldLine> }
}

export class WaitingListReads extends Context.Service<
  WaitingListReads,
  {
    /** Where an account stands for a product; null where it does not wait and is offered nothing. */
    readonly place: (accountId: AccountId, productId: ProductId) => Effect.Effect<Place | null, Busy>
    /** An account's open offers, the earliest made first. */
    readonly offers: (
      accountId: AccountId,
      page: { readonly startingAfter: OfferId | null; readonly limit: number },
    ) => Effect.Effect<Page<Offer>, Busy>
    /** An account's offer of this id, while it is open. */
    readonly open: (accountId: AccountId, offerId: OfferId) => Effect.Effect<OpenOffer | null, Busy>
    /** Products that an account waits for, so many at a time. */
    readonly waitsFor: (accountId: AccountId) => Effect.Effect<ReadonlyArray<ProductId>, Busy>
  }
>()("hedonify/orders/WaitingListReads") {
  static readonly layer = Layer.effect(
    WaitingListReads,
    Effect.map(PgClient.PgClient, (sql) => readWaitingLists(sql)),
  )
}

const offerColumns = `h.attempt as id, h.product_id as "productId", h.quantity, h.unit_price::float8 as "unitPrice", h.currency,
  (extract(epoch from h.expires_at) * 1000)::float8 as "expiresAtMillis", h.shard, p.name, p.merchant_id as "merchantId",
  p.reservation_ttl_seconds as "reservationTtlSeconds"`
/** A merchant who may not sell offers nothing; the units go back when the offer's time is over. */
const openOffers = `from holds h join products p on p.id = h.product_id
  join merchants m on m.id = p.merchant_id and m.status = 'approved'
  where h.kind = 'offer' and h.expires_at > now()`

const readWaitingLists = (sql: PgClient.PgClient): WaitingListReads["Service"] => {
  const inTime = <A, E>(read: Effect.Effect<A, E>): Effect.Effect<A, Busy> =>
    interruptibleAtOnce(read).pipe(
      Effect.timeout(pooledSilenceMaxMillis),
      Effect.mapError(() => new Busy()),
    )

  const place = (accountId: AccountId, productId: ProductId): Effect.Effect<Place | null, Busy> =>
    inTime(
      Effect.gen(function* () {
        const [waiting] = yield* sql<{ readonly position: number; readonly quantity: number }>`
          select q.quantity, (select count(*) from waiting_list b
            where b.product_id = q.product_id and (b.batch, b.number) <= (q.batch, q.number))::integer as position
          from waiting_list q where q.product_id = ${productId}::uuid and q.account_id = ${accountId}::uuid`
        if (waiting !== undefined) return { ...waiting, offer: null }
        const [row] = yield* sql<OfferRow>`select ${sql.literal(offerColumns)} ${sql.literal(openOffers)}
          and h.caller = ${accountId}::uuid and h.product_id = ${productId}::uuid order by h.attempt desc limit 1`
        return row === undefined ? null : { position: 0, quantity: row.quantity, offer: offerOf(row) }
      }),
    )

  const offers = (
    accountId: AccountId,
    page: { readonly startingAfter: OfferId | null; readonly limit: number },
  ): Effect.Effect<Page<Offer>, Busy> =>
    inTime(
      Effect.gen(function* () {
        const rows = yield* sql<OfferRow>`select ${sql.literal(offerColumns)} ${sql.literal(openOffers)}
          and h.caller = ${accountId}::uuid and (${page.startingAfter}::uuid is null or h.attempt > ${page.startingAfter}::uuid)
          order by h.attempt limit ${page.limit + 1}::integer`
        return pageOf(rows.map(offerOf), page.limit)
      }),
    )

  const open = (accountId: AccountId, offerId: OfferId): Effect.Effect<OpenOffer | null, Busy> =>
    inTime(
      Effect.gen(function* () {
        const [row] = yield* sql<OfferRow>`select ${sql.literal(offerColumns)} ${sql.literal(openOffers)}
          and h.caller = ${accountId}::uuid and h.attempt = ${offerId}::uuid`
        if (row === undefined) return null
        const { attempt, fingerprint, key } = offerHold(offerId, accountId)
        const { currency, merchantId, name, productId, quantity, reservationTtlSeconds, shard, unitPrice } = row
        const lines = [{ productId, quantity, unitPrice, name, merchantId }]
        return {
          offer: offerOf(row),
          part: { shard, attempt, key, fingerprint, currency, lines, reservationTtlSeconds },
        }
      }),
    )

  const waitsFor = (accountId: AccountId): Effect.Effect<ReadonlyArray<ProductId>, Busy> =>
    inTime(
      Effect.map(
        sql<{ readonly productId: ProductId }>`select product_id as "productId" from waiting_list
          where account_id = ${accountId}::uuid order by product_id limit ${pageSizeMax}::integer`,
        (rows) => rows.map(({ productId }) => productId),
      ),
    )

  return { place, offers, open, waitsFor }
}

const offerOf = ({ currency, expiresAtMillis, id, productId, quantity, unitPrice }: OfferRow): Offer => ({
  id,
  productId,
  quantity,
  unitPrice: { amount: unitPrice, currency },
  expiresAtMillis,
})

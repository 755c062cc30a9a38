/**
 * Words for what follows a reservation in the store's tests: payments, shipments, places on waiting lists, offers.
 */
import { randomUUID } from "node:crypto"
import { Effect } from "effect"
import type { OfferWrite, OrderWrite } from "../../src/domain/batch.ts"
import {
  type ChargeResult,
  type Deliver,
  type Extend,
  type HeldPart,
  type IdempotencyKey,
  type Join,
  type Leave,
  offerHold,
  type Pay,
  type Release,
  type Ship,
} from "../../src/domain/commands.ts"
import { AccountId, type CallerId, type MerchantId, OfferId, PaymentId, ShipmentId } from "../../src/domain/ids.ts"
import { ann, newFingerprint, newKey, order } from "./selling.ts"
import { merchantId, type ProductToSell, StoreUnderTest } from "./StoreUnderTest.ts"
import { rowsNow } from "./suite.ts"

export interface PaymentOptions {
  readonly key?: IdempotencyKey
  readonly isExternal?: boolean
  readonly extensionMillis?: number
}

/** Begins to pay an order by a charge, under a new key of its caller, unless told otherwise. */
export const extend = (
  { command }: OrderWrite,
  { extensionMillis = 120_000, isExternal = false, key = newKey(command.caller) }: PaymentOptions = {},
): Extend => ({
  ...key,
  _tag: "Extend",
  paymentId: PaymentId.make(randomUUID()),
  orderId: command.orderId,
  payment: isExternal ? { _tag: "External", reference: "till 7" } : { _tag: "Charge", method: "card" },
  extensionMillis,
})

export const pay = (
  { orderId, paymentId }: Pick<Extend, "orderId" | "paymentId">,
  result: ChargeResult = { _tag: "Succeeded" },
): Pay => ({ _tag: "Pay", orderId, paymentId, result })
export const declined: ChargeResult = { _tag: "Declined", declineCode: "no_money" }
export const refunded: ChargeResult = { _tag: "Refunded" }

export const ship = ({ command }: OrderWrite, by: MerchantId = merchantId, trackingNumber = "1"): Ship => {
  const parcel = { carrier: "post", trackingNumber, merchantId: by }
  return { _tag: "Ship", shipmentId: ShipmentId.make(randomUUID()), orderId: command.orderId, ...parcel }
}
export const deliver = ({ orderId, shipmentId }: Ship): Deliver => ({ _tag: "Deliver", orderId, shipmentId })

export const accountOf = (caller: CallerId): AccountId => AccountId.make(caller)

/** Ann waits, unless it is somebody else. */
export const join = ({ productId }: ProductToSell, quantity: number, caller: CallerId = ann): Join => {
  return { _tag: "Join", offerId: OfferId.make(randomUUID()), productId, accountId: accountOf(caller), quantity }
}
export const leave = ({ productId }: ProductToSell, caller: CallerId = ann): Leave => {
  return { _tag: "Leave", productId, accountId: accountOf(caller) }
}

/** The offer that a place becomes. */
export const offer = (
  { accountId, offerId, quantity }: Pick<Join, "accountId" | "offerId" | "quantity">,
  of: ProductToSell,
  unitsBefore = 0,
): OfferWrite => {
  const { countsUnits, price, productId } = of
  const line = { productId, unitPrice: price, currency: "EUR", unitsBefore: countsUnits ? unitsBefore : null }
  return { accountId, offerId, quantity, ...line }
}

/** What an offer holds, as the order that accepts it counts on it. */
export const offeredPart = (
  { accountId, offerId, productId, quantity, unitPrice }: OfferWrite,
  shard = 0,
): HeldPart => {
  const { attempt, fingerprint, key } = offerHold(offerId, accountId)
  const lines = [{ productId, quantity, unitPrice }]
  return { shard, attempt, key, fingerprint, currency: "EUR", reservationTtlSeconds: null, lines }
}
export const accept = (made: OfferWrite, key: IdempotencyKey = newKey(callerOf(made)), shard = 0): OrderWrite =>
  order([], { key: { ...key, fingerprint: newFingerprint() }, held: [offeredPart(made, shard)] })

export const decline = (made: OfferWrite, onlyExpired = false): Release => {
  const { attempt, caller, fingerprint, key } = offerHold(made.offerId, made.accountId)
  return { _tag: "Release", attempt, caller, fingerprint, key, productIds: [made.productId], onlyExpired }
}

const callerOf = ({ accountId, offerId }: OfferWrite): CallerId => offerHold(offerId, accountId).caller

export const openAccounts = (...callers: ReadonlyArray<CallerId>) =>
  Effect.flatMap(StoreUnderTest, ({ openAccount }) =>
    Effect.forEach(callers, (caller) => openAccount(accountOf(caller)), { discard: true }),
  )

export const statusOf = Effect.fnUntraced(function* ({ command }: OrderWrite) {
  return (yield* rowsNow).orders.find((row) => row.orderId === command.orderId)?.status
})
/** What the payments of an order are now, by their ids. */
export const paymentsOf = Effect.fnUntraced(function* ({ command }: OrderWrite) {
  const { payments } = yield* rowsNow
  return Object.fromEntries(
    payments.flatMap((row) => (row.orderId === command.orderId ? [[row.paymentId, row.status] as const] : [])),
  )
})
/** Who waits for a product and for how much, the earliest first. */
export const waitersOf = Effect.fnUntraced(function* ({ productId }: ProductToSell) {
  const { waitingList } = yield* rowsNow
  return waitingList.flatMap(({ accountId, productId: of, quantity }): ReadonlyArray<readonly [string, number]> =>
    of === productId ? [[accountId, quantity]] : [],
  )
})
/** The last batch's events of a shard, as `type`. */
export const toldLast = Effect.fnUntraced(function* (shard: number) {
  const { batches } = yield* rowsNow
  const last = batches.findLast((row) => row.shard === shard)
  return (last?.events ?? []).map(({ type }) => type).toSorted()
})

/**
 * Words for what follows a reservation: payments and shipments of an order, places on waiting lists, offers.
 */
import {
  type Deliver,
  type Extend,
  type HeldPart,
  type Join,
  type Leave,
  type Offer,
  offerHold,
  type Pay,
  type Release,
  type Reserve,
  type Ship,
} from "../../src/domain/commands.ts"
import { AccountId, type CallerId, type ProductId } from "../../src/domain/ids.ts"
import { ann, reserve } from "./cases.ts"
import { fingerprint, merchantId, nowMillis, offerId, paymentId, shipmentId } from "./names.ts"
import { here, type WorldHold, type WorldOrder, type WorldPayment, type WorldWaiter } from "./referenceWorld.ts"

let made = 0
const nextNumber = (): number => (made += 1)

/** Begins to pay an order by a charge, under a key of its own unless told otherwise. */
export const extend = ({ caller, orderId }: WorldOrder, change: Partial<Extend> = {}): Extend => {
  const number = nextNumber()
  return {
    _tag: "Extend",
    caller,
    key: `payment ${number}`,
    fingerprint: fingerprint(number),
    paymentId: paymentId(number),
    orderId,
    payment: { _tag: "Charge", method: "card" },
    extensionMillis: 120_000,
    ...change,
  }
}

/** A payment as it began some time ago. */
export const begun = (
  { caller, fingerprint: of, key, orderId, paymentId: id }: Extend,
  status: WorldPayment["status"] = "processing",
): WorldPayment => ({ caller, fingerprint: of, key, orderId, paymentId: id, isExternal: false, status })

export const pay = ({ orderId, paymentId: id }: Pick<Extend, "orderId" | "paymentId">): Pay => {
  return { _tag: "Pay", orderId, paymentId: id, result: { _tag: "Succeeded" } }
}

export const ship = ({ orderId }: WorldOrder, by = merchantId(0)): Ship => {
  const parcel = { carrier: "post", trackingNumber: "1", merchantId: by }
  return { _tag: "Ship", orderId, shipmentId: shipmentId(nextNumber()), ...parcel }
}
export const deliver = ({ orderId, shipmentId: id }: Ship): Deliver => ({ _tag: "Deliver", orderId, shipmentId: id })

export const join = (productId: ProductId, quantity: number, caller: CallerId = ann): Join => {
  return { _tag: "Join", offerId: offerId(nextNumber()), productId, accountId: AccountId.make(caller), quantity }
}
export const leave = (productId: ProductId, caller: CallerId = ann): Leave => {
  return { _tag: "Leave", productId, accountId: AccountId.make(caller) }
}
export const offer = (productId: ProductId): Offer => ({ _tag: "Offer", productId })

/** Somebody who has joined before. */
export const waiting = ({ accountId, offerId: id, productId, quantity }: Join): WorldWaiter => {
  return { accountId, offerId: id, productId, quantity }
}

/** The hold that a place has become. */
export const offered = ({ accountId, offerId: id, productId, quantity }: Join): WorldHold => {
  const line = { productId, quantity, unitPrice: 100 }
  return { ...offerHold(id, accountId), ...line, kind: "offer", customer: accountId, isExpired: false }
}

export const accept = ({
  attempt,
  caller,
  fingerprint: of,
  key,
  productId,
  quantity,
  unitPrice,
}: WorldHold): Reserve => {
  const lines = [{ productId, quantity, unitPrice }]
  const part: HeldPart = {
    shard: here,
    attempt,
    key,
    fingerprint: of,
    currency: "EUR",
    reservationTtlSeconds: null,
    lines,
  }
  return reserve([], { caller, held: [part] })
}
export const decline = ({ attempt, caller, fingerprint: of, key, productId }: WorldHold): Release => {
  return { _tag: "Release", attempt, caller, fingerprint: of, key, productIds: [productId], onlyExpired: false }
}

/** Of an order whose time is over. */
export const over: Partial<WorldOrder> = { expiresAtMillis: nowMillis }

/**
 * What became of orders after they were placed, in the shop that tests damage: paid, shipped, delivered, given back; and
 * who waits for a product, what was offered and accepted of it.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect } from "effect"
import { SecureRandom } from "effect/crypto"
import {
  type ChargeResult,
  type Command,
  type Extend,
  type Join,
  offerHold,
  type OutcomeOf,
  type Reserve,
} from "../../src/domain/commands.ts"
import { AccountId, type MerchantId, OfferId, PaymentId, type ProductId, ShipmentId } from "../../src/domain/ids.ts"
import type { CommandError } from "../../src/inventory/shard/mailboxEntry.ts"
import { makeMerchant, makeProduct, newAttempt, newCaller, reserve } from "../inventory/fixtures.ts"

type Actor = <C extends Command>(command: C) => Effect.Effect<OutcomeOf<C>, CommandError>

const id = (): string => SecureRandom.uuidV7Unsafe()

const extend = ({ caller, orderId }: Reserve, isExternal: boolean): Extend => ({
  _tag: "Extend",
  caller,
  key: id(),
  fingerprint: "1".repeat(32),
  paymentId: PaymentId.make(id()),
  orderId,
  payment: isExternal ? { _tag: "External", reference: "till 7" } : { _tag: "Charge", method: "card" },
  extensionMillis: 120_000,
})

/** Orders of shard 0 in each stage of their lives, of a product of each of two merchants. */
const makeOrders = Effect.fnUntraced(function* (home: Actor, one: MerchantId, other: MerchantId) {
  const [book, shelf] = [yield* makeProduct(one, 20), yield* makeProduct(other, 20)]
  const place = Effect.fnUntraced(function* (products: ReadonlyArray<ProductId>) {
    const order = reserve(products.map((productId) => [productId, 1] as const))
    yield* home(order)
    return order
  })
  const charge = Effect.fnUntraced(function* (order: Reserve, result: ChargeResult) {
    const { orderId, paymentId, ...payment } = extend(order, false)
    yield* home({ ...payment, orderId, paymentId })
    yield* home({ _tag: "Pay", orderId, paymentId, result })
  })
  const ship = Effect.fnUntraced(function* ({ orderId }: Reserve, merchantId: MerchantId) {
    const shipmentId = ShipmentId.make(id())
    yield* home({ _tag: "Ship", shipmentId, orderId, merchantId, carrier: "post", trackingNumber: "1" })
    return { _tag: "Deliver", shipmentId, orderId } as const
  })

  const paid = yield* place([book])
  yield* charge(paid, { _tag: "Declined", declineCode: "no_money" })
  yield* charge(paid, { _tag: "Succeeded" })
  const paying = yield* place([book])
  yield* home(extend(paying, false))
  const [partly, shipped, delivered] = [yield* place([book, shelf]), yield* place([shelf]), yield* place([book, shelf])]
  for (const order of [partly, shipped, delivered]) yield* home(extend(order, true))
  yield* ship(partly, one)
  yield* ship(shipped, other)
  for (const merchantId of [one, other]) yield* home(yield* ship(delivered, merchantId))
  const refunded = yield* place([book])
  yield* charge(refunded, { _tag: "Succeeded" })
  const lines = [{ productId: book, shard: 0, returnId: newAttempt() }]
  yield* home({ _tag: "Refund", orderId: refunded.orderId, lines })
  return { paid, paying, partly, shipped, delivered, refunded }
})

/** A product of shard 1 for which three wait: one has accepted an offer, one is offered it, and one wants too many. */
const makeWaiters = Effect.fnUntraced(function* (atOne: Actor, merchant: MerchantId) {
  const sql = yield* PgClient.PgClient
  const wanted = yield* makeProduct(merchant, 3, { shard: 1, price: 7, limitPerCustomer: 9 })
  const join = Effect.fnUntraced(function* (quantity: number) {
    const accountId = AccountId.make(newCaller())
    yield* sql`insert into accounts (id, email, name, password_hash)
      values (${accountId}::uuid, ${`${accountId}@example.com`}, 'A', '$argon2id$x')`
    const place: Join = { _tag: "Join", offerId: OfferId.make(id()), productId: wanted, accountId, quantity }
    yield* atOne(place)
    return place
  })
  const { accountId, offerId, quantity } = yield* join(2)
  yield* join(9)
  const { attempt, caller, fingerprint, key } = offerHold(offerId, accountId)
  const lines = [{ productId: wanted, quantity, unitPrice: 7 }]
  const part = { shard: 1, attempt, key, fingerprint, currency: "EUR", reservationTtlSeconds: null, lines }
  yield* atOne(reserve([], { caller, held: [part] }))
  const standing = yield* join(1)
  // Behind the offer that the last place makes the shard's first business.
  yield* atOne({ _tag: "Leave", productId: wanted, accountId })
  return { wanted, offer: standing.offerId }
})

export const makeLives = Effect.fnUntraced(function* (atZero: Actor, atOne: Actor) {
  const [one, other] = [yield* makeMerchant(), yield* makeMerchant()]
  const orders = yield* makeOrders(atZero, one, other)
  const waiters = yield* makeWaiters(atOne, one)
  return { orders, waiters, merchant: one }
})

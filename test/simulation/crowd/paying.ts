/**
 * What people do about orders that are there: pay through a provider that answers late, twice or never, give back, send
 * off and deliver. Whoever pays begins at the order's home, charges, and writes down what came of it, all in the process
 * that was asked, which may be killed in between; the provider tells of it once more, through whichever process is there.
 */
import { Clock, Effect } from "effect"
import type { Extend, ExtendOutcome, Pay, PayOutcome } from "../../../src/domain/commands.ts"
import type { MerchantId, PaymentId, ShipmentId } from "../../../src/domain/ids.ts"
import type { OrderRow } from "../../../src/inventory/memory/memoryRows.ts"
import type { CommandError } from "../../../src/inventory/shard/mailboxEntry.ts"
import type { Node } from "../service/node.ts"
import { cancelling, nodeFor, type Place } from "./crowd.ts"
import { type Begun, deadlineMillis, doing, isOpen, orderIn, persisting, trying } from "./deeds.ts"
import type { Payer, Refunder, Sender } from "./lives.ts"
import type { ChargeFate, Provider } from "./provider.ts"
import { merchantIds, paymentIdOf, shipmentIdOf } from "./shop.ts"

const settings = { orderDeadlineMillis: deadlineMillis, reservationTtlMillis: 60_000 }
const twice = { concurrency: "unbounded", discard: true } as const

const settling = (node: Node, { homeShard, orderId }: OrderRow, paymentId: PaymentId, result: Pay["result"]) =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMillis) => {
    const command = { _tag: "Pay", paymentId, orderId, result } as const
    return node.inventory.submit(homeShard, command, nowMillis + deadlineMillis)
  })

/** One charge of somebody's: under which key, and what becomes of it. */
interface Charging {
  readonly payer: Payer
  readonly order: OrderRow
  readonly provider: Provider
  /** 0, or 1 after a charge that was declined. */
  readonly attempt: 0 | 1
}

const keyOf = ({ keyNumber }: Payer, attempt: number): string => `pay ${keyNumber}${attempt === 0 ? "" : " again"}`

/** One try to pay, in the process that is asked: begin, charge, and write down what came of it. */
const payingOnce = Effect.fnUntraced(function* (
  place: Place,
  node: Node,
  { attempt, order, payer, provider }: Charging,
  round: number,
): Effect.fn.Return<ExtendOutcome | { readonly _tag: "Processing" } | PayOutcome, CommandError> {
  const nowMillis = yield* Clock.currentTimeMillis
  const { extensionMillis, isExternal, number } = payer
  const { caller, homeShard, orderId, total } = order
  const payment: Extend["payment"] = isExternal
    ? { _tag: "External", reference: `till ${number}` }
    : { _tag: "Charge", method: "card" }
  const paymentId = paymentIdOf(number, 8 * attempt + round)
  const name = { caller, key: keyOf(payer, attempt), fingerprint: orderId.replaceAll("-", ""), paymentId }
  const command = { _tag: "Extend", ...name, orderId, payment, extensionMillis } as const
  const begun = yield* node.inventory.submit(homeShard, command, nowMillis + deadlineMillis)
  if (begun._tag === "Refused" || isExternal) return begun
  const fate = fateAt(place, payer, payer.fates[attempt], order)
  const result = yield* provider.charge(node.process, begun.paymentId, total, fate)
  if (result === null) return { _tag: "Processing" }
  return yield* settling(node, order, begun.paymentId, result)
})

/** The end of an order's time as it is now. */
const endOf = ({ database }: Place, { expiresAtMillis, orderId }: OrderRow): number =>
  database.tables.orders.get(orderId)?.expiresAtMillis ?? expiresAtMillis

/** What becomes of a charge, where its answer is to meet the end of the order's time. */
const fateAt = (place: Place, { meetsTheEnd }: Payer, fate: ChargeFate, order: OrderRow): ChargeFate => {
  if (meetsTheEnd !== "answer" || fate.answeredAfterMillis === null) return fate
  const leftMillis = endOf(place, order) - place.runtime.nowMillis - fate.decidedAfterMillis
  if (leftMillis > 800) return fate
  return { ...fate, answeredAfterMillis: Math.max(0, leftMillis + place.chance.pick([-150, -80, -40, -20, -2, 0, 20])) }
}

/** An order to pay, waited for a little. */
const orderAwaited = Effect.fnUntraced(function* (
  place: Place,
  { isSensible, meetsTheEnd, prefersShared }: Payer,
): Effect.fn.Return<OrderRow | null> {
  const { database, runtime } = place
  const { tables } = database
  const sellersOf = ({ orderId }: OrderRow) =>
    new Set(tables.linesOf(orderId).map((line) => tables.products.get(line.productId)?.merchantId))
  const isPreferred = (order: OrderRow): boolean => {
    const leftMillis = order.expiresAtMillis - runtime.nowMillis
    if (leftMillis < 0 || tables.paymentsOf(order.orderId).length > 0) return false
    if (meetsTheEnd !== "neither" && leftMillis > 1_500) return false
    return !prefersShared || sellersOf(order).size > 1
  }
  for (let look = 0; look < 6; look++) {
    const order = orderIn(place, isSensible ? ["reserved"] : null, isPreferred)
    if (order !== null) return order
    yield* Effect.sleep(120)
  }
  return null
})

export const paying = Effect.fnUntraced(function* (place: Place, payer: Payer) {
  const { chance, provider, runtime } = place
  yield* Effect.sleep(payer.atMillis)
  const order = yield* orderAwaited(place, payer)
  if (order === null || provider === null) return
  const leftMillis = order.expiresAtMillis - runtime.nowMillis
  if (payer.meetsTheEnd === "begin" && leftMillis > 0 && leftMillis < 5_000) {
    yield* Effect.sleep(Math.max(0, leftMillis + chance.pick([-90, -40, -10, -1, 0])))
  }
  const charging = { payer, order, provider, attempt: 0 } as const
  yield* Effect.all(
    [charged(place, charging), calledBack(place, charging), payer.regrets ? regretted(place, charging) : Effect.void],
    twice,
  )
})

/** Tries, and once more under another key where the charge was declined. */
const charged: (place: Place, charging: Charging) => Effect.Effect<void> = Effect.fnUntraced(function* (
  place: Place,
  charging: Charging,
) {
  const { attempt, payer } = charging
  const who = `payer ${payer.number}`
  const answer = yield* persisting(place, { ...payer, pauses: [0, 30, 400] }, (node, round) =>
    doing(place, node, "payment", who, payingOnce(place, node, charging, round)),
  )
  const isDeclined = answer?._tag === "Settled" && answer.status === "declined"
  if (attempt === 0 && isDeclined) yield* charged(place, { ...charging, attempt: 1 })
})

/** The buyer cancels when the answer to the charge is due. */
const regretted = Effect.fnUntraced(function* (place: Place, { order, payer }: Charging) {
  const { answeredAfterMillis, decidedAfterMillis } = payer.fates[0]
  const dueMillis = decidedAfterMillis + (answeredAfterMillis ?? 0)
  yield* Effect.sleep(Math.max(0, dueMillis + place.chance.pick([-10, 0, 1, 5, 20, 50])))
  yield* cancelling(place, order, order.caller, null)
})

/** The provider tells of its decision on its own, through whichever nodes are there, perhaps twice at once. */
const calledBack = Effect.fnUntraced(function* (place: Place, { order, payer, provider }: Charging) {
  const { chance, database } = place
  const { callback, fates, number } = payer
  if (callback === null) return
  yield* Effect.sleep(fates[0].decidedAfterMillis + callback.afterMillis)
  const leftMillis = endOf(place, order) - place.runtime.nowMillis
  if (payer.meetsTheEnd === "answer" && leftMillis > 0 && leftMillis < 800) {
    yield* Effect.sleep(Math.max(0, leftMillis + chance.pick([-100, -40, -10, -1, 5, 15])))
  }
  for (let round = 0; round < 4; round++) {
    const payment = database.tables.paymentsOf(order.orderId).find(({ key }) => key === keyOf(payer, 0))
    const result = payment === undefined ? null : provider.resultOf(payment.paymentId)
    if (payment !== undefined && result !== null) {
      const once = (isSecond: boolean) =>
        Effect.suspend(() => {
          const node = nodeFor(place, isSecond)
          if (node === undefined) return Effect.succeed(false)
          // Now and then the provider names another order, which is not what its payment is of.
          const named = chance.happens(0.05) ? (orderIn(place, null) ?? order) : order
          const told = settling(node, named, payment.paymentId, result)
          return Effect.map(doing(place, node, "callback", `payer ${number}`, told), (answer) => !isOpen(answer))
        })
      const first = chance.happens(0.5)
      const heard = yield* Effect.forEach(
        Array.from({ length: callback.times }, (_, at) => (at === 0 ? first : !first)),
        once,
        { concurrency: "unbounded" },
      )
      if (heard.every((isHeard) => isHeard)) return
    }
    yield* Effect.sleep(chance.pick([20, 200]))
  }
})

export const refunding = Effect.fnUntraced(function* (place: Place, { atMillis, sellsAll, times }: Refunder) {
  const { auditor, chance, history, judged } = place
  yield* Effect.sleep(atMillis)
  const order = orderIn(place, chance.happens(0.7) ? ["paid"] : null)
  if (order === null) return
  const viewer = { caller: order.caller, merchantIds: sellsAll ? merchantIds : merchantIds.slice(0, 1), isAdmin: false }
  const once = Effect.gen(function* () {
    const node = nodeFor(place, chance.happens(0.5))
    if (node === undefined) return
    const question = Effect.flatMap(node.orders(settings), (orders) => orders.refund(viewer, order.orderId)).pipe(
      Effect.map((answer) => answer ?? { _tag: "NotFound" as const }),
    )
    const recordWith = (begun: Begun) => ({ ...begun, orderId: order.orderId })
    const deed = { records: history.refunds, recordWith, question }
    const { record } = yield* trying(place, node, `a merchant refunds ${order.orderId}`, deed)
    judged(() => auditor.onRefund(record))
  })
  yield* Effect.forEach(Array.from({ length: times }), () => once, twice)
})

export const sending = Effect.fnUntraced(function* (place: Place, { atMillis, delivers, merchant, times }: Sender) {
  const { chance, database } = place
  yield* Effect.sleep(atMillis)
  const order = orderIn(place, ["partiallyShipped"]) ?? orderIn(place, chance.happens(0.8) ? ["paid"] : null)
  if (order === null) return
  const senders = new Set(database.tables.shipmentsOf(order.orderId).map((shipment) => shipment.merchantId))
  const other = merchantIds.find((id) => !senders.has(id))
  const merchantId = (senders.size > 0 && chance.happens(0.9) ? other : null) ?? merchantIds[merchant]
  if (merchantId === undefined) return
  const who = `merchant ${merchantIds.indexOf(merchantId)}`
  const sent: Array<ShipmentId> = []
  const once = Effect.gen(function* () {
    const node = nodeFor(place, chance.happens(0.5))
    if (node === undefined) return
    const wanted = { carrier: "owls", trackingNumber: String(chance.below(2)), merchantId: null }
    const question = Effect.flatMap(node.shipments(settings), (shipments) =>
      shipments.send([merchantId], order.orderId, wanted),
    ).pipe(Effect.map((answer) => answer ?? { _tag: "NotFound" as const }))
    const answer = yield* doing(place, node, "shipment", who, question)
    if (answer._tag === "Sent") sent.push(answer.shipment.id)
    // Who sells nothing in it tries past the service, which would look; only the shard keeps it from that.
    if (answer._tag !== "NotFound") return
    const shipmentId = shipmentIdOf(place.history.submissions.length)
    yield* doing(place, node, "stranger's shipment", who, shippedBy(node, order, { shipmentId, merchantId }))
  })
  yield* Effect.forEach(Array.from({ length: times }), () => once, twice)
  const [shipmentId] = sent
  if (!delivers || shipmentId === undefined) return
  yield* Effect.sleep(chance.pick([0, 50, 400]))
  const manner = { goesToSecond: chance.happens(0.5), retriesMax: 1, pauses: [30] }
  yield* persisting(place, manner, (node) => {
    const question = Effect.flatMap(node.shipments(settings), (shipments) =>
      shipments.deliver([merchantId], shipmentId),
    )
    const told = Effect.map(question, (answer) => answer ?? { _tag: "NotFound" as const })
    return doing(place, node, "delivery", who, told)
  })
})

const shippedBy = (
  node: Node,
  { homeShard, orderId }: OrderRow,
  by: { readonly shipmentId: ShipmentId; readonly merchantId: MerchantId },
) =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMillis) => {
    const command = { _tag: "Ship", ...by, orderId, carrier: "owls", trackingNumber: "none" } as const
    return node.inventory.submit(homeShard, command, nowMillis + deadlineMillis)
  })

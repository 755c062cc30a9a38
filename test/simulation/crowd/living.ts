/**
 * What people do about orders that are there and products that are gone: pay through a provider that answers late, twice
 * or never, give back, send off, wait and answer what is offered. What each was told is noted by what was done.
 */
import { Clock, Effect } from "effect"
import type { ExtendOutcome, Pay } from "../../../src/domain/commands.ts"
import { OfferId, type PaymentId, type ShipmentId } from "../../../src/domain/ids.ts"
import type { CommandError } from "../../../src/inventory/shard/mailboxEntry.ts"
import type { OrderRow } from "../../../src/inventory/memory/memoryRows.ts"
import type { Node } from "../service/node.ts"
import { asking, cancelling, nodeFor, type Place } from "./crowd.ts"
import type { Payer, Refunder, Sender, Waiting } from "./lives.ts"
import { merchantIds, paymentIdOf } from "./shop.ts"

const deadlineMillis = 1_500
const settings = { orderDeadlineMillis: deadlineMillis, reservationTtlMillis: 60_000 }
const triesAgain = new Set(["Busy", "OutcomeUnknown", "HungUp", "ConnectionLost"])

type Answer = { readonly _tag: string }

const noted = (place: Place, what: string, who: string, answer: Answer): void => {
  place.history.lives.push({ what, answer })
  place.story.tell(
    `${what} (${who}): hears ${answer._tag}${"refusal" in answer ? ` ${JSON.stringify(answer.refusal)}` : ""}`,
  )
}

const orderIn = (place: Place, statuses: ReadonlyArray<OrderRow["status"]>): OrderRow | null => {
  const orders = place.database.tables.orders.all().filter((order) => statuses.includes(order.status))
  return orders.length === 0 ? null : place.chance.pick(orders)
}

const pay = (node: Node, order: OrderRow, paymentId: PaymentId, result: Pay["result"]) =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMillis) => {
    const command = { _tag: "Pay", paymentId, orderId: order.orderId, result } as const
    return node.inventory.submit(order.homeShard, command, nowMillis + deadlineMillis)
  })

/** One try to pay, in the process that is asked: begin, charge, and write down what came of it. */
const payingOnce = Effect.fnUntraced(function* (
  { provider }: Place,
  node: Node,
  payer: Payer,
  order: OrderRow,
  round: number,
): Effect.fn.Return<ExtendOutcome | { readonly _tag: "Processing" } | { readonly _tag: "Settled" }, CommandError> {
  const nowMillis = yield* Clock.currentTimeMillis
  const { extensionMillis, fate, isExternal, number } = payer
  const { caller, homeShard, orderId, total } = order
  const payment = isExternal
    ? ({ _tag: "External", reference: `till ${number}` } as const)
    : ({ _tag: "Charge", method: "card" } as const)
  const name = { caller, key: `pay ${number}`, fingerprint: "cd".repeat(16), paymentId: paymentIdOf(number, round) }
  const command = { _tag: "Extend", ...name, orderId, payment, extensionMillis } as const
  const begun = yield* node.inventory.submit(homeShard, command, nowMillis + deadlineMillis)
  if (begun._tag === "Refused" || isExternal) return begun
  const result = yield* provider.charge(begun.paymentId, total, fate)
  if (result === null) return { _tag: "Processing" }
  return yield* pay(node, order, begun.paymentId, result)
})

export const paying = Effect.fnUntraced(function* (place: Place, payer: Payer) {
  const { chance, runtime } = place
  const { atMillis, callback, goesToSecond, number, regrets, retriesMax, waitsForTheEnd } = payer
  yield* Effect.sleep(atMillis)
  const order = orderIn(place, ["reserved", "reserved", "paid"])
  if (order === null) return
  const leftMillis = order.expiresAtMillis - runtime.nowMillis
  if (waitsForTheEnd && leftMillis > 0 && leftMillis < 5_000) {
    yield* Effect.sleep(Math.max(0, leftMillis + chance.pick([-30, -1, 0, 1]) - chance.pick([0, payer.fate.millis])))
  }
  const regret = regrets ? cancelling(place, order, order.caller, null) : Effect.void
  const tries = Effect.gen(function* () {
    for (let round = 0; round <= retriesMax; round++) {
      const node = nodeFor(place, goesToSecond === (round % 2 === 0))
      if (node !== undefined) {
        const answer = yield* asking(place, node, null, payingOnce(place, node, payer, order, round))
        noted(place, "payment", `payer ${number}`, answer)
        if (!triesAgain.has(answer._tag)) return
      }
      yield* Effect.sleep(chance.pick([0, 30, 400]))
    }
  })
  const calls = callback === null ? Effect.void : callingBack(place, payer, order, callback)
  yield* Effect.all([tries, regret, calls], { concurrency: "unbounded", discard: true })
})

/** The provider tells of its decision on its own, through whichever node is there, perhaps twice at once. */
const callingBack = Effect.fnUntraced(function* (
  place: Place,
  { fate, number }: Payer,
  order: OrderRow,
  { afterMillis, times }: NonNullable<Payer["callback"]>,
) {
  const { chance, database, provider } = place
  yield* Effect.sleep(fate.millis + afterMillis)
  for (let round = 0; round < 4; round++) {
    const payment = database.tables.paymentsOf(order.orderId).find(({ key }) => key === `pay ${number}`)
    const result = payment === undefined ? null : provider.resultOf(payment.paymentId)
    if (payment !== undefined && result !== null) {
      const once = Effect.gen(function* () {
        const node = nodeFor(place, chance.happens(0.5))
        if (node === undefined) return false
        const answer = yield* asking(place, node, null, pay(node, order, payment.paymentId, result))
        noted(place, "callback", `payer ${number}`, answer)
        return !triesAgain.has(answer._tag)
      })
      const heard = yield* Effect.all(
        Array.from({ length: times }, () => once),
        { concurrency: "unbounded" },
      )
      if (heard.every((isHeard) => isHeard)) return
    }
    yield* Effect.sleep(chance.pick([20, 200]))
  }
})

export const refunding = Effect.fnUntraced(function* (place: Place, { atMillis, times }: Refunder) {
  yield* Effect.sleep(atMillis)
  const order = orderIn(place, ["paid", "paid", "reserved", "shipped"])
  if (order === null) return
  const viewer = { caller: order.caller, merchantIds, isAdmin: false }
  const once = Effect.gen(function* () {
    const node = nodeFor(place, place.chance.happens(0.5))
    if (node === undefined) return
    const question = Effect.flatMap(node.orders(settings), (orders) => orders.refund(viewer, order.orderId)).pipe(
      Effect.map((answer) => answer ?? { _tag: "NotFound" as const }),
    )
    const answer = yield* asking(place, node, null, question)
    noted(place, "refund", "the shop", answer)
    place.judged(() => place.auditor.onRefund(order.orderId, answer._tag))
  })
  yield* Effect.all(
    Array.from({ length: times }, () => once),
    { concurrency: "unbounded", discard: true },
  )
})

export const sending = Effect.fnUntraced(function* (place: Place, { atMillis, delivers, merchant, times }: Sender) {
  const { chance } = place
  yield* Effect.sleep(atMillis)
  const order = orderIn(place, ["paid", "partiallyShipped", "reserved"])
  const merchantId = merchantIds[merchant]
  if (order === null || merchantId === undefined) return
  const sent: Array<ShipmentId> = []
  const once = Effect.gen(function* () {
    const node = nodeFor(place, chance.happens(0.5))
    if (node === undefined) return
    const wanted = { carrier: "owls", trackingNumber: String(chance.below(2)), merchantId: null }
    const question = Effect.flatMap(node.shipments(settings), (shipments) =>
      shipments.send([merchantId], order.orderId, wanted),
    ).pipe(Effect.map((answer) => answer ?? { _tag: "NotFound" as const }))
    const answer = yield* asking(place, node, null, question)
    noted(place, "shipment", `merchant ${merchant}`, answer)
    if (answer._tag === "Sent") sent.push(answer.shipment.id)
  })
  yield* Effect.all(
    Array.from({ length: times }, () => once),
    { concurrency: "unbounded", discard: true },
  )
  const [shipmentId] = sent
  if (!delivers || shipmentId === undefined) return
  yield* Effect.sleep(chance.pick([0, 50, 400]))
  const node = nodeFor(place, chance.happens(0.5))
  if (node === undefined) return
  const question = Effect.flatMap(node.shipments(settings), (shipments) =>
    shipments.deliver([merchantId], shipmentId),
  ).pipe(Effect.map((answer) => answer ?? { _tag: "NotFound" as const }))
  noted(place, "delivery", `merchant ${merchant}`, yield* asking(place, node, null, question))
})

/** How often somebody looks whether anything is offered. */
const lookMillis = 70
const looksMax = 60

export const waiting = Effect.fnUntraced(function* (place: Place, waiter: Waiting) {
  const { chance, database, runtime } = place
  const { accountId, productId, then } = waiter
  yield* Effect.sleep(waiter.atMillis)
  yield* joining(place, waiter, waiter.quantity)
  if (then !== "waits") yield* Effect.sleep(chance.pick([0, 40, 300]))
  if (then === "joins again") yield* joining(place, waiter, chance.pick([waiter.quantity, waiter.quantity + 1, 1]))
  if (then === "leaves") {
    return yield* through(place, waiter, "leave", (lists) =>
      Effect.as(lists.leave(accountId, productId), { _tag: "Left" as const }),
    )
  }
  for (let looks = 0; looks < looksMax; looks++) {
    const offer = database.tables.holds
      .all()
      .find((row) => row.kind === "offer" && row.customer === accountId && row.productId === productId)
    if (offer !== undefined) {
      const leftMillis = offer.expiresAtMillis - runtime.nowMillis
      if (waiter.answer === "accepts at its end") {
        yield* Effect.sleep(Math.max(0, leftMillis + chance.pick([-20, -1, 0, 1])))
      }
      return yield* answering(place, waiter, OfferId.make(offer.attempt))
    }
    yield* Effect.sleep(lookMillis)
  }
})

type Lists = Effect.Success<ReturnType<Node["waitingLists"]>>

const through = Effect.fnUntraced(function* (
  place: Place,
  { goesToSecond, number }: Waiting,
  what: string,
  ask: (lists: Lists) => Effect.Effect<Answer, CommandError>,
) {
  for (let round = 0; round < 3; round++) {
    const node = nodeFor(place, goesToSecond === (round % 2 === 0))
    if (node !== undefined) {
      const answer = yield* asking(place, node, null, Effect.flatMap(node.waitingLists(settings), ask))
      noted(place, what, `waiter ${number}`, answer)
      if (!triesAgain.has(answer._tag)) return
    }
    yield* Effect.sleep(place.chance.pick([0, 30, 200]))
  }
})

const joining = (place: Place, waiter: Waiting, quantity: number) =>
  through(place, waiter, "join", (lists) => lists.join(waiter.accountId, waiter.productId, quantity))

const answering = (place: Place, waiter: Waiting, offerId: OfferId) => {
  const { accountId, answer, number } = waiter
  const accept = (key: string) => through(place, waiter, "accept", (lists) => lists.accept(accountId, offerId, key))
  const twice = (...keys: ReadonlyArray<string>) =>
    Effect.all(keys.map(accept), { concurrency: "unbounded", discard: true })
  switch (answer) {
    case "accepts":
    case "accepts at its end":
      return accept(`offer ${number}`)
    case "accepts twice":
      return twice(`offer ${number}`, `offer ${number}`)
    case "accepts under two keys":
      return twice(`offer ${number}`, `offer ${number} again`)
    case "declines":
      return through(place, waiter, "decline", (lists) =>
        Effect.map(lists.decline(accountId, offerId), (offer) => ({ _tag: offer === null ? "Gone" : "Declined" })),
      )
    case "lets it lapse":
      return Effect.void
  }
}

/**
 * What people do about products that are gone: wait, change their minds, and answer what is offered to them, in its time
 * or not, once or twice. They look at the rows for their offers, as often as an impatient client would ask.
 */
import { Effect } from "effect"
import { OfferId } from "../../../src/domain/ids.ts"
import type { HoldRow } from "../../../src/inventory/memory/memoryRows.ts"
import type { CommandError } from "../../../src/inventory/shard/mailboxEntry.ts"
import type { Node } from "../service/node.ts"
import type { Place } from "./crowd.ts"
import { type Begun, deadlineMillis, doing, persisting, trying } from "./deeds.ts"
import type { Waiting } from "./lives.ts"

/** How often somebody looks whether anything is offered. */
const lookMillis = 70
const looksMax = 30
const both = { concurrency: "unbounded", discard: true } as const

type Lists = Effect.Success<ReturnType<Node["waitingLists"]>>

const asked = <A>(node: Node, waiter: Waiting, ask: (lists: Lists) => Effect.Effect<A, CommandError>) => {
  const settings = { orderDeadlineMillis: deadlineMillis, reservationTtlMillis: waiter.reservationTtlMillis }
  return Effect.flatMap(node.waitingLists(settings), ask)
}

const manner = { retriesMax: 2, pauses: [0, 30, 200] }

export const waiting = Effect.fnUntraced(function* (place: Place, waiter: Waiting) {
  const { chance, database } = place
  const { accountId, afterwards, goesToSecond, productId } = waiter
  yield* Effect.sleep(waiter.atMillis)
  yield* joining(place, waiter, waiter.quantity)
  if (afterwards !== "waits") yield* Effect.sleep(chance.pick([0, 40, 300]))
  if (afterwards === "joins again")
    yield* joining(place, waiter, chance.pick([waiter.quantity, waiter.quantity + 1, 1]))
  if (afterwards === "leaves") {
    const left = (lists: Lists) => Effect.as(lists.leave(accountId, productId), { _tag: "Left" as const })
    return void (yield* persisting(place, { ...manner, goesToSecond }, (node) =>
      doing(place, node, "leave", `waiter ${waiter.number}`, asked(node, waiter, left)),
    ))
  }
  for (let looks = 0; looks < looksMax; looks++) {
    const offer = database.tables.holds
      .all()
      .find((row) => row.kind === "offer" && row.customer === accountId && row.productId === productId)
    if (offer !== undefined) return yield* answering(place, waiter, offer)
    yield* Effect.sleep(lookMillis)
  }
})

const joining = (place: Place, waiter: Waiting, quantity: number) => {
  const { accountId, goesToSecond, number, productId } = waiter
  return persisting(
    place,
    { ...manner, goesToSecond },
    Effect.fnUntraced(function* (node: Node) {
      const question = asked(node, waiter, (lists) => lists.join(accountId, productId, quantity))
      const recordWith = (begun: Begun) => ({ ...begun, accountId, productId, quantity })
      const deed = { records: place.history.joinings, recordWith, question }
      return (yield* trying(place, node, `waiter ${number} waits for ${quantity} x ${productId}`, deed)).answer
    }),
  )
}

const accepting = (place: Place, waiter: Waiting, offer: HoldRow, key: string, goesToSecond: boolean) => {
  const { accountId, number } = waiter
  const { attempt, productId, quantity } = offer
  const offerId = OfferId.make(attempt)
  return persisting(
    place,
    { ...manner, goesToSecond },
    Effect.fnUntraced(function* (node: Node) {
      const question = asked(node, waiter, (lists) => lists.accept(accountId, offerId, key))
      const recordWith = (begun: Begun) => ({ ...begun, accountId, offerId, productId, quantity, key })
      const deed = { records: place.history.acceptances, recordWith, question }
      const what = `waiter ${number} accepts ${quantity} x ${productId} under "${key}"`
      const { answer, record } = yield* trying(place, node, what, deed)
      place.judged(() => place.auditor.onAcceptance(record))
      return answer
    }),
  )
}

const declining = (place: Place, waiter: Waiting, { attempt }: HoldRow) =>
  persisting(place, { ...manner, goesToSecond: waiter.goesToSecond }, (node) => {
    const declined = asked(node, waiter, (lists) => lists.decline(waiter.accountId, OfferId.make(attempt)))
    const told = Effect.map(declined, (offer) => ({ _tag: offer === null ? "Gone" : "Declined" }))
    return doing(place, node, "decline", `waiter ${waiter.number}`, told)
  })

const answering = Effect.fnUntraced(function* (place: Place, waiter: Waiting, offer: HoldRow) {
  const { chance, runtime } = place
  const { answer, goesToSecond, number } = waiter
  const accept = (key: string, isOther = false) => accepting(place, waiter, offer, key, goesToSecond !== isOther)
  const leftMillis = offer.expiresAtMillis - runtime.nowMillis
  const endMillis = { "accepts at its end": [-40, -5, -2, -1, 0, 1], "accepts too late": [0, 30, 300] }
  switch (answer) {
    case "accepts":
      return void (yield* accept(`offer ${number}`))
    case "accepts at its end":
    case "accepts too late":
      yield* Effect.sleep(Math.max(0, leftMillis + chance.pick(endMillis[answer])))
      return void (yield* accept(`offer ${number}`))
    case "accepts twice":
      return yield* Effect.all([accept(`offer ${number}`), accept(`offer ${number}`, chance.happens(0.5))], both)
    case "accepts under two keys":
      return yield* Effect.all([accept(`offer ${number}`), accept(`offer ${number} again`, chance.happens(0.5))], both)
    case "accepts and declines":
      return yield* Effect.all(
        chance.happens(0.5)
          ? [accept(`offer ${number}`), declining(place, waiter, offer)]
          : [declining(place, waiter, offer), accept(`offer ${number}`)],
        both,
      )
    case "declines":
      return void (yield* declining(place, waiter, offer))
    case "lets it lapse":
  }
})

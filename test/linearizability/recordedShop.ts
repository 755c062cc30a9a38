/**
 * What clients are told by a small shop that is right by construction: two products on two shards, orders of one or both,
 * holds and offers that come and go, answers that are lost, retries that overtake each other, cancellations and expiry. Must stay
 * true: each step below happens at one instant, and a refusal names the count of its own.
 */
import type { Chance } from "../simulation/machine/chance.ts"
import type {
  AttemptAnswer,
  Cancellation,
  OrderAttempt,
  OrderHistory,
  StockMovement,
  StockReading,
  Wait,
} from "./orderHistory.ts"

interface Shop {
  readonly firstStock: number
  readonly requests: number
  readonly inFlight: number
  /** Whether it also sells units that it does not have, and counts on as if nothing were wrong. */
  readonly isOverselling?: boolean
}

interface PlacedOrder {
  readonly id: string
  readonly lines: OrderAttempt["lines"]
  readonly expiresAt: number
  isOver: boolean
}

const shards = new Map([
  ["lamp", 0],
  ["rug", 1],
])
const reservation = 40

export const recordShop = (chance: Chance, shop: Shop): OrderHistory => {
  const attempts: Array<OrderAttempt> = []
  const cancellations: Array<Cancellation> = []
  const movements: Array<StockMovement> = []
  const readings: Array<StockReading> = []
  const waits: Array<Wait> = []
  const stock = new Map([...shards.keys()].map((productId) => [productId, shop.firstStock]))
  const orders = new Map<string, PlacedOrder>()
  const agenda: Array<{ readonly at: number; readonly step: (now: number) => void }> = []
  const later = (now: number, step: (now: number) => void) =>
    void agenda.push({ at: now + chance.next() * shop.inFlight, step })
  const leftOf = (productId: string) => stock.get(productId) ?? 0
  const move = (productId: string, delta: number) => void stock.set(productId, leftOf(productId) + delta)
  const isLost = () => chance.happens(0.15)

  const giveBack = (order: PlacedOrder, now: number) => {
    order.isOver = true
    for (const { productId, quantity } of order.lines) {
      const isHome = order.lines.every((line) => (shards.get(line.productId) ?? 0) >= (shards.get(productId) ?? 0))
      if (isHome) move(productId, quantity)
      else later(now, () => move(productId, quantity))
    }
  }

  const attempt = (key: string, lines: OrderAttempt["lines"], invokedAt: number): void => {
    const answer = (given: AttemptAnswer, now: number) =>
      later(now, (answeredAt) => {
        const lost = isLost()
        const told: AttemptAnswer = lost ? { kind: "unknown" } : given
        attempts.push({ caller: "ada", key, lines, invokedAt, answeredAt: lost ? null : answeredAt, answer: told })
        if (chance.happens(lost ? 0.7 : 0.1)) later(answeredAt, (again) => attempt(key, lines, again))
        if (told.kind === "placed" && chance.happens(0.4)) later(answeredAt, (asked) => cancel(told.orderId, asked))
      })
    const known = () => {
      const order = orders.get(key)
      if (order === undefined) return null
      return { kind: "placed", orderId: order.id, expiresAt: order.expiresAt, isReplayed: true } as const
    }
    const isShort = (line: OrderAttempt["lines"][number]) => leftOf(line.productId) < line.quantity
    const refusal = ({ productId, quantity }: OrderAttempt["lines"][number]): AttemptAnswer => ({
      kind: "refused",
      code: "out_of_stock",
      lines: [{ productId, requested: quantity, available: leftOf(productId) }],
    })
    const home = (held: OrderAttempt["lines"], own: OrderAttempt["lines"][number]) => (now: number) => {
      const release = () => {
        for (const { productId, quantity } of held) later(now, () => move(productId, quantity))
      }
      const earlier = known()
      if (earlier !== null || (isShort(own) && shop.isOverselling !== true) || chance.happens(0.1)) {
        release()
        return answer(earlier ?? (isShort(own) ? refusal(own) : { kind: "notPlaced" }), now)
      }
      move(own.productId, -Math.min(own.quantity, leftOf(own.productId)))
      const order: PlacedOrder = { id: `o-${key}`, lines, expiresAt: now + reservation, isOver: false }
      orders.set(key, order)
      if (chance.happens(0.7))
        agenda.push({ at: order.expiresAt + chance.next() * 9, step: (end) => order.isOver || giveBack(order, end) })
      return answer({ kind: "placed", orderId: order.id, expiresAt: order.expiresAt, isReplayed: false }, now)
    }
    later(invokedAt, (now) => {
      const earlier = known()
      if (earlier !== null) return answer(earlier, now)
      const [own, other] = lines
      if (own === undefined) return
      if (other === undefined) return later(now, home([], own))
      return later(now, (held) => {
        if (isShort(other)) return answer(known() ?? refusal(other), held)
        move(other.productId, -other.quantity)
        return later(held, home([other], own))
      })
    })
  }

  const cancel = (orderId: string, invokedAt: number): void =>
    later(invokedAt, (now) => {
      const order = [...orders.values()].find(({ id }) => id === orderId)
      const given = order === undefined ? "notFound" : order.isOver || now >= order.expiresAt ? "refused" : "cancelled"
      if (order !== undefined && given === "cancelled") giveBack(order, now)
      later(now, (at) => {
        const lost = isLost()
        cancellations.push({ orderId, invokedAt, answeredAt: lost ? null : at, answer: lost ? "unknown" : given })
      })
    })

  /** Waits until there is enough, is offered it, and buys it or lets it go. */
  const wait = (key: string, productId: string, invokedAt: number): void => {
    const quantity = chance.between(1, 2)
    waits.push({ caller: "ada", productId, quantity, invokedAt })
    const lines = [{ productId, quantity }]
    const accept = (asked: number) => (now: number) => {
      const order: PlacedOrder = { id: `o-${key}`, lines, expiresAt: now + reservation, isOver: false }
      orders.set(key, order)
      later(now, (at) => {
        const seen = { caller: "ada", key, lines, invokedAt: asked, isOffered: true }
        const answer = { kind: "placed", orderId: order.id, expiresAt: order.expiresAt, isReplayed: false } as const
        if (isLost()) return attempts.push({ ...seen, answeredAt: null, answer: { kind: "unknown" } })
        if (chance.happens(0.4)) later(at, (called) => cancel(order.id, called))
        return attempts.push({ ...seen, answeredAt: at, answer })
      })
    }
    const offer = (looks: number) => (now: number) => {
      if (leftOf(productId) < quantity) return looks > 0 ? later(now, offer(looks - 1)) : undefined
      move(productId, -quantity)
      const letGo = () => move(productId, quantity)
      return later(now, (asked) => later(asked, chance.happens(0.5) ? letGo : accept(asked)))
    }
    later(invokedAt, offer(20))
  }

  const request = (number: number) => (invokedAt: number) => {
    const productId = chance.pick([...shards.keys()])
    if (chance.happens(0.15)) return wait(`w${number}`, productId, invokedAt)
    if (chance.happens(0.15)) {
      later(invokedAt, (now) => {
        const available = leftOf(productId)
        later(now, (answeredAt) => readings.push({ productId, available, invokedAt, answeredAt }))
      })
    } else if (chance.happens(0.1)) {
      const delta = chance.pick([-1, 1, 2])
      later(invokedAt, (now) => {
        const isRefused = leftOf(productId) + delta < 0
        if (!isRefused) move(productId, delta)
        const answer = isLost()
          ? ({ kind: "unknown" } as const)
          : isRefused
            ? ({ kind: "refused" } as const)
            : ({ kind: "moved", available: leftOf(productId) } as const)
        later(now, (answeredAt) =>
          movements.push({ productId, key: `m${number}`, delta, invokedAt, answeredAt, answer }),
        )
      })
    } else {
      const products = chance.happens(0.4) ? [...shards.keys()] : [productId]
      attempt(
        `k${number}`,
        products.map((each) => ({ productId: each, quantity: chance.between(1, 3) })),
        invokedAt,
      )
    }
  }
  for (let number = 0; number < shop.requests; number++)
    agenda.push({ at: number + chance.next(), step: request(number) })
  while (agenda.length > 0) {
    const next = agenda.reduce((first, each) => (each.at < first.at ? each : first))
    agenda.splice(agenda.indexOf(next), 1)
    next.step(next.at)
  }
  return { attempts, cancellations, movements, readings, waits }
}

/** What a history is judged by, with as much told of the shop as the case wants. */
export const toldOf = (history: OrderHistory, areShardsKnown: boolean, isReservationKnown: boolean): OrderHistory => ({
  ...history,
  ...(areShardsKnown ? { shards } : {}),
  ...(isReservationKnown ? { reservationAtLeast: reservation } : {}),
})

/**
 * What clients see of a correct stock counter: a rush on one product, with so many requests in flight, decided in an
 * order of their arrival and answered late. Must stay true: the counter is right by construction, so that a checker that
 * rejects what it recorded is wrong.
 */
import type { Chance } from "../simulation/machine/chance.ts"
import type { Aside, StockHistory, StockOperation } from "./stockHistory.ts"

export interface Rush {
  readonly firstStock: number
  readonly operations: number
  readonly inFlight: number
  readonly quantityMax: number
  /** Of all requests: looks at the product; restocks and cancellations; orders that hold; answers that were lost. */
  readonly looks: number
  readonly gives: number
  readonly asides: number
  readonly lost: number
  /** Of all orders: those that may expire unseen some time after they were placed. */
  readonly expiring: number
}

export const recordRush = (chance: Chance, rush: Rush): StockHistory => {
  const operations: Array<StockOperation> = []
  const asides: Array<Aside> = []
  let count = rush.firstStock
  const later: Array<{ readonly at: number; readonly quantity: number }> = []

  /** Ends of holds and of reservations whose time has come. */
  const bringBack = (now: number) => {
    for (let place = later.length - 1; place >= 0; place--) {
      const back = later[place]
      if (back === undefined || back.at > now) continue
      count += back.quantity
      later.splice(place, 1)
    }
  }
  const decide = (invokedAt: number, at: number, answeredAt: number): void => {
    bringBack(at)
    const quantity = chance.between(1, rush.quantityMax)
    const isLost = chance.happens(rush.lost)
    if (chance.happens(rush.looks)) {
      if (!isLost) operations.push({ kind: "reading", available: count, invokedAt, answeredAt })
    } else if (chance.happens(rush.gives)) {
      count += quantity
      operations.push({
        kind: "give",
        quantity,
        invokedAt,
        answeredAt: isLost ? Infinity : answeredAt,
        isOptional: isLost,
      })
    } else if (chance.happens(rush.asides)) {
      asides.push({ quantity, invokedAt })
      if (count < quantity) return
      count -= quantity
      later.push({ at: at + chance.between(0, 4 * rush.inFlight), quantity })
    } else if (count < quantity) {
      if (!isLost) operations.push({ kind: "reading", available: count, invokedAt, answeredAt })
      else operations.push({ kind: "take", quantity, invokedAt, answeredAt: Infinity, isOptional: true })
    } else {
      const isTaken = !isLost || chance.happens(0.5)
      if (isTaken) count -= quantity
      operations.push({
        kind: "take",
        quantity,
        invokedAt,
        answeredAt: isLost ? Infinity : answeredAt,
        isOptional: isLost,
      })
      if (!isTaken || isLost || !chance.happens(rush.expiring)) return
      const expiresAt = answeredAt + rush.inFlight
      operations.push({ kind: "give", quantity, invokedAt: expiresAt, answeredAt: Infinity, isOptional: true })
      if (chance.happens(0.5)) later.push({ at: expiresAt + chance.between(0, rush.inFlight), quantity })
    }
  }

  // Requests wait in a mailbox of about as many as are in flight; each is decided at one tick of its own.
  const waiting: Array<number> = []
  for (let tick = 0, asked = 0; asked < rush.operations || waiting.length > 0; tick++) {
    while (asked < rush.operations && waiting.length < rush.inFlight && (waiting.length === 0 || chance.happens(0.7))) {
      waiting.push(tick - chance.next())
      asked++
    }
    const [invokedAt] = waiting.splice(chance.below(Math.min(waiting.length, 1 + rush.inFlight / 4)), 1)
    if (invokedAt === undefined) continue
    decide(invokedAt, tick, tick + chance.next() * chance.pick([0.5, 2, rush.inFlight]))
  }
  return { firstStock: rush.firstStock, operations, asides }
}

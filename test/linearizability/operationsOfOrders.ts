/**
 * Turns what clients saw into what it says about each product's count. Must stay true: every operation's interval holds
 * the instant at which a correct service may have done it, so that no correct service is ever blamed; within that, the
 * intervals are as narrow as the promise allows.
 *
 * Tried and lost: ending the order of an unknown attempt at a later refusal of its key. The refusal says that the key named
 * no order then, and the lost request may still be on its way; so it moves the start of the interval, never the end.
 * Starting a held line there too: its units were taken before, and 6 of 5,000 recorded shops that were right were blamed.
 */
import { answeredAtOf, earliestAnswer, earliestCall, earliestExpiry, grouped, orderIdOf } from "./answers.ts"
import { addEndings, type KnownOrder } from "./endingsOfOrders.ts"
import type { OrderAttempt, OrderHistory } from "./orderHistory.ts"
import { addOffers, offeredFrom } from "./offersOfUnits.ts"
import { heldUnitsOf, linesName, unitsOf } from "./orderLines.ts"
import { ProductOperations } from "./productOperations.ts"

export interface Operations {
  readonly products: ProductOperations
  /** What was answered that no stock could ever explain. */
  readonly broken: ReadonlyArray<string>
}

export const operationsOf = (history: OrderHistory): Operations => {
  const products = new ProductOperations()
  const orders = new Map<string, KnownOrder>()
  const broken: Array<string> = []
  const sinks = { products, orders, broken, lostEndableFrom: lostEndableFrom(history) }
  for (const attempts of grouped(history.attempts, ({ caller, key }) => `${caller} ${key}`)) {
    addKey(history, attempts, sinks)
  }
  addEndings(history, orders, products)
  addOffers(history, products)
  // A key may have been sent with several movements, of which one happened at most: each is possible by itself.
  for (const movements of grouped(history.movements, ({ delta, key, productId }) => `${productId} ${delta} ${key}`)) {
    const done = movements.filter(({ answer }) => answer.kind === "moved" || answer.kind === "replayed")
    const possible = [...done, ...movements.filter(({ answer }) => answer.kind === "unknown")]
    const [first] = possible
    if (first === undefined || first.delta === 0) continue
    const interval = {
      invokedAt: earliestCall(possible),
      answeredAt: earliestAnswer(done),
      isOptional: done.length === 0,
    }
    const kind = first.delta > 0 ? "give" : "take"
    const label = `movement ${first.key} of ${first.delta}`
    products.add(first.productId, { kind, quantity: Math.abs(first.delta), ...interval, label })
  }
  for (const { productId, ...reading } of history.readings) {
    products.add(productId, { kind: "reading", ...reading, label: `a look that saw ${reading.available}` })
  }
  return { products, broken }
}

interface Sinks {
  readonly products: ProductOperations
  readonly orders: Map<string, KnownOrder>
  readonly broken: Array<string>
  /** Orders that nobody was told of may have ended if they were placed no later than this. */
  readonly lostEndableFrom: number
}

const addKey = (history: OrderHistory, attempts: ReadonlyArray<OrderAttempt>, sinks: Sinks): void => {
  const { broken, orders, products } = sinks
  const [one] = attempts
  if (one === undefined) return
  const name = `${one.caller}'s order ${one.key}`
  const refusals = attempts.filter(
    ({ answer }) => answer.kind === "refused" && answer.code !== "idempotency_key_reused",
  )
  // A refusal found no order under the key, so that whatever took units under it did so later.
  const absentAt = Math.max(-Infinity, ...refusals.map(({ invokedAt }) => invokedAt))

  let placedAt = Infinity
  const creators = new Set<OrderAttempt>()
  const placed = attempts.filter(({ answer }) => answer.kind === "placed")
  const placements = grouped(placed, ({ answer }) => orderIdOf(answer))
  for (const answers of placements) {
    const [first] = answers
    if (first === undefined) continue
    const answeredAt = earliestAnswer(answers)
    placedAt = Math.min(placedAt, answeredAt)
    const possible = [...answers, ...unknownOf(attempts, first)]
    const calledAt = earliestCall(possible)
    const placedFrom = Math.min(Math.max(calledAt, absentAt), answeredAt)
    if (absentAt > answeredAt) broken.push(`${name} was placed, and a later attempt was refused.`)
    creators.add(creatorOf(possible))
    const orderId = orderIdOf(first.answer)
    orders.set(orderId, { name, lines: first.lines, placedFrom, expiresAt: earliestExpiry(answers) })
    const held = new Map(heldUnitsOf(history, first.lines))
    for (const [productId, quantity] of unitsOf(first.lines)) {
      // Units that were held were taken before the order was placed, perhaps before another attempt was refused.
      const ownFrom = held.has(productId) ? calledAt : placedFrom
      const isOffered = first.isOffered === true
      const invokedAt = isOffered ? Math.min(ownFrom, offeredFrom(history, first, productId, quantity)) : ownFrom
      const label = `${name} (${orderId}) for ${quantity}`
      products.add(productId, { kind: "take", quantity, invokedAt, answeredAt, label })
    }
  }
  if (placements.length > 1) broken.push(`${name} became ${placements.length} orders.`)
  // What was offered stays set aside, whatever became of an acceptance that nobody heard of.
  const requested = attempts.filter(({ isOffered }) => isOffered !== true)
  if (placements.length === 0) addLost(history, requested, absentAt, creators, name, sinks)
  for (const attempt of attempts) {
    addReadings(attempt, name, sinks)
    if (creators.has(attempt) || attempt.invokedAt > placedAt) continue
    for (const [productId, quantity] of heldUnitsOf(history, attempt.lines)) {
      products.addAside(productId, {
        quantity,
        invokedAt: attempt.invokedAt,
        label: `a hold of ${quantity} for ${name}`,
      })
    }
  }
}

/** Orders that nobody was told of: one for each request that an unknown attempt made under the key, at most. */
const addLost = (
  history: OrderHistory,
  attempts: ReadonlyArray<OrderAttempt>,
  absentAt: number,
  creators: Set<OrderAttempt>,
  name: string,
  sinks: Sinks,
): void => {
  const unknown = attempts.filter(({ answer }) => answer.kind === "unknown")
  for (const possible of grouped(unknown, ({ lines }) => linesName(lines))) {
    const calledAt = earliestCall(possible)
    const placedFrom = Math.max(calledAt, absentAt)
    const ends = possible.map(({ answer }) => (answer.kind === "unknown" ? (answer.overAt ?? Infinity) : Infinity))
    const answeredAt = Math.max(...ends)
    if (placedFrom > answeredAt) continue
    const creator = creatorOf(possible)
    creators.add(creator)
    const held = new Map(heldUnitsOf(history, creator.lines))
    for (const [productId, quantity] of unitsOf(creator.lines)) {
      const label = `${name} for ${quantity}, if it was placed`
      const taken = { kind: "take", quantity, invokedAt: placedFrom, answeredAt, isOptional: true, label } as const
      // What was held may have come back without an order, and what was ordered when the order ended unseen.
      if (held.has(productId)) sinks.products.addAside(productId, { quantity, invokedAt: calledAt, label })
      else if (placedFrom > sinks.lostEndableFrom) sinks.products.add(productId, taken)
      else sinks.products.addAside(productId, { quantity, invokedAt: placedFrom, label })
    }
  }
}

/** A retry may join a run of the same request that is under way; what it hears was decided after it came, all the same. */
const addReadings = (attempt: OrderAttempt, name: string, { broken, products }: Sinks): void => {
  const { answer } = attempt
  if (answer.kind !== "refused") return
  const interval = { invokedAt: attempt.invokedAt, answeredAt: answeredAtOf(attempt) }
  for (const { available, productId, requested } of answer.lines ?? []) {
    const label = `the refusal of ${name}, ${available} left of ${requested} wanted`
    products.add(productId, { kind: "reading", available, ...interval, label })
    if (available >= requested)
      broken.push(`${name} was refused ${requested} of ${productId} while ${available} were left.`)
  }
}

/**
 * Whose hold, if any, became the order's own: the attempt that was told so first-hand, and otherwise the last that may
 * have been, since a hold of an earlier one explains whatever a hold of a later one does.
 */
const creatorOf = (possible: ReadonlyArray<OrderAttempt>): OrderAttempt => {
  const firstHand = possible.find(({ answer }) => answer.kind === "placed" && !answer.isReplayed)
  return firstHand ?? possible.reduce((last, attempt) => (attempt.invokedAt > last.invokedAt ? attempt : last))
}

const unknownOf = (attempts: ReadonlyArray<OrderAttempt>, like: OrderAttempt): ReadonlyArray<OrderAttempt> =>
  attempts.filter(({ answer, lines }) => answer.kind === "unknown" && linesName(lines) === linesName(like.lines))

const lostEndableFrom = (history: OrderHistory): number => {
  const { attempts, cancellations, movements, readings, reservationAtLeast } = history
  if (reservationAtLeast === undefined) return Infinity
  const named = new Set(attempts.map(({ answer }) => orderIdOf(answer)))
  if (cancellations.some(({ orderId }) => !named.has(orderId))) return Infinity
  let lastSeenAt = -Infinity
  for (const records of [attempts, cancellations, movements, readings]) {
    for (const { answeredAt, invokedAt } of records) lastSeenAt = Math.max(lastSeenAt, answeredAt ?? invokedAt)
  }
  return lastSeenAt - reservationAtLeast
}

/**
 * How the units of known orders come back: by a cancellation, or by expiry where none is known. Must stay true: each line
 * of an order comes back once at most, whichever way, and never before its own service may have let it go.
 */
import { earliestAnswer, earliestCall, grouped } from "./answers.ts"
import type { Cancellation, OrderHistory, OrderLine } from "./orderHistory.ts"
import { isAtHome, unitsOf } from "./orderLines.ts"
import type { ProductOperations } from "./productOperations.ts"

/** An order that some answer named. */
export interface KnownOrder {
  readonly name: string
  readonly lines: ReadonlyArray<OrderLine>
  /** From when on it may have been placed. */
  readonly placedFrom: number
  readonly expiresAt: number | null
}

export const addEndings = (
  history: OrderHistory,
  orders: ReadonlyMap<string, KnownOrder>,
  products: ProductOperations,
): void => {
  const cancellations = new Map<string, ReadonlyArray<Cancellation>>()
  for (const same of grouped(history.cancellations, ({ orderId }) => orderId)) {
    if (same[0] !== undefined) cancellations.set(same[0].orderId, same)
  }
  for (const [orderId, order] of orders) {
    const same = cancellations.get(orderId) ?? []
    const confirmed = same.filter(({ answer }) => answer === "cancelled" || answer === "alreadyCancelled")
    // Who was told that it was cancelled before did not do it: somebody else did, seen or unseen.
    const possible = same.filter(({ answer }) => answer === "cancelled" || answer === "unknown")
    const cancelledFrom =
      possible.length > 0 ? earliestCall(possible) : confirmed.length > 0 ? order.placedFrom : Infinity
    const isCancelled = confirmed.length > 0
    const invokedAt = isCancelled ? cancelledFrom : Math.min(cancelledFrom, order.expiresAt ?? Infinity)
    if (invokedAt === Infinity) continue
    for (const [productId, quantity] of unitsOf(order.lines)) {
      // Units of another shard travel as a return of their own, which may come after the answer.
      const isBackByAnswer = isCancelled && isAtHome(history, order.lines, productId)
      const answeredAt = isBackByAnswer ? earliestAnswer(confirmed) : Infinity
      const label = `${quantity} back from ${order.name} (${orderId})${isCancelled ? ", cancelled" : ", if it ended"}`
      products.add(productId, { kind: "give", quantity, invokedAt, answeredAt, isOptional: !isBackByAnswer, label })
    }
  }
}

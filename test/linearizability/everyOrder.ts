/**
 * The reference the checker is held to: every order of a tiny history, with every choice of what did not happen. It knows
 * nothing of groups, deadlines or memory, and shares nothing with the checker but the history's type.
 */
import type { StockHistory } from "./stockHistory.ts"

interface Event {
  readonly delta: number
  readonly available: number | null
  readonly invokedAt: number
  readonly answeredAt: number
  readonly isOptional: boolean
  /** The event that must have come before this one. */
  readonly after: Event | null
}

export const someOrderExplains = (history: StockHistory): boolean => {
  const events: Array<Event> = []
  for (const operation of history.operations) {
    const { answeredAt, invokedAt } = operation
    const isOptional = operation.kind !== "reading" && operation.isOptional === true
    const available = operation.kind === "reading" ? operation.available : null
    const delta =
      operation.kind === "reading" ? 0 : operation.kind === "give" ? operation.quantity : -operation.quantity
    events.push({ delta, available, invokedAt, answeredAt, isOptional, after: null })
  }
  for (const { invokedAt, quantity } of history.asides ?? []) {
    const endless = { available: null, invokedAt, answeredAt: Infinity, isOptional: true }
    const away: Event = { ...endless, delta: -quantity, after: null }
    events.push(away, { ...endless, delta: quantity, after: away })
  }
  const happened = new Set<Event>()
  const canGoOn = (count: number, now: number): boolean => {
    if (events.every((event) => event.isOptional || happened.has(event))) return true
    return events.some((event) => {
      const instant = Math.max(now, event.invokedAt)
      if (happened.has(event) || instant > event.answeredAt) return false
      if (event.after !== null && !happened.has(event.after)) return false
      if (count + event.delta < 0 || (event.available ?? count) !== count) return false
      happened.add(event)
      const isExplained = canGoOn(count + event.delta, instant)
      happened.delete(event)
      return isExplained
    })
  }
  return canGoOn(history.firstStock, -Infinity)
}

/**
 * The few things that are asked of any group of calls and their answers. Must stay true: a call without an answer was
 * answered at no finite time.
 */
import type { AttemptAnswer, OrderAttempt } from "./orderHistory.ts"

interface Call {
  readonly invokedAt: number
  readonly answeredAt: number | null
}

export const answeredAtOf = ({ answeredAt }: Pick<Call, "answeredAt">): number => answeredAt ?? Infinity

/** Infinity for no calls at all. */
export const earliestCall = (calls: ReadonlyArray<Call>): number => Math.min(...calls.map(({ invokedAt }) => invokedAt))

/** Infinity for no answers at all. */
export const earliestAnswer = (calls: ReadonlyArray<Call>): number => Math.min(...calls.map(answeredAtOf))

/** Empty where the answer names no order. */
export const orderIdOf = (answer: AttemptAnswer): string => (answer.kind === "placed" ? answer.orderId : "")

/** The earliest expiry that any answer named; null where none did. */
export const earliestExpiry = (attempts: ReadonlyArray<OrderAttempt>): number | null => {
  const named = attempts.flatMap(({ answer }) =>
    answer.kind === "placed" && answer.expiresAt !== null ? [answer.expiresAt] : [],
  )
  return named.length === 0 ? null : Math.min(...named)
}

/** In groups of the same name, in the order of their first. */
export const grouped = <A>(all: ReadonlyArray<A>, nameOf: (one: A) => string): ReadonlyArray<ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const one of all) {
    const name = nameOf(one)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [one])
    else group.push(one)
  }
  return [...groups.values()]
}

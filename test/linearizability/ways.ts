/**
 * What can have happened just before an operation that has to be answered, the likely first. Must stay true: everything
 * that `search.ts` says is needed is offered sooner or later, whatever chance has a say in the order.
 */
import type { Chance } from "../simulation/machine/chance.ts"
import type { Configuration } from "./configuration.ts"
import { type Continuation, type Continuations, dropped } from "./continuations.ts"
import type { PreparedOperation } from "./preparation.ts"

/** `chance` shuffles what is tried first; null for the order that suits a counter's answers best. */
export function* ways(
  configuration: Configuration,
  continuations: Continuations,
  due: PreparedOperation,
  chance: Chance | null,
): Generator<Continuation> {
  const { count } = configuration
  const isReading = due.kind === "reading"
  const countAfter = isReading ? due.available : count + due.delta
  const distance = (available: number) => Math.abs(available - count)
  const waiting = [...configuration.waiting.keys()].sort((left, right) => distance(left) - distance(right))

  const isAstray = chance !== null && waiting.length > 0 && chance.happens(0.3)
  const passed = waiting.find((available) => (available - count) * (available - countAfter) < 0)
  const likely = isAstray ? chance.pick(waiting) : passed
  if (likely !== undefined) {
    const [first] = continuations.reaching(likely, chance)
    if (first !== undefined) yield first
  }
  if (due.isOptional) yield [dropped]
  if (isReading) yield* continuations.reaching(due.available, chance)
  else if (countAfter >= 0) yield [due.group]
  else for (const gives of continuations.bringing(-countAfter)) yield [...gives, due.group]
  for (const available of waiting) {
    if (!isReading || available !== due.available) yield* continuations.reaching(available, chance)
  }
}

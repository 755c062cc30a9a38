/**
 * Makes a failing scenario small: parts are left out, larger portions first, as long as something is still found (Zeller
 * and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002). Leaving a part out moves the steps of the
 * others, so each smaller scenario is tried under a few schedules before its part is kept.
 */
import type { Modules } from "./service/node.ts"
import { drawScenario, onlyWith, partsOf } from "./scenario.ts"
import { realModules, run } from "./simulation.ts"

export interface Failing {
  readonly seed: number
  readonly schedule: number
  readonly parts: ReadonlyArray<string>
}

const schedules = [0, 1, 2, 3, 4, 5]
/** A minute at the most, which a person who looks for a bug has. */
const runsMax = 3_000

export const scenarioOf = ({ parts, schedule, seed }: Failing) => onlyWith(drawScenario(seed, schedule), new Set(parts))

export const shrink = (failing: Failing, modules: Modules = realModules): Failing => {
  const left = { runs: runsMax }
  const fails = (candidate: Failing): boolean => {
    left.runs -= 1
    return left.runs >= 0 && run(scenarioOf(candidate), modules).violation !== null
  }
  let smallest = failing
  let size = Math.ceil(smallest.parts.length / 2)
  while (size >= 1) {
    const before = smallest
    for (let at = 0; at < smallest.parts.length;) {
      const parts = smallest.parts.filter((_, index) => index < at || index >= at + size)
      const ways = [smallest.schedule, ...schedules].map((schedule) => ({ ...smallest, parts, schedule }))
      const smaller = ways.find(fails)
      if (smaller === undefined) at += size
      else smallest = smaller
    }
    if (size > 1) size = Math.floor(size / 2)
    else if (smallest === before) break
  }
  return smallest
}

export const wholeOf = (seed: number, schedule: number): Failing => ({
  seed,
  schedule,
  parts: partsOf(drawScenario(seed, schedule)),
})

/** What the simulation is worth: bugs planted in a copy of the sources, each found within so many seeds. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { plantedBugs } from "./plantedBugs.ts"
import { withPlanted } from "./plantedBugs/planting.ts"
import { simulate } from "./simulation.ts"

const seedsMax = 10_000
/** All of these seeds take some two minutes on a machine that has nothing else to do. */
const findingMaxMillis = 240_000
const found: Array<{ readonly bug: string; readonly seeds: number; readonly as: string }> = []

describe("the simulation", () => {
  afterAll(() => {
    console.table(found)
  })

  for (const bug of plantedBugs) {
    it(`finds: ${bug.name}`, { timeout: findingMaxMillis }, () =>
      withPlanted(bug, (modules) => {
        for (let seed = 0; seed < seedsMax; seed++) {
          const { violation } = simulate(seed, modules)
          if (violation === null) continue
          const as = violation instanceof Error ? violation.message : String(violation)
          found.push({ bug: bug.name, seeds: seed + 1, as: as.slice(0, 100) })
          return
        }
        assert.fail(`not found in ${seedsMax} seeds`)
      }),
    )
  }
})

/** What the simulation is worth: bugs planted in a copy of the sources, each found within so many seeds. */
import { assert, describe, it } from "@effect/vitest"
import { plantedBugs, rareSeeds } from "./plantedBugs.ts"
import { findPlanted, seedsToFindMax } from "./plantedBugs/finding.ts"

/** As long as all of these seeds may take on a machine that has a lot else to do; nearly every bug takes few. */
const findingMaxMillis = 900_000

describe("the simulation", () => {
  it("is told of no rare bug that is not planted", () => {
    const names = new Set(plantedBugs.map(({ name }) => name))
    assert.deepStrictEqual(
      [...rareSeeds.keys()].filter((name) => !names.has(name)),
      [],
    )
  })

  for (const bug of plantedBugs) {
    it(`finds: ${bug.name}`, { timeout: findingMaxMillis }, async () => {
      const { seeds } = await findPlanted(bug, seedsToFindMax, rareSeeds.get(bug.name))
      assert.isNotNull(seeds, `not found in ${seedsToFindMax} seeds`)
    })
  }
})

/** Looks for a planted bug, seed by seed from the first on: how many it took, and how it showed. */
import { simulate } from "../simulation.ts"
import { sentenceOf } from "../story.ts"
import { type PlantedBug, withPlanted } from "./planting.ts"

/** What each has to be found within. */
export const seedsToFindMax = 10_000

export interface Found {
  readonly name: string
  /** Null where none of the seeds found it. */
  readonly seeds: number | null
  readonly as: string
}

export const findPlanted = async (bug: PlantedBug, seedsMax: number): Promise<Found> => {
  let found: Found = { name: bug.name, seeds: null, as: "" }
  await withPlanted(bug, (modules) => {
    for (let seed = 0; seed < seedsMax; seed++) {
      const { violation } = simulate(seed, modules)
      if (violation === null) continue
      found = { name: bug.name, seeds: seed + 1, as: sentenceOf(violation) }
      return
    }
  })
  return found
}

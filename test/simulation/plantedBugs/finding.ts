/** Looks for a planted bug, seed by seed: how many it took, and how it showed. */
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

/** Among the first so many seeds, from this one on and then from the first. */
export const findPlanted = async (bug: PlantedBug, seedsMax: number, from = 0): Promise<Found> => {
  let found: Found = { name: bug.name, seeds: null, as: "" }
  await withPlanted(bug, (modules) => {
    for (let tried = 0; tried < seedsMax; tried++) {
      const { violation } = simulate((from + tried) % seedsMax, modules)
      if (violation === null) continue
      found = { name: bug.name, seeds: tried + 1, as: sentenceOf(violation) }
      return
    }
  })
  return found
}

/** What a run over many seeds came to, for people: its pace, its coverage by kind, and what was met too seldom. */
import { mustBeMet, perHundredSeeds } from "./coverage.ts"
import type { Found } from "./plantedBugs/finding.ts"
import type { SeedsRun } from "./seedWorker.ts"

/** Below this a run is a look, not a proof, and need not meet everything. */
const coverageSeedsMin = 5_000

const counted = (count: number): string => count.toLocaleString("en-US")

export const coverageLines = ({ seen }: SeedsRun): ReadonlyArray<string> =>
  Object.entries(mustBeMet).flatMap(([kind, names]) => [
    "",
    kind,
    ...names.map((name) => `  ${name.padEnd(44)}${counted(seen.get(name) ?? 0).padStart(12)}`),
  ])

/** What a run of this length has to have met more often. */
export const seldom = ({ seeds, seen }: SeedsRun): ReadonlyArray<string> => {
  if (seeds < coverageSeedsMin) return []
  const least = Math.floor((seeds * perHundredSeeds) / 100)
  return Object.values(mustBeMet)
    .flat()
    .filter((name) => (seen.get(name) ?? 0) < least)
    .map((name) => `${name}: ${seen.get(name) ?? 0} of at least ${counted(least)}`)
}

export const paceLine = ({ failures, seeds, steps }: SeedsRun, millis: number): string => {
  const seconds = millis / 1_000
  const pace = `${counted(Math.round(seeds / seconds))} seeds a second`
  const what = failures.length === 0 ? "no violation" : `${failures.length} violations`
  return `${counted(seeds)} seeds in ${seconds.toFixed(1)} s (${pace}), ${counted(steps)} steps: ${what}`
}

export const foundLines = (found: ReadonlyArray<Found>): ReadonlyArray<string> => {
  const taken = found.flatMap(({ seeds }) => (seeds === null ? [] : [seeds]))
  return [
    "| planted bug | seeds | found as |",
    "|---|---:|---|",
    ...found.map(
      ({ as, name, seeds }) => `| ${name} | ${seeds === null ? "not found" : counted(seeds)} | ${as.slice(0, 90)} |`,
    ),
    "",
    `${taken.length} of ${found.length} found, within ${counted(Math.max(0, ...taken))} seeds`,
  ]
}

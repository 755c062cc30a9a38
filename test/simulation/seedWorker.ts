/**
 * A thread that runs seeds and says what came of them. Must stay true: it keeps nothing from one seed to the next, so
 * that a seed is the same run in whichever thread.
 */
import { parentPort } from "node:worker_threads"
import { simulate } from "./simulation.ts"

/** Seeds from `from` on, so many of them; or these. */
export interface SeedsWanted {
  readonly seeds: ReadonlyArray<number>
}

export interface SeedsRun {
  readonly seeds: number
  readonly steps: number
  readonly seen: ReadonlyMap<string, number>
  readonly failures: ReadonlyArray<{ readonly seed: number; readonly violation: string }>
}

export const sentenceOf = (violation: unknown): string =>
  violation instanceof Error ? violation.message : String(violation)

const runSeeds = ({ seeds }: SeedsWanted): SeedsRun => {
  const seen = new Map<string, number>()
  const failures: Array<SeedsRun["failures"][number]> = []
  let steps = 0
  for (const seed of seeds) {
    const report = simulate(seed)
    steps += report.steps
    for (const [name, count] of report.seen) seen.set(name, (seen.get(name) ?? 0) + count)
    if (report.violation !== null) failures.push({ seed, violation: sentenceOf(report.violation) })
  }
  return { seeds: seeds.length, steps, seen, failures }
}

const port = parentPort
port?.on("message", (wanted: SeedsWanted) => port.postMessage(runSeeds(wanted)))

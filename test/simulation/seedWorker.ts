/**
 * A thread that runs seeds and says what came of them, with the sources as they are or with a bug planted in a copy.
 * Must stay true: it keeps nothing from one seed to the next, so that a seed is the same run in whichever thread.
 */
// oxlint-disable-next-line import/no-unassigned-import -- it has to be done before Effect is loaded
import "./quickThread.ts"
import { parentPort } from "node:worker_threads"
import { plantedBugs } from "./plantedBugs.ts"
import { findPlanted } from "./plantedBugs/finding.ts"
import { simulate } from "./simulation.ts"
import { sentenceOf } from "./story.ts"

export type Wanted =
  | { readonly _tag: "Seeds"; readonly seeds: ReadonlyArray<number> }
  | { readonly _tag: "Bug"; readonly name: string; readonly seedsMax: number }

export interface SeedsRun {
  readonly seeds: number
  readonly steps: number
  readonly seen: ReadonlyMap<string, number>
  readonly failures: ReadonlyArray<{ readonly seed: number; readonly violation: string }>
}

const runSeeds = (seeds: ReadonlyArray<number>): SeedsRun => {
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

const answerTo = async (wanted: Wanted) => {
  if (wanted._tag === "Seeds") return runSeeds(wanted.seeds)
  const bug = plantedBugs.find(({ name }) => name === wanted.name)
  if (bug === undefined) throw new Error(`no bug is called "${wanted.name}"`)
  return findPlanted(bug, wanted.seedsMax)
}

const port = parentPort
port?.on("message", async (wanted: Wanted) => port.postMessage(await answerTo(wanted)))

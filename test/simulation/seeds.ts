/**
 * Many seeds over all cores. Must stay true: every seed asked for is run once, whichever thread takes it, and the sums
 * do not depend on which did.
 */
import { Effect, type Scope } from "effect"
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import type { Found } from "./plantedBugs/finding.ts"
import type { SeedsRun, Wanted } from "./seedWorker.ts"

/** So few that a thread is never long in coming back, so many that coming back costs nothing. */
const portionSize = 50
/** Past so many failures more of them say nothing new. */
const failuresMax = 20

const startWorker: Effect.Effect<Worker, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => new Worker(new URL("seedWorker.ts", import.meta.url))),
  (worker) => Effect.promise(() => worker.terminate()),
)

const ask = <Answer>(worker: Worker, wanted: Wanted): Effect.Effect<Answer> =>
  Effect.callback((resume) => {
    const clear = (): void => void worker.removeAllListeners("message").removeAllListeners("error")
    worker.once("message", (answer: Answer) => {
      clear()
      resume(Effect.succeed(answer))
    })
    worker.once("error", (error) => {
      clear()
      resume(Effect.die(error))
    })
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    worker.postMessage(wanted)
  })

export const addUp = (runs: ReadonlyArray<SeedsRun>): SeedsRun => {
  const seen = new Map<string, number>()
  for (const run of runs) for (const [name, count] of run.seen) seen.set(name, (seen.get(name) ?? 0) + count)
  return {
    seeds: runs.reduce((sum, run) => sum + run.seeds, 0),
    steps: runs.reduce((sum, run) => sum + run.steps, 0),
    seen,
    failures: runs.flatMap((run) => run.failures).toSorted((left, right) => left.seed - right.seed),
  }
}

/** On every core a worker that goes on as long as it is given something to do. */
const onAllCores = <E>(threadsMax: number, work: (worker: Worker) => Effect.Effect<void, E>) =>
  Effect.forEach(
    Array.from({ length: Math.min(availableParallelism(), threadsMax) }),
    () => Effect.flatMap(startWorker, work),
    { concurrency: "unbounded", discard: true },
  )

/** Runs them all, or until there are failures enough; `onPortion` hears how many have been run. */
export const runSeeds = Effect.fnUntraced(function* (
  seeds: ReadonlyArray<number>,
  onPortion: (seedsRun: number) => void,
): Effect.fn.Return<SeedsRun, never, Scope.Scope> {
  const runs: Array<SeedsRun> = []
  const counts = { next: 0, run: 0, failures: 0 }
  yield* onAllCores(
    Math.ceil(seeds.length / portionSize),
    Effect.fnUntraced(function* (worker) {
      while (counts.next < seeds.length && counts.failures < failuresMax) {
        const portion = seeds.slice(counts.next, counts.next + portionSize)
        counts.next += portion.length
        const run = yield* ask<SeedsRun>(worker, { _tag: "Seeds", seeds: portion })
        runs.push(run)
        counts.run += run.seeds
        counts.failures += run.failures.length
        onPortion(counts.run)
      }
    }),
  )
  return addUp(runs)
})

/** Looks for each planted bug; in the order in which they are named. */
export const findBugs = Effect.fnUntraced(function* (
  names: ReadonlyArray<string>,
  seedsMax: number,
): Effect.fn.Return<ReadonlyArray<Found>, never, Scope.Scope> {
  const found: Array<Found> = []
  const left = [...names]
  yield* onAllCores(
    names.length,
    Effect.fnUntraced(function* (worker) {
      for (let name = left.shift(); name !== undefined; name = left.shift()) {
        found.push(yield* ask<Found>(worker, { _tag: "Bug", name, seedsMax }))
      }
    }),
  )
  return found.toSorted((one, other) => names.indexOf(one.name) - names.indexOf(other.name))
})

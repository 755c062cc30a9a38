/**
 * What an HTTP benchmark loads: one request, again and again, whose answer has one right status. Must stay true: any
 * other answer ends the run, and every right one is counted, also those of the warm-up.
 */
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import type { Job, LoadResult } from "./loadGenerator.ts"
import type { startLoad } from "./processes.ts"

export interface Target {
  readonly name: string
  readonly job: Omit<Job, "keyPrefix" | "seconds">
  readonly status: string
  readonly rounds: Array<LoadResult>
  answered: number
}

export const orderOf = (productId: string): string => JSON.stringify({ lines: [{ productId, quantity: 1 }] })

/** Right answers a second, one value a round. */
export const rates = (target: Target): ReadonlyArray<number> =>
  target.rounds.map((round) => (round.answers[target.status] ?? 0) / round.seconds)

/** Loads a target for so many seconds; the result is the caller's to keep. */
export const loadWith = (send: Effect.Success<typeof startLoad>) =>
  Effect.fnUntraced(function* (target: Target, seconds: number) {
    const result = yield* send({ ...target.job, keyPrefix: randomBytes(6).toString("hex"), seconds })
    const strangers = Object.keys(result.answers).filter((status) => status !== target.status)
    if (strangers.length > 0) return yield* Effect.die(`${target.name} answered ${JSON.stringify(result.answers)}`)
    target.answered += result.answers[target.status] ?? 0
    return result
  })

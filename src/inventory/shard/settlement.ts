/**
 * What became of a batch. PostgreSQL's answer may be lost on the way, so a commit is asked for again under the same
 * number until the lease and the batch log say what happened; only then does this return (rules 2 and 3 of the commit
 * protocol).
 *
 * Must stay true: "Rejected" and "Fenced" are said only when the batch can never be applied any more. A bare look-up
 * instead of the repeated statement is not enough: the first attempt may still be running.
 */
import { Effect, Result } from "effect"
import { settlePauseMillis } from "../../domain/bounds.ts"
import type { BatchWrite } from "../../domain/batch.ts"
import type { InventoryListener } from "../InventoryListener.ts"
import { type Applied, connectionFailure, type Inspection, type ShardStore } from "../store/ShardStore.ts"

export type Settled =
  | Applied
  /** Applied, but the answer that told the details was lost. */
  | { readonly _tag: "AppliedUnseen"; readonly atMillis: number }
  /** Not applied, and never will be. `numberUsed` tells whether the batch number is gone. */
  | { readonly _tag: "Rejected"; readonly sqlState: string; readonly message: string; readonly numberUsed: boolean }
  /** Another writer owns the shard; the batch was not applied and never will be. */
  | { readonly _tag: "Fenced" }

type Store = ShardStore["Service"]

/** Deadlocks and serialization failures are definite, and the same statement may simply be sent again. */
const mayRunAgain = (sqlState: string): boolean => sqlState === "40P01" || sqlState === "40001"
const runsAgainMax = 5

export const settle = Effect.fnUntraced(function* (
  store: Store,
  write: BatchWrite,
  { settledUnknown }: Pick<InventoryListener, "settledUnknown">,
): Effect.fn.Return<Settled> {
  let isUnknown = false
  let runs = 0
  while (true) {
    const attempt = yield* Effect.result(store.commit(write))
    if (Result.isSuccess(attempt)) {
      if (attempt.success._tag === "Applied") {
        if (isUnknown) settledUnknown("applied")
        return attempt.success
      }
      const seen = yield* inspectUntilKnown(store, write)
      if (seen !== "pending") {
        settledUnknown(seen._tag === "AppliedUnseen" ? "applied" : seen._tag === "Fenced" ? "fenced" : "voided")
        return seen
      }
      isUnknown = true
    } else if (attempt.failure._tag === "StoreUnknown") {
      isUnknown = true
      yield* Effect.logWarning("The outcome of a batch is unknown; settling it").pipe(
        Effect.annotateLogs({ shard: write.shard, batch: write.batch, cause: attempt.failure.message }),
      )
      yield* Effect.sleep(settlePauseMillis)
    } else if (isUnknown && attempt.failure.sqlState === connectionFailure) {
      yield* Effect.sleep(settlePauseMillis)
    } else if (mayRunAgain(attempt.failure.sqlState) && runs < runsAgainMax) {
      runs += 1
    } else {
      const { message, sqlState } = attempt.failure
      if (!isUnknown) return { _tag: "Rejected", sqlState, message, numberUsed: false }
      const voided = yield* voidUntilKnown(store, write)
      settledUnknown(voided === "voided" ? "voided" : voided._tag === "Fenced" ? "fenced" : "applied")
      const isVoid = voided === "voided" || voided._tag === "Rejected"
      return isVoid ? { _tag: "Rejected", sqlState, message, numberUsed: true } : voided
    }
  }
})

/**
 * Gives the number up before anything else may use it, since an attempt under it may still be under way. "Rejected"
 * where somebody had given it up already: later numbers may then have been sent too.
 */
export const voidUntilKnown = Effect.fnUntraced(function* (
  store: Store,
  write: { readonly shard: number; readonly epoch: number; readonly batch: number },
): Effect.fn.Return<Settled | "voided"> {
  while (true) {
    const attempt = yield* Effect.result(store.voidBatch(write.shard, write))
    if (Result.isSuccess(attempt)) {
      if (attempt.success._tag === "Applied") return "voided"
      const seen = yield* inspectUntilKnown(store, write)
      if (seen !== "pending") return seen
    }
    yield* Effect.sleep(settlePauseMillis)
  }
})

/** Reads the lease and the log in a new statement. "pending": the number is still free, so it has to be asked again. */
const inspectUntilKnown = Effect.fnUntraced(function* (
  store: Store,
  write: { readonly shard: number; readonly epoch: number; readonly batch: number },
): Effect.fn.Return<Settled | "pending"> {
  while (true) {
    const inspected = yield* Effect.result(store.inspect(write.shard, write.batch))
    if (Result.isSuccess(inspected)) return whatBecameOf(inspected.success, write)
    yield* Effect.sleep(settlePauseMillis)
  }
})

const whatBecameOf = (
  { lease, record }: Inspection,
  write: { readonly epoch: number; readonly batch: number },
): Settled | "pending" => {
  if (record !== null && record.epoch === write.epoch) {
    return record.voided
      ? { _tag: "Rejected", sqlState: "", message: "the batch number was given up", numberUsed: true }
      : { _tag: "AppliedUnseen", atMillis: record.committedAtMillis }
  }
  if (lease.epoch !== write.epoch) return { _tag: "Fenced" }
  return lease.batch === write.batch - 1 ? "pending" : { _tag: "Fenced" }
}

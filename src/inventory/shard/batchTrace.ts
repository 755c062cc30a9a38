/**
 * What a batch tells the traces of the orders that it carries. The batch is a trace of its own, since it belongs to all
 * of them; each order's trace says how long the order waited, which batch took it and when it was answered.
 *
 * Must stay true: where no order of a batch is recorded, nothing is made.
 */
import { type Clock, Effect, type Exit } from "effect"
import type { Shard } from "../../domain/ids.ts"
import type { Decision } from "../../platform/tracing/recording.ts"
import { carrier } from "../../platform/tracing/recordingTracer.ts"
import type { Entry } from "./mailboxEntry.ts"

export interface BatchTrace {
  readonly around: <A, E, R>(batch: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Once whoever is answered has been. */
  readonly end: (exit: Exit.Exit<unknown, unknown>) => void
}

export const beginBatchTrace = (shard: Shard, entries: ReadonlyArray<Entry>, clock: Clock.Clock): BatchTrace | null => {
  const like = entries.find((entry) => entry.span !== null)?.span ?? null
  if (like === null) return null
  const takenAt = clock.currentTimeNanosUnsafe()
  const batch = carrier("ShardActor.batch", like, takenAt)
  batch.attribute("hedonify.shard", shard)
  batch.attribute("hedonify.batch.size", entries.length)
  return {
    around: Effect.withParentSpan(batch),
    end: (exit) => {
      const repliedAt = clock.currentTimeNanosUnsafe()
      for (const entry of entries) {
        if (entry.span === null || entry.phase !== "answered") continue
        const { enqueuedAt, span } = entry
        const decision: Decision = {
          parent: span,
          shard,
          command: entry.command._tag,
          batchSize: entries.length,
          batch,
          enqueuedAt,
          takenAt,
          repliedAt,
        }
        span.recording.decided(decision)
      }
      batch.end(repliedAt, exit)
    },
  }
}

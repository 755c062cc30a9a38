/**
 * Keeps the relay of this process going, and what it leaves behind within bounds. Whatever one look meets, there is a
 * next one; told to stop, deliveries under way are given up and made again later.
 */
import { Cause, Effect, FiberSet, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { pruneIntervalMillis } from "../events/eventBounds.ts"
import { Relay } from "./Relay.ts"
import { fanOutIntervalMillis, fanOutPauseMillis, relayIntervalMillis, webhooksAtOnceMax } from "./webhookBounds.ts"
import { prune } from "./webhookPruning.ts"

/** Says what failed once, and not at every look. */
const makeSaying = () => {
  let lastSaid = ""
  return (sentence: string) => (cause: Cause.Cause<unknown>) => {
    const message = Cause.pretty(cause)
    if (message === lastSaid || Cause.hasInterruptsOnly(cause)) return Effect.void
    lastSaid = message
    return Effect.logWarning(sentence, cause)
  }
}

export const relaying = (settings: { readonly eventsKeptMillis: number }) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const relay = yield* Relay
      const sql = yield* SqlClient.SqlClient
      const turns = yield* FiberSet.make()
      const said = makeSaying()

      yield* relay.readOn.pipe(
        Effect.repeat({ while: (hasMore) => hasMore, schedule: Schedule.spaced(fanOutPauseMillis) }),
        Effect.catchCause(said("The event log could not be read for webhooks; the next look tries again")),
        Effect.repeat(Schedule.spaced(fanOutIntervalMillis)),
        Effect.forkScoped,
      )
      const look = Effect.gen(function* () {
        const free = webhooksAtOnceMax - (yield* FiberSet.size(turns))
        if (free === 0) return
        for (const webhookId of yield* relay.claim(free)) {
          const turn = Effect.catchCause(relay.serve(webhookId), said("A webhook's turn was cut short"))
          yield* FiberSet.run(turns, Effect.annotateLogs(turn, { webhookId }))
        }
      })
      yield* look.pipe(
        Effect.catchCause(said("Webhooks could not be delivered; the next look tries again")),
        Effect.repeat(Schedule.spaced(relayIntervalMillis)),
        Effect.forkScoped,
      )
      yield* prune(sql, settings).pipe(
        Effect.catchCause(said("Old events and deliveries could not be pruned; the next look tries again")),
        Effect.repeat(Schedule.spaced(pruneIntervalMillis)),
        Effect.delay(pruneIntervalMillis),
        Effect.forkScoped,
      )
    }),
  )

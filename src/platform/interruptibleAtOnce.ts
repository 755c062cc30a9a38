/**
 * Work that whoever waits for it can leave at once. Must stay true: neither a time limit nor a caller that hangs up
 * waits for the end of what it gave up; what was given up is still told to end, and gives back what it holds.
 *
 * A query that is interrupted stays with its connection until PostgreSQL has confirmed the cancel, 5 s where the link is
 * silent, so that a limit of 2.5 s around the bare query was one of 7.5 s. Not for writes of unknown outcome whose end
 * somebody must see: a shard's writer leaves its query without a cancel, and closes the connection.
 */
import { Effect, Fiber } from "effect"

/** As `work`; an interruption ends the waiting first, and the work behind it. */
export const interruptibleAtOnce = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDetach(work, { startImmediately: true }), (running) =>
      Effect.onInterrupt(restore(Fiber.join(running)), () => Effect.forkDetach(Fiber.interrupt(running))),
    ),
  )

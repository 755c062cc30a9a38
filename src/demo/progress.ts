/**
 * A line that moves while something lasts, for a person at a terminal; where nobody watches, nothing is printed, since a
 * log of a moving line is nobody's use.
 */
import { Effect, Fiber, Schedule } from "effect"

const progressIntervalMillis = 100

const showLine = (line: string) =>
  Effect.sync(() => {
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[2K${line}`)
  })

export const whileShowing = <A, E, R>(line: () => string, work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const shown = yield* Effect.sync(line).pipe(
      Effect.flatMap(showLine),
      Effect.repeat(Schedule.spaced(progressIntervalMillis)),
      Effect.forkChild,
    )
    return yield* work.pipe(Effect.ensuring(Effect.andThen(Fiber.interrupt(shown), showLine(""))))
  })

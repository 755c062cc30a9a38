/** How long something takes, told when it ends in whatever way; by the clock that it runs under. */
import { Clock, Effect, type Exit } from "effect"

export const measured = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  told: (exit: Exit.Exit<A, E>, seconds: number) => void,
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const clock = fiber.getRef(Clock.Clock)
    const beganAt = clock.currentTimeNanosUnsafe()
    return Effect.onExit(effect, (exit) => {
      told(exit, Number(clock.currentTimeNanosUnsafe() - beganAt) / 1e9)
      return Effect.void
    })
  })

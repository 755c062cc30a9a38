/**
 * Runs an Effect program on one thread whose every choice is a seed's: which runnable fiber goes next, where a fiber
 * gives way, which of two timers of one instant fires first, and when time passes although somebody could still run.
 *
 * Must stay true: nothing of the host gets in (no timer, promise or clock), so that the same seed is the same run to
 * the letter; tasks of one fiber keep their order, as they do in production.
 */
import { type Clock, Duration, Effect, type Exit, type Fiber, type Scheduler } from "effect"
import type { Chance } from "./chance.ts"

export interface SeededOptions {
  readonly chance: Chance
  readonly startMillis: number
  /** How often a fiber gives way before an operation. */
  readonly yieldChance: number
  /** How often the clock goes on to the next timer while fibers could still run, as on a busy machine. */
  readonly stallChance: number
  /** Past these the run counts as one that never ends. */
  readonly stepsMax: number
  readonly millisMax: number
}

/** How long a machine may be too busy to go on with anything. */
const stallMaxMillis = 1_000

interface Timer {
  readonly dueMillis: number
  readonly fire: () => void
}

/** Nobody can run and no timer is set, or the run went on past its bounds: somebody would wait for ever. */
export class NeverEnds extends Error {}

class SeededDispatcher implements Scheduler.SchedulerDispatcher {
  readonly tasks: Array<() => void> = []
  readonly #onTask: (dispatcher: SeededDispatcher) => void

  constructor(onTask: (dispatcher: SeededDispatcher) => void) {
    this.#onTask = onTask
  }

  scheduleTask(task: () => void): void {
    this.tasks.push(task)
    if (this.tasks.length === 1) this.#onTask(this)
  }

  flush(): void {
    throw new Error("a seeded run is never flushed: the seed decides who goes next")
  }
}

export class SeededRuntime implements Scheduler.Scheduler, Clock.Clock {
  readonly executionMode = "async"
  readonly #options: SeededOptions
  readonly #runnable: Array<SeededDispatcher> = []
  readonly #timers: Array<Timer> = []
  #nowMillis: number
  #steps = 0
  #digest = 0x811c9dc5

  constructor(options: SeededOptions) {
    this.#options = options
    this.#nowMillis = options.startMillis
  }

  get steps(): number {
    return this.#steps
  }

  /** Of all choices so far: equal for equal runs. */
  get digest(): number {
    return this.#digest >>> 0
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return new SeededDispatcher((dispatcher) => this.#runnable.push(dispatcher))
  }

  shouldYield(): boolean {
    return this.#options.chance.happens(this.#options.yieldChance)
  }

  currentTimeMillisUnsafe(): number {
    return this.#nowMillis
  }
  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.#nowMillis) * 1_000_000n
  }
  monotonicTimeNanosUnsafe(): bigint {
    return this.currentTimeNanosUnsafe()
  }
  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const millis = Duration.toMillis(duration)
    if (millis <= 0) return Effect.yieldNow
    return Effect.callback<void>((resume) => {
      const timer = { dueMillis: this.#nowMillis + millis, fire: () => resume(Effect.void) }
      this.#timers.push(timer)
      return Effect.sync(() => {
        const at = this.#timers.indexOf(timer)
        if (at >= 0) this.#timers.splice(at, 1)
      })
    })
  }

  /** Runs the program to its end. Throws `NeverEnds` where there is none, and whatever `afterStep` throws. */
  run<A, E>(program: Effect.Effect<A, E>, afterStep: () => void): Exit.Exit<A, E> {
    const fiber: Fiber.Fiber<A, E> = Effect.runFork(program, { scheduler: this })
    while (true) {
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return exit
      this.#step()
      afterStep()
    }
  }

  #step(): void {
    const { chance, millisMax, stallChance, startMillis, stepsMax } = this.#options
    this.#steps += 1
    if (this.#steps > stepsMax) throw new NeverEnds(`no end after ${stepsMax} steps`)
    const stalls = chance.happens(stallChance) && this.#dueMillis - this.#nowMillis <= stallMaxMillis
    if (this.#runnable.length === 0 || stalls) {
      this.#fireNext()
      if (this.#nowMillis - startMillis > millisMax) throw new NeverEnds(`no end after ${millisMax} ms`)
      return
    }
    const at = chance.below(this.#runnable.length)
    this.#note(at)
    const dispatcher = this.#runnable[at]
    const task = dispatcher?.tasks.shift()
    if (dispatcher?.tasks.length === 0) this.#runnable.splice(at, 1)
    task?.()
  }

  /** When the next timer is due. */
  get #dueMillis(): number {
    let dueMillis = Infinity
    for (const timer of this.#timers) if (timer.dueMillis < dueMillis) dueMillis = timer.dueMillis
    return dueMillis
  }

  #fireNext(): void {
    const dueMillis = this.#dueMillis
    if (dueMillis === Infinity) throw new NeverEnds("nobody can run, and nothing will wake anybody")
    const due = this.#timers.filter((timer) => timer.dueMillis === dueMillis)
    const timer = this.#options.chance.pick(due)
    this.#timers.splice(this.#timers.indexOf(timer), 1)
    this.#nowMillis = dueMillis
    this.#note(dueMillis)
    timer.fire()
  }

  #note(choice: number): void {
    this.#digest = Math.imul(this.#digest ^ choice, 0x01000193)
  }
}

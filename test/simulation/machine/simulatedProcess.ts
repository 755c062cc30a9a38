/**
 * A process of a seeded run: the scheduler and the clock of everything that runs in it. It can be paused, and killed
 * between any two steps: then nothing of it runs again, no finalizer either, and whoever waits for it hears nothing.
 *
 * Must stay true: processes meet only by `deliver` and `call`, since whatever resumed a fiber of another process at once
 * would run it although it is paused or dead.
 */
import { Clock, Duration, Effect, type Exit, type Fiber, Scheduler } from "effect"

export interface Timer {
  readonly dueMillis: number
  readonly process: SimulatedProcess
  readonly fire: () => void
}

/** The machine as its processes see it. */
export interface Machine {
  readonly nowMillis: () => number
  readonly givesWay: () => boolean
  readonly runnable: (dispatcher: SeededDispatcher) => void
  readonly add: (timer: Timer) => void
  readonly remove: (timer: Timer) => void
  /** Nothing of this process is runnable any more; gives back what was. */
  readonly leave: (process: SimulatedProcess) => ReadonlyArray<SeededDispatcher>
}

export class SeededDispatcher implements Scheduler.SchedulerDispatcher {
  readonly process: SimulatedProcess
  readonly tasks: Array<() => void> = []

  constructor(process: SimulatedProcess) {
    this.process = process
  }

  scheduleTask(task: () => void): void {
    this.tasks.push(task)
    if (this.tasks.length === 1) this.process.schedule(this)
  }

  flush(): void {
    throw new Error("a seeded run is never flushed: the seed decides who goes next")
  }
}

/** The process that was asked is no more, and nobody knows how far it came. */
export const connectionLost = { _tag: "ConnectionLost" } as const
export type ConnectionLost = typeof connectionLost

export class SimulatedProcess implements Scheduler.Scheduler, Clock.Clock {
  readonly executionMode = "async"
  readonly name: string
  readonly #machine: Machine
  readonly #inbox: SeededDispatcher
  /** Dispatchers with tasks that wait for the process to go on. */
  readonly #waiting: Array<SeededDispatcher> = []
  readonly #connections = new Set<() => void>()
  #state: "running" | "paused" | "killed" = "running"

  constructor(name: string, machine: Machine) {
    this.name = name
    this.#machine = machine
    this.#inbox = new SeededDispatcher(this)
  }

  get isRunning(): boolean {
    return this.#state === "running"
  }

  get isKilled(): boolean {
    return this.#state === "killed"
  }

  schedule(dispatcher: SeededDispatcher): void {
    if (this.#state === "running") this.#machine.runnable(dispatcher)
    else if (this.#state === "paused") this.#waiting.push(dispatcher)
  }

  makeDispatcher(): SeededDispatcher {
    return new SeededDispatcher(this)
  }

  shouldYield(): boolean {
    return this.#machine.givesWay()
  }

  currentTimeMillisUnsafe(): number {
    return this.#machine.nowMillis()
  }
  currentTimeNanosUnsafe(): bigint {
    return BigInt(this.currentTimeMillisUnsafe()) * 1_000_000n
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
      const dueMillis = this.#machine.nowMillis() + millis
      const timer: Timer = { dueMillis, process: this, fire: () => resume(Effect.void) }
      this.#machine.add(timer)
      return Effect.sync(() => this.#machine.remove(timer))
    })
  }

  /** Lets something happen in this process as soon as it runs; never, where it does not run again. */
  deliver(task: () => void): void {
    this.#inbox.scheduleTask(task)
  }

  /** As if started in this process. */
  within<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return effect.pipe(Effect.provideService(Clock.Clock, this), Effect.provideService(Scheduler.Scheduler, this))
  }

  /** Asks this process from `caller`. Interruption hangs up, which this process hears of in its own time. */
  call<A, E>(caller: SimulatedProcess, question: Effect.Effect<A, E>): Effect.Effect<A, E | ConnectionLost> {
    return Effect.callback<A, E | ConnectionLost>((resume) => {
      const lost = (): void => caller.deliver(() => resume(Effect.fail(connectionLost)))
      if (this.isKilled) return lost()
      this.#connections.add(lost)
      let fiber: Fiber.Fiber<A, E> | undefined
      const conclude = (exit: Exit.Exit<A, E>): void => {
        this.#connections.delete(lost)
        caller.deliver(() => resume(exit))
      }
      this.deliver(() => {
        fiber = Effect.runFork(this.within(question), { scheduler: this })
        fiber.addObserver(conclude)
      })
      return Effect.sync(() => {
        this.#connections.delete(lost)
        this.deliver(() => fiber?.interruptUnsafe())
      })
    })
  }

  /** Stops everything in it where it is, until `resume`. */
  pause(): void {
    if (this.#state !== "running") return
    this.#state = "paused"
    this.#waiting.push(...this.#machine.leave(this))
  }

  resume(): void {
    if (this.#state !== "paused") return
    this.#state = "running"
    for (const dispatcher of this.#waiting.splice(0)) this.#machine.runnable(dispatcher)
  }

  kill(): void {
    this.#state = "killed"
    this.#waiting.length = 0
    this.#machine.leave(this)
    for (const lost of this.#connections) lost()
    this.#connections.clear()
  }
}

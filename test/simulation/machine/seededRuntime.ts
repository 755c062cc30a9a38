/**
 * The machine of a run: it runs Effect programs of several processes on one thread, and its every choice is a seed's:
 * which runnable fiber goes next, where a fiber gives way, which of two timers of one instant fires first, and when
 * time passes although somebody could still run.
 *
 * Must stay true: nothing of the host gets in (no timer, promise or clock), so that the same seed is the same run to
 * the letter; tasks of one fiber keep their order, as they do in production.
 */
import { Clock, Effect, type Exit, type Fiber, Scheduler } from "effect"
import type { Chance } from "./chance.ts"
import { type SeededDispatcher, SimulatedProcess, type Timer } from "./simulatedProcess.ts"

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

/** Nobody can run and no timer is set, or the run went on past its bounds: somebody would wait for ever. */
export class NeverEnds extends Error {}

export class SeededRuntime {
  readonly #options: SeededOptions
  readonly #timers: Array<Timer> = []
  readonly #plans: Array<{ readonly step: number; readonly act: () => void }> = []
  #runnable: Array<SeededDispatcher> = []
  #nowMillis: number
  #steps = 0
  #stalls = 0
  #digest = 0x811c9dc5
  /** Where everything runs that is no process under test: clients, the network, the database. */
  readonly world: SimulatedProcess

  constructor(options: SeededOptions) {
    this.#options = options
    this.#nowMillis = options.startMillis
    this.world = this.process("world")
  }

  get nowMillis(): number {
    return this.#nowMillis
  }

  get steps(): number {
    return this.#steps
  }

  /** How often time went on under somebody's feet. */
  get stalls(): number {
    return this.#stalls
  }

  /** Of all choices so far: equal for equal runs. */
  get digest(): number {
    return this.#digest >>> 0
  }

  process(name: string): SimulatedProcess {
    const { chance, yieldChance } = this.#options
    return new SimulatedProcess(name, {
      nowMillis: () => this.#nowMillis,
      givesWay: yieldChance === 0 ? () => false : () => chance.happens(yieldChance),
      runnable: (dispatcher) => void this.#runnable.push(dispatcher),
      add: (timer) => void this.#timers.push(timer),
      remove: (timer) => this.#forget(timer),
      leave: (process) => {
        const left = this.#runnable.filter((dispatcher) => dispatcher.process === process)
        this.#runnable = this.#runnable.filter((dispatcher) => dispatcher.process !== process)
        return left
      },
    })
  }

  /** Acts between two steps, once that many have been made: nobody has a say in it. */
  atStep(step: number, act: () => void): void {
    this.#plans.push({ step, act })
    this.#plans.sort((left, right) => right.step - left.step)
  }

  /** Does at once what would have been done at a later step. */
  actNow(): void {
    for (const { act } of this.#plans.splice(0).toReversed()) act()
  }

  /** Runs the program to its end. Throws `NeverEnds` where there is none, and whatever `afterStep` throws. */
  run<A, E>(program: Effect.Effect<A, E>, afterStep: () => void): Exit.Exit<A, E> {
    const timed = program.pipe(
      Effect.provideService(Clock.Clock, this.world),
      Effect.provideService(Scheduler.Scheduler, this.world),
    )
    const fiber: Fiber.Fiber<A, E> = Effect.runFork(timed, { scheduler: this.world })
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
    while ((this.#plans.at(-1)?.step ?? Infinity) <= this.#steps) this.#plans.pop()?.act()
    const stalls = stallChance > 0 && chance.happens(stallChance) && this.#dueMillis - this.#nowMillis <= stallMaxMillis
    if (this.#runnable.length === 0 || stalls) {
      if (this.#runnable.length > 0) this.#stalls += 1
      this.#fireNext()
      if (this.#nowMillis - startMillis > millisMax) throw new NeverEnds(`no end after ${millisMax} ms`)
      return
    }
    const at = chance.below(this.#runnable.length)
    this.#note(at)
    const dispatcher = this.#runnable[at]
    const task = dispatcher?.tasks.shift()
    if (dispatcher?.tasks.length === 0) {
      const last = this.#runnable.pop()
      if (last !== undefined && last !== dispatcher) this.#runnable[at] = last
    }
    task?.()
  }

  /** When the next timer is due; those of a paused process wait for it. */
  get #dueMillis(): number {
    let dueMillis = Infinity
    for (const timer of this.#timers) {
      if (timer.dueMillis < dueMillis && timer.process.isRunning) dueMillis = timer.dueMillis
    }
    return dueMillis
  }

  #fireNext(): void {
    const dueMillis = this.#dueMillis
    if (dueMillis === Infinity) throw new NeverEnds("nobody can run, and nothing will wake anybody")
    const due = this.#timers.filter((timer) => timer.dueMillis === dueMillis && timer.process.isRunning)
    const timer = this.#options.chance.pick(due)
    this.#forget(timer)
    this.#nowMillis = Math.max(this.#nowMillis, dueMillis)
    this.#note(dueMillis)
    timer.fire()
  }

  #forget(timer: Timer): void {
    const at = this.#timers.indexOf(timer)
    if (at < 0) return
    const last = this.#timers.pop()
    if (last !== undefined && last !== timer) this.#timers[at] = last
  }

  #note(choice: number): void {
    this.#digest = Math.imul(this.#digest ^ choice, 0x01000193)
  }
}

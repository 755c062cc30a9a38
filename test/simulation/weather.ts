/**
 * The weather of one seed: how slow the database is, what it loses, delays and refuses, and when that ends. Each seed
 * draws its own mix (swarm testing), since rare faults together find what each alone does not.
 */
import { Effect } from "effect"
import type { Attempt, Fate, MemoryDatabase } from "../../src/inventory/memory/MemoryShardStore.ts"
import type { Chance } from "./machine/chance.ts"
import type { Story } from "./story.ts"

export interface Climate {
  readonly isCalm: boolean
  readonly latencyMaxMillis: number
  readonly neverApplied: number
  readonly answerLost: number
  readonly appliedLate: number
  readonly rejected: number
  readonly defect: number
  readonly unreachable: number
  /** A statement that somebody else's lock keeps. */
  readonly hangs: number
  /** Between nodes: a request or its answer that never arrives. */
  readonly messageLost: number
}

/** What of a climate can be turned off by itself. */
export const faultKinds = [
  "neverApplied",
  "answerLost",
  "appliedLate",
  "rejected",
  "defect",
  "unreachable",
  "hangs",
  "messageLost",
] as const satisfies ReadonlyArray<keyof Climate>

const rate = (chance: Chance): number => (chance.happens(0.5) ? 0 : chance.pick([0.02, 0.08, 0.25]))

export const drawClimate = (chance: Chance): Climate => {
  const isCalm = chance.happens(0.3)
  const some = (): number => (isCalm ? 0 : rate(chance))
  return {
    isCalm,
    latencyMaxMillis: chance.pick([0, 3, 20, 80]),
    neverApplied: some(),
    answerLost: some(),
    appliedLate: some(),
    rejected: some(),
    defect: some() / 2,
    unreachable: some(),
    hangs: some() / 4,
    messageLost: some(),
  }
}

/** How long a lock of somebody else's may keep a statement. */
const hangMaxMillis = 4_000

/** Errors of the database's own, of which no command is guilty. */
const sqlStates = ["40001", "40P01", "57014", "53200"] as const

export class Weather {
  isOver = false
  /** What happened, by kind. */
  readonly faults = new Map<string, number>()
  readonly #chance: Chance
  readonly #climate: Climate

  readonly #story: Story

  constructor(chance: Chance, climate: Climate, story: Story) {
    this.#chance = chance
    this.#climate = climate
    this.#story = story
  }

  rule(database: MemoryDatabase): void {
    database.weather = {
      attempt: (attempt: Attempt) =>
        this.#wait.pipe(
          Effect.andThen(this.#hang),
          Effect.andThen(this.#fate),
          Effect.tap((fate) => Effect.sync(() => this.#story.attempted(attempt, fate))),
        ),
      answer: (attempt: Attempt) => Effect.andThen(this.#wait, this.#defect(`after a ${attempt.kind}`)),
      read: Effect.andThen(
        this.#wait,
        Effect.sync(() => !this.#happens("unreachable", this.#climate.unreachable)),
      ),
    }
  }

  /** One way of a message from a node to another; whether it arrives. */
  readonly message: Effect.Effect<boolean> = Effect.suspend(() =>
    Effect.andThen(
      this.#wait,
      Effect.sync(() => !this.#happens("messageLost", this.#climate.messageLost)),
    ),
  )

  readonly #wait = Effect.suspend(() => {
    const millis = this.#chance.between(0, this.#climate.latencyMaxMillis)
    return millis === 0 ? Effect.void : Effect.sleep(millis)
  })

  readonly #hang = Effect.suspend(() =>
    this.#happens("hangs", this.#climate.hangs) ? Effect.sleep(this.#chance.between(500, hangMaxMillis)) : Effect.void,
  )

  readonly #fate = Effect.suspend((): Effect.Effect<Fate> => {
    const { answerLost, appliedLate, neverApplied, rejected } = this.#climate
    if (this.#happens("neverApplied", neverApplied)) return Effect.succeed({ _tag: "NeverApplied" })
    if (this.#happens("answerLost", answerLost)) return Effect.succeed({ _tag: "AnswerLost" })
    if (this.#happens("appliedLate", appliedLate)) return Effect.succeed({ _tag: "AppliedLate" })
    if (this.#happens("rejected", rejected)) {
      return Effect.succeed({ _tag: "Rejected", sqlState: this.#chance.pick(sqlStates) })
    }
    return Effect.as(this.#defect("before an attempt"), { _tag: "Answered" } as const)
  })

  #defect(when: string): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.#happens("defect", this.#climate.defect) ? Effect.die(new Error(`a defect ${when}`)) : Effect.void,
    )
  }

  #happens(fault: string, probability: number): boolean {
    if (this.isOver || probability === 0 || !this.#chance.happens(probability)) return false
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1)
    return true
  }
}

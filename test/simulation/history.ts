/**
 * What was asked and what was answered, in the order in which it happened: one record for each command a shard was
 * given and one for each attempt of a client. It judges nothing; the auditor reads it beside the rows.
 *
 * Must stay true: the numbers of `submissions` are the order of the mailboxes, since a command is noted and offered
 * without anybody coming between.
 */
import { Cause, Clock, Effect, Exit, Scheduler } from "effect"
import type { CancelOutcome, Command, OutcomeOf } from "../../src/domain/commands.ts"
import type { CallerId, OrderId, Shard } from "../../src/domain/ids.ts"
import type { Inventory } from "../../src/inventory/Inventory.ts"
import type { CommandError, Reply } from "../../src/inventory/shard/mailboxEntry.ts"
import type { CoordinatedOutcome, OrderRequest } from "../../src/inventory/OrderCoordinator.ts"

export interface Submission {
  readonly number: number
  readonly node: string
  readonly shard: Shard
  readonly command: Command
  readonly deadlineMillis: number
  readonly startedAtMillis: number
  /** "HungUp" where its caller gave it up, null where nobody has answered yet. */
  answer: Reply | { readonly _tag: "HungUp" } | null
  answeredAtMillis: number
}

/** One client's try to place an order. */
export interface Attempt {
  readonly request: OrderRequest
  readonly startedAtMillis: number
  /** The order that was there under its key when it began, by its id and fingerprint. */
  readonly knownBefore: { readonly orderId: string; readonly fingerprint: string } | null
  answer: CoordinatedOutcome | CommandError | { readonly _tag: "HungUp" } | null
}

/** One client's try to cancel an order, its own or another's. */
export interface Cancellation {
  readonly caller: CallerId
  readonly orderId: OrderId
  /** Whose it was when it began; null where it was not there. */
  readonly ownerBefore: CallerId | null
  answer: CancelOutcome | CommandError | { readonly _tag: "HungUp" } | { readonly _tag: "NotFound" } | null
}

export class History {
  readonly submissions: Array<Submission> = []
  readonly byCommand = new Map<Command, Submission>()
  /** Endings by their lines and edits by their change, since what is written carries only these of the command. */
  readonly byContent = new Map<object, Submission>()
  readonly attempts: Array<Attempt> = []
  readonly cancellations: Array<Cancellation> = []
  readonly #onAnswer: (submission: Submission) => void

  constructor(onAnswer: (submission: Submission) => void) {
    this.#onAnswer = onAnswer
  }

  /** The same inventory, with everything it is asked and answers written down. */
  recorded(node: string, inventory: Inventory["Service"]): Inventory["Service"] {
    return {
      ...inventory,
      submit: <C extends Command>(shard: Shard, command: C, deadlineMillis: number) => {
        const note = Effect.clockWith((clock) =>
          Effect.sync((): Submission => {
            const number = this.submissions.length
            const startedAtMillis = clock.currentTimeMillisUnsafe()
            const times = { deadlineMillis, startedAtMillis, answeredAtMillis: 0 }
            const submission = { number, node, shard, command, ...times, answer: null }
            this.submissions.push(submission)
            this.byCommand.set(command, submission)
            if (command._tag === "Cancel" || command._tag === "Expire") this.byContent.set(command.lines, submission)
            if (command._tag === "Amend") this.byContent.set(command.change, submission)
            return submission
          }),
        )
        return Effect.flatMap(note, (submission) =>
          inventory
            .submit(shard, command, deadlineMillis)
            .pipe(Effect.onExit((exit) => this.#conclude(submission, exit))),
        ).pipe(Effect.provideService(Scheduler.PreventSchedulerYield, true))
      },
    }
  }

  #conclude<C extends Command>(
    submission: Submission,
    exit: Exit.Exit<OutcomeOf<C>, CommandError>,
  ): Effect.Effect<void> {
    return Effect.map(Clock.currentTimeMillis, (nowMillis) => {
      submission.answer = answerOf(exit)
      submission.answeredAtMillis = nowMillis
      this.#onAnswer(submission)
    })
  }
}

/** What an effect ended with, as one value. */
export const answerOf = <A extends { readonly _tag: string }, E extends { readonly _tag: string }>(
  exit: Exit.Exit<A, E>,
): A | E | { readonly _tag: "HungUp" } => {
  if (Exit.isSuccess(exit)) return exit.value
  const failure = exit.cause.reasons.find(Cause.isFailReason)
  if (failure !== undefined) return failure.error
  if (Cause.hasInterrupts(exit.cause)) return { _tag: "HungUp" }
  throw new Error("a defect reached a caller", { cause: Cause.squash(exit.cause) })
}

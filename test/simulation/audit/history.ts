/**
 * What was asked and what was answered, in the order in which it happened: one record for each command a shard was
 * given, one for each order a coordinator was asked for, and one for each deed of a client, as the client knows it. It
 * judges nothing; the auditor reads it beside the rows.
 *
 * Must stay true: the numbers of `submissions` are the order of the mailboxes, since a command is noted and offered
 * without anybody coming between.
 */
import { Cause, Clock, Effect, Exit, Scheduler } from "effect"
import type { Command, OutcomeOf, RestockOutcome } from "../../../src/domain/commands.ts"
import type { AccountId, CallerId, OfferId, OrderId, ProductId, Shard } from "../../../src/domain/ids.ts"
import type { RequestedLine } from "../../../src/domain/order.ts"
import type { Inventory } from "../../../src/inventory/Inventory.ts"
import type { CommandError, Reply } from "../../../src/inventory/shard/mailboxEntry.ts"
import type { CoordinatedOutcome } from "../../../src/inventory/askedOrders.ts"
import type { OrderCoordinator, OrderRequest } from "../../../src/inventory/OrderCoordinator.ts"
import type { CheckedOut } from "../../../src/orders/checkout.ts"
import type { Cancelled, Refunded } from "../../../src/orders/Orders.ts"
import type { Buyer } from "../../../src/orders/placing.ts"
import type { AcceptedOffer, Joined } from "../../../src/orders/WaitingLists.ts"
import type { Movement } from "../crowd/shop.ts"
import type { ConnectionLost } from "../machine/simulatedProcess.ts"

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

/** The order that a key names: by its id and what the key was used for. */
export interface Known {
  readonly orderId: OrderId
  readonly fingerprint: string
}

interface HungUp {
  readonly _tag: "HungUp"
}

/** One order that a coordinator was asked for. */
export interface Attempt {
  readonly node: string
  readonly request: OrderRequest
  readonly startedAtMillis: number
  /** What was there under its key when it began. */
  readonly knownBefore: Known | null
  answer: CoordinatedOutcome | CommandError | HungUp | null
}

/** What a client did, with what it heard; an answer that never came is "HungUp" or "ConnectionLost". */
interface Asked<Answer> {
  readonly node: string
  readonly invokedAtMillis: number
  /** When the client heard the answer, or gave up. */
  answeredAtMillis: number
  /** Null while it waits. */
  answer: Answer | CommandError | HungUp | ConnectionLost | null
}

/** One try to buy: the lines that are named, or what is in the cart. */
export interface Purchase extends Asked<CheckedOut> {
  readonly buyer: Buyer
  readonly key: string
  /** Null for a checkout. */
  readonly lines: ReadonlyArray<RequestedLine> | null
  readonly knownBefore: Known | null
}

/** One try to cancel an order, its own or another's. */
export interface Cancellation extends Asked<Cancelled | { readonly _tag: "NotFound" }> {
  readonly caller: CallerId
  readonly orderId: OrderId
  /** Whose it was when it began. */
  readonly ownerBefore: CallerId
}

/** One try to move a product's stock. */
export interface Delivered extends Asked<RestockOutcome> {
  readonly movement: Movement
}

/** One try of a merchant to give an order back. */
export interface Refund extends Asked<Refunded | { readonly _tag: "NotFound" }> {
  readonly orderId: OrderId
}

/** One try to get a place on a waiting list. */
export interface Joining extends Asked<Joined> {
  readonly accountId: AccountId
  readonly productId: ProductId
  readonly quantity: number
}

/** One try to buy what was offered. */
export interface Acceptance extends Asked<AcceptedOffer> {
  readonly accountId: AccountId
  readonly offerId: OfferId
  readonly productId: ProductId
  readonly quantity: number
  readonly key: string
}

/** What else was asked for, by what it was, with the answer. */
export interface Deed extends Asked<{ readonly _tag: string }> {
  readonly what: string
  readonly who: string
}

const endsOrders: ReadonlySet<Command["_tag"]> = new Set(["Cancel", "Expire", "Refund"])

export class History {
  readonly submissions: Array<Submission> = []
  readonly byCommand = new Map<Command, Submission>()
  /** Endings by their lines and edits by their change, since what is written carries only these of the command. */
  readonly byContent = new Map<object, Submission>()
  readonly attempts: Array<Attempt> = []
  readonly purchases: Array<Purchase> = []
  readonly cancellations: Array<Cancellation> = []
  readonly deliveries: Array<Delivered> = []
  readonly editAnswers: Array<{ readonly _tag: string }> = []
  readonly refunds: Array<Refund> = []
  readonly joinings: Array<Joining> = []
  readonly acceptances: Array<Acceptance> = []
  readonly deeds: Array<Deed> = []
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
            if (endsOrders.has(command._tag) && "lines" in command) this.byContent.set(command.lines, submission)
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

  /** The same coordinator, with every order it is asked for and its answer written down. */
  recordedCoordinator(
    node: string,
    coordinator: OrderCoordinator["Service"],
    knownBy: (caller: CallerId, key: string) => Known | null,
    onAttempt: (attempt: Attempt) => void,
  ): OrderCoordinator["Service"] {
    return {
      placeHeld: coordinator.placeHeld,
      place: (request, deadlineMillis) => {
        let attempt: Attempt | undefined
        const begin = Effect.clockWith((clock) => {
          const startedAtMillis = clock.currentTimeMillisUnsafe()
          const knownBefore = knownBy(request.caller, request.key)
          attempt = { node, request, startedAtMillis, knownBefore, answer: null }
          this.attempts.push(attempt)
          return coordinator.place(request, deadlineMillis)
        })
        return Effect.onExit(begin, (exit) =>
          Effect.sync(() => {
            // Whoever hangs up before it begins has asked for nothing.
            if (attempt === undefined) return
            attempt.answer = answerOf(exit)
            onAttempt(attempt)
          }),
        )
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

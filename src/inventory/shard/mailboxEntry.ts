/**
 * A command on its way through a shard's mailbox, and the ways in which it can fail to be decided. Refusals are not
 * among them: a refusal is an answer.
 */
import { type Effect, Schema } from "effect"
import type { Command, Outcome } from "../../domain/commands.ts"
import type { RecordedSpan } from "../../platform/tracing/recording.ts"

/** Nothing happened and nothing will; the same command may be sent again. */
export class Busy extends Schema.TaggedError<Busy>()("Busy", {}) {}
/** It may have happened: the same key tells. */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", {}) {}
/** The database refuses this one command for a reason of its own, alone and on fresh state: a bug of ours. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", { reason: Schema.String }) {}

export type CommandError = Busy | OutcomeUnknown | CommandFailed

export interface Entry {
  readonly command: Command
  readonly deadlineMillis: number
  /** The caller's span where it is recorded, and since when it waits, by the clock of spans. */
  readonly span: RecordedSpan | null
  readonly enqueuedAt: bigint
  readonly enqueuedAtMillis: number
  /** `waiting` may still be given up; `taken` is being planned or committed. */
  phase: "waiting" | "taken" | "answered"
  /** Whether it went back to the front of the queue once because of what only a commit found. */
  isPlannedAgain: boolean
  /** Whether the database has refused it once while it stood alone. */
  isSuspect: boolean
  readonly resume: (answer: Effect.Effect<Outcome, CommandError>) => void
}

export type Reply = Outcome | CommandError

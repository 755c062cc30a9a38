/**
 * What stops a command before it can do its work. The message is one sentence for the person at the keyboard: the
 * command line prints it as it is and exits with 1, so it names what was found and what to do, and never a secret.
 */
import { Runtime, Schema } from "effect"

export class CannotStart extends Schema.TaggedError<CannotStart>()("CannotStart", {
  message: Schema.String,
}) {
  /** The sentence is enough: no log line with a stack beside it. */
  override readonly [Runtime.errorReported] = false
}

export const cannotStart = (message: string): CannotStart => new CannotStart({ message })

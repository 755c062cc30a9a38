/**
 * The end of a run that contradicted itself: what was told does not agree with the books, or a threshold broke. Its
 * report has said everything, so the command line prints nothing more and exits with 1.
 */
import { Runtime, Schema } from "effect"

export class RunFailed extends Schema.TaggedError<RunFailed>()("RunFailed", { message: Schema.String }) {
  override readonly [Runtime.errorReported] = false
}

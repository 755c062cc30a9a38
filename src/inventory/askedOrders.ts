/**
 * What came of each order that was asked for, told to the listener: the one place where every order passes, whether it
 * was asked for alone, in a batch, by a checkout or by accepting an offer.
 */
import { Clock, Effect, Exit, Option } from "effect"
import type { ReserveOutcome } from "../domain/commands.ts"
import type { Shard } from "../domain/ids.ts"
import { RecordedSpan } from "../platform/tracing/recording.ts"
import { type AskedOrder, InventoryListener, silent } from "./InventoryListener.ts"
import type { CommandError } from "./shard/mailboxEntry.ts"

export type CoordinatedOutcome =
  | (Extract<ReserveOutcome, { _tag: "Accepted" }> & { readonly homeShard: Shard })
  | Extract<ReserveOutcome, { _tag: "Repeated" | "Refused" | "CartChanged" }>

type Ended = CoordinatedOutcome | Extract<ReserveOutcome, { readonly _tag: "HoldMissing" }>

/** Tells the listener what came of an order. */
export const heard = <A extends Ended>(order: Effect.Effect<A, CommandError>): Effect.Effect<A, CommandError> =>
  Effect.withFiber((fiber) => {
    const listener = fiber.getRef(InventoryListener)
    if (listener === silent) return order
    const clock = fiber.getRef(Clock.Clock)
    const { span } = fiber.cache
    const isSeen = fiber.cache.tracerEnabled && span instanceof RecordedSpan && span.recording.isChosen
    const beganAt = clock.currentTimeNanosUnsafe()
    return Effect.onExit(order, (exit) => {
      const seconds = Number(clock.currentTimeNanosUnsafe() - beganAt) / 1e9
      listener.asked({ ...whatCameOfIt(exit), seconds, traceId: isSeen ? span.traceId : null })
      return Effect.void
    })
  })

const whatCameOfIt = (exit: Exit.Exit<Ended, CommandError>): Pick<AskedOrder, "outcome" | "reason" | "sold"> => {
  const [reason, sold] = ["none", []]
  if (Exit.isFailure(exit)) {
    const error = Exit.findErrorOption(exit)
    if (Option.isNone(error)) return { outcome: Exit.hasInterrupts(exit) ? "unknown" : "failed", reason, sold }
    const { _tag } = error.value
    return { outcome: _tag === "Busy" ? "busy" : _tag === "OutcomeUnknown" ? "unknown" : "failed", reason, sold }
  }
  const { value } = exit
  switch (value._tag) {
    case "Accepted":
      return { outcome: "accepted", reason, sold: value.lines }
    case "Repeated":
      return { outcome: "repeated", reason, sold }
    case "Refused":
      return { outcome: "refused", reason: value.refusal.code, sold }
    case "CartChanged":
      return { outcome: "refused", reason: "cart_changed", sold }
    case "HoldMissing":
      return { outcome: "refused", reason: "expired", sold }
  }
}

/**
 * What came of each order that was asked for, told to the listener: the one place where every order passes, whether it
 * was asked for alone, in a batch, by a checkout or by accepting an offer.
 */
import { Effect, Exit, Option } from "effect"
import type { ReserveOutcome } from "../domain/commands.ts"
import type { Shard } from "../domain/ids.ts"
import { measured } from "../platform/measured.ts"
import { recordedSpanOf } from "../platform/tracing/spans.ts"
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
    const span = recordedSpanOf(fiber)
    const isSure = span !== null && span.recording.isChosen
    return measured(order, (exit, seconds) =>
      listener.asked({ ...whatCameOfIt(exit), seconds, traceId: isSure ? span.traceId : null }),
    )
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

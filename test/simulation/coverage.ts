/**
 * What a run met: each answer, each refusal, each fault, each way of an order from one status to the next. A run over
 * many seeds has to meet each of them often, or that it found nothing proves little.
 */
import type { MemoryDatabase } from "../../src/inventory/memory/MemoryShardStore.ts"
import type { SeededRuntime } from "./machine/seededRuntime.ts"
import type { History } from "./audit/history.ts"
import type { Ledger } from "./audit/ledger.ts"
import { countRaces } from "./audit/races.ts"
import type { Weather } from "./weather.ts"

/** Of a hundred seeds, how many occurrences of each there have to be. */
export const perHundredSeeds = 1

/** By kind; each name is one that `countAll` counts under. */
export const mustBeMet = {
  "refusals of an order": [
    "order Refused idempotency_key_reused",
    "order Refused unknown_product",
    "order Refused currency_mix",
    "order Refused not_on_sale",
    "order Refused price_changed",
    "order Refused limit_exceeded",
    "order Refused out_of_stock",
    "order Refused out_of_stock, only for holds",
    "checkout Refused cart_empty",
    "checkout Refused cart_changed",
  ],
  "other refusals": [
    "cancellation Refused not_cancellable",
    "cancellation NotFound",
    "movement Refused idempotency_key_reused",
    "movement Refused unknown_product",
    "movement Refused stock_is_sold",
    "movement Refused stock_too_large",
    "edit Refused unknown_product",
    "edit Refused version_mismatch",
    "edit Refused currency_fixed",
  ],
  "refusals of what follows": [
    "payment Refused idempotency_key_reused",
    "payment Refused expired",
    "payment Refused already_paid",
    "payment Refused payment_in_progress",
    "payment Refused not_payable",
    "refund Refused not_refundable",
    "refund NotTheirs",
    "shipment Refused not_shippable",
    "shipment Refused already_shipped",
    "join Refused unknown_product",
    "join Refused no_waitlist",
    "join Refused limit_exceeded",
    "accept Refused offer_expired",
    "decline Gone",
  ],
  answers: [
    "order Placed",
    "order Placed again",
    "order Busy",
    "order OutcomeUnknown",
    "order CommandFailed",
    "order HungUp",
    "order ConnectionLost",
    "checkout Placed",
    "checkout Placed again",
    "cancellation Cancelled",
    "movement Moved",
    "movement Repeated",
    "edit Amended",
  ],
  "answers of what follows": [
    "payment Begun",
    "payment Processing",
    "payment Settled",
    "callback Settled",
    "refund Refunded",
    "shipment Sent",
    "delivery Arrived",
    "join Joined",
    "leave Left",
    "accept Placed",
    "accept Placed again",
    "decline Declined",
    "refresh Done",
    "Extend Repeated",
    "Pay OutcomeUnknown",
    "Refund AlreadyRefunded",
    "Offer Done",
  ],
  "between shards": [
    "Hold Held",
    "Hold Superseded",
    "Hold Refused out_of_stock",
    "Reserve HoldMissing",
    "Reserve CartChanged",
    "Release Done",
    "Return Done",
    "Expire Done",
    "Cancel AlreadyCancelled",
  ],
  transitions: [
    "none -> reserved",
    "reserved -> cancelled",
    "reserved -> expired",
    "reserved -> paid",
    "paid -> refunded",
    "paid -> partiallyShipped",
    "paid -> shipped",
    "partiallyShipped -> shipped",
    "shipped -> delivered",
  ],
  "transitions of payments": [
    "payment: none -> processing",
    "payment: none -> succeeded",
    "payment: processing -> succeeded",
    "payment: processing -> declined",
    "payment: processing -> refunding",
    "payment: succeeded -> refunding",
    "payment: succeeded -> refunded",
    "payment: refunding -> refunded",
  ],
  "places and offers": [
    "none -> waiting",
    "waiting -> waiting",
    "waiting -> left",
    "waiting -> taken off",
    "waiting -> offered",
    "offered -> accepted",
    "offered -> declined",
    "offered -> expired",
  ],
  races: [
    "pay wins over expire",
    "expire wins over pay",
    "the end wins over a payment that would begin",
    "pay wins over cancel, then refunded",
    "cancel wins over pay",
    "two callbacks at once, one settles",
    "accept wins over the end of its offer",
    "the end of an offer wins over accept",
    "two accept at once, one has it",
    "decline wins over accept",
  ],
  faults: [
    "neverApplied",
    "answerLost",
    "appliedLate",
    "rejected",
    "defect",
    "unreachable",
    "hangs",
    "messageLost",
    "voided",
    "stalled",
    "killed",
    "paused",
    "takeover",
    "drained",
  ],
} as const satisfies Readonly<Record<string, ReadonlyArray<string>>>

interface Ran {
  readonly history: History
  readonly ledger: Ledger
  readonly weather: Weather
  readonly database: MemoryDatabase
  readonly runtime: SeededRuntime
  readonly seen: ReadonlyMap<string, number>
}

type Answer = { readonly _tag: string } | null

const codeOf = (answer: Answer): string => {
  if (answer === null || !("refusal" in answer)) return ""
  const { refusal } = answer
  return typeof refusal === "object" && refusal !== null && "code" in refusal ? ` ${String(refusal.code)}` : ""
}

export const countAll = ({ database, history, ledger, runtime, seen, weather }: Ran): ReadonlyMap<string, number> => {
  const { tables } = database
  const counts = new Map([...seen, ...weather.faults, ...ledger.went, ["stalled", runtime.stalls] as const])
  const count = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1)
  for (const { answer, lines } of history.purchases) {
    const what = lines === null ? "checkout" : "order"
    if (answer?._tag === "Placed" && answer.isReplayed) count(`${what} Placed again`)
    else count(`${what} ${answer?._tag}${codeOf(answer)}`)
    if (answer?._tag !== "Refused" || answer.refusal.code !== "out_of_stock") continue
    if (answer.refusal.retryable) count("order Refused out_of_stock, only for holds")
  }
  for (const { answer } of history.cancellations) count(`cancellation ${answer?._tag}${codeOf(answer)}`)
  for (const { answer } of history.deliveries) count(`movement ${answer?._tag}${codeOf(answer)}`)
  for (const answer of history.editAnswers) count(`edit ${answer._tag}${codeOf(answer)}`)
  for (const { answer, command } of history.submissions) count(`${command._tag} ${answer?._tag}${codeOf(answer)}`)
  for (const { answer } of history.refunds) count(`refund ${answer?._tag}${codeOf(answer)}`)
  for (const { answer } of history.joinings) count(`join ${answer?._tag}${codeOf(answer)}`)
  for (const { answer } of history.acceptances) {
    const isAgain = answer?._tag === "Placed" && answer.isReplayed
    count(`accept ${answer?._tag}${isAgain ? " again" : codeOf(answer)}`)
  }
  for (const { answer, what } of history.deeds) count(`${what} ${answer?._tag}${codeOf(answer)}`)
  for (const { voided } of tables.batches.all()) if (voided) count("voided")
  countRaces(history, ledger, tables, count)
  return counts
}

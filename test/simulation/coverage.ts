/**
 * What a run met: each answer, each refusal, each fault, each way of an order from one status to the next. A run over
 * many seeds has to meet each of them often, or that it found nothing proves little.
 */
import type { MemoryDatabase } from "../../src/inventory/memory/MemoryShardStore.ts"
import type { SeededRuntime } from "./machine/seededRuntime.ts"
import type { History } from "./audit/history.ts"
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
  transitions: ["none -> reserved", "reserved -> cancelled", "reserved -> expired"],
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

export const countAll = ({ database, history, runtime, seen, weather }: Ran): ReadonlyMap<string, number> => {
  const counts = new Map([...seen, ...weather.faults, ["stalled", runtime.stalls] as const])
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
  for (const { events, voided } of database.tables.batches.all()) {
    if (voided) count("voided")
    for (const { type } of events) {
      if (type === "order.reserved") count("none -> reserved")
      if (type === "order.cancelled") count("reserved -> cancelled")
      if (type === "order.expired") count("reserved -> expired")
    }
  }
  return counts
}

/**
 * Who is answered what after a commit. The plan says how each command ends if everything was written as planned; the
 * commit's result and the keys read after it say where it was not.
 */
import {
  type Cancel,
  type CancelOutcome,
  type Command,
  keyName,
  type Outcome,
  type Refund,
  type RefundOutcome,
} from "../../domain/commands.ts"
import { learnt, paymentOutcome, shipmentOutcome } from "./outcomesOfLives.ts"
import { Busy, type Entry, type Reply } from "./mailboxEntry.ts"
import type { Plan } from "./planner.ts"
import type { Applied, FactsRead } from "../store/ShardStore.ts"

/** Everybody's answer, now that the batch is in the database. */
export const resolve = (
  planned: Plan,
  result: Applied,
  read: Omit<FactsRead, "lease" | "holds" | "heldUnits">,
  covered: ReadonlyArray<Entry>,
): { answers: ReadonlyArray<{ entry: Entry; answer: Reply }>; surprisedAt: number } => {
  const orders = new Map(read.orders.map((order) => [keyName(order), order]))
  const movements = new Map(read.movements.map((movement) => [keyName(movement), movement]))
  const unplaced = new Set(result.unplaced)
  const unmoved = new Set(result.unmoved)
  const cartsChanged = new Set(result.cartsChanged)
  const unextended = new Set(result.unextended)
  const unended = new Set(result.unended)
  const unamended = new Set(result.unamended)
  const unoffered = new Set(result.unoffered)
  const lives = learnt(result, read)
  const { statuses } = lives
  const levels = new Map(result.stock.map((level) => [level.productId, level]))
  const answers: Array<{ entry: Entry; answer: Reply }> = []
  let surprisedAt = Infinity

  const cancelled = ({ orderId }: Cancel): CancelOutcome => {
    if (!unended.has(orderId)) return { _tag: "Cancelled" }
    const status = statuses.get(orderId) ?? "expired"
    if (status === "cancelled" || status === "refunded") return { _tag: "AlreadyCancelled" }
    return { _tag: "Refused", refusal: { code: "not_cancellable", status } }
  }
  const refunded = ({ orderId }: Refund): RefundOutcome => {
    if (!unended.has(orderId)) return { _tag: "Refunded" }
    const status = statuses.get(orderId) ?? "expired"
    if (status === "refunded") return { _tag: "AlreadyRefunded" }
    return { _tag: "Refused", refusal: { code: "not_refundable", status } }
  }

  /** What a command ends as that asks for the same as the one at `at`, which is answered already. */
  const asRepeat = (command: Command, at: number): Outcome => {
    const original = covered[at]?.command
    if (original === undefined || command._tag !== original._tag) return { _tag: "HoldMissing" }
    if (command._tag === "Reserve" && original._tag === "Reserve") {
      const known = unplaced.has(original.orderId) ? orders.get(keyName(original)) : original
      if (known === undefined) return { _tag: cartsChanged.has(original.orderId) ? "CartChanged" : "HoldMissing" }
      return known.fingerprint === command.fingerprint ? { _tag: "Repeated", orderId: known.orderId } : reused
    }
    if (command._tag === "Cancel") {
      const first = cancelled(command)
      return first._tag === "Cancelled" ? { _tag: "AlreadyCancelled" } : first
    }
    if (command._tag !== "Restock" || original._tag !== "Restock") return { _tag: "HoldMissing" }
    const known = movements.get(keyName(original)) ?? original
    return known.fingerprint === command.fingerprint ? { _tag: "Repeated", movementId: known.movementId } : reused
  }
  const outcomeOf = (decision: Plan["decisions"][number], command: Command, at: number): Reply => {
    switch (decision._tag) {
      case "Answered":
        return decision.outcome
      case "Same":
        return asRepeat(command, decision.as)
      case "Done":
        return { _tag: "Done" }
      case "Hold": {
        const isSuperseded = decision.extension !== null && unextended.has(decision.extension)
        const { currency, lines, reservationTtlSeconds } = decision
        if (!isSuperseded) return { _tag: "Held", currency, lines, reservationTtlSeconds }
        surprisedAt = Math.min(surprisedAt, at)
        return { _tag: "Superseded" }
      }
      case "Order": {
        const order = planned.write.orders[decision.order]
        if (order === undefined || unplaced.has(order.command.orderId)) {
          surprisedAt = Math.min(surprisedAt, at)
          return asRepeat(command, at)
        }
        const { orderId } = order.command
        const createdAtMillis = result.atMillis
        const total = { amount: order.total, currency: order.currency }
        const expiresAtMillis = createdAtMillis + order.ttlMillis
        return { _tag: "Accepted", orderId, createdAtMillis, expiresAtMillis, lines: decision.lines, total }
      }
      case "Movement": {
        const movement = planned.write.movements[decision.movement]
        const level = movement === undefined ? undefined : levels.get(movement.productId)
        if (movement === undefined || level === undefined || unmoved.has(movement.movementId)) {
          surprisedAt = Math.min(surprisedAt, at)
          return asRepeat(command, at)
        }
        const { available, stocked } = level
        return { _tag: "Moved", movementId: movement.movementId, createdAtMillis: result.atMillis, stocked, available }
      }
      case "Ending":
        if (command._tag === "Refund") return refunded(command)
        return command._tag === "Cancel" ? cancelled(command) : { _tag: "Done" }
      case "Payment":
      case "Settlement":
        return paymentOutcome(lives, command, result.atMillis)
      case "Shipment":
      case "Delivery":
        return shipmentOutcome(lives, command, result.atMillis)
      case "Join":
        return { _tag: "Joined" }
      case "Offers":
        if (decision.offers.some((offer) => unoffered.has(offer))) surprisedAt = Math.min(surprisedAt, at)
        return { _tag: "Done" }
      case "Amendment": {
        const amendment = planned.write.amendments[decision.amendment]
        if (amendment !== undefined && !unamended.has(amendment)) {
          return { _tag: "Amended", version: amendment.version + 1 }
        }
        // Somebody else changed the row; what was remembered of it is forgotten, so the next try knows it.
        surprisedAt = Math.min(surprisedAt, at)
        return new Busy()
      }
    }
  }
  for (const [at, decision] of planned.decisions.entries()) {
    const entry = covered[at]
    if (entry !== undefined) answers.push({ entry, answer: outcomeOf(decision, entry.command, at) })
  }
  return { answers, surprisedAt }
}

const reused: Outcome = { _tag: "Refused", refusal: { code: "idempotency_key_reused" } }

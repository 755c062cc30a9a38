/**
 * What the clients of a run saw, in the words of the linearizability checker: calls and answers with their times, and
 * nothing of what went on inside. A checkout's lines are those its coordinator was asked for, since only a placed one
 * tells its client.
 */
import type {
  AttemptAnswer,
  Cancellation as CancellationSeen,
  OrderAttempt,
  OrderHistory,
  StockMovement,
  StockReading,
  Wait,
} from "../../linearizability/orderHistory.ts"
import type { Acceptance, Cancellation, Delivered, History, Joining, Purchase, Refund } from "./history.ts"

type Heard = Purchase["answer"] | Acceptance["answer"]

interface Deed {
  readonly answer: { readonly _tag: string } | null
  readonly answeredAtMillis: number
}

const answeredAtOf = ({ answer, answeredAtMillis }: Deed): number | null =>
  answer === null || answer._tag === "HungUp" || answer._tag === "ConnectionLost" ? null : answeredAtMillis

const answerOf = (answer: Heard): AttemptAnswer => {
  switch (answer?._tag) {
    case "Placed": {
      const { expiresAtMillis, id } = answer.order
      return { kind: "placed", orderId: id, expiresAt: expiresAtMillis, isReplayed: answer.isReplayed }
    }
    case "Refused": {
      const { refusal } = answer
      if (refusal.code !== "out_of_stock") return { kind: "refused", code: refusal.code }
      return { kind: "refused", code: refusal.code, lines: refusal.lines, retryable: refusal.retryable }
    }
    case "Busy":
    case "CommandFailed":
      return { kind: "notPlaced" }
    default:
      return { kind: "unknown" }
  }
}

const attemptsOf = (purchase: Purchase, attempts: History["attempts"]): ReadonlyArray<OrderAttempt> => {
  const { answer, buyer, invokedAtMillis: invokedAt, key, lines } = purchase
  const seen = { caller: buyer.caller, key, invokedAt, answeredAt: answeredAtOf(purchase), answer: answerOf(answer) }
  if (lines !== null) return [{ ...seen, lines }]
  // One checkout asks its coordinator once at most; what it was told goes for the lines that it asked for. Where its
  // client heard nothing, it may have begun, in a process that stood still, long after the client had gone.
  const latestMillis = answeredAtOf(purchase) ?? Infinity
  const asked = attempts.flatMap(({ request, startedAtMillis }) =>
    request.caller === buyer.caller &&
    request.key === key &&
    request.cartVersion !== null &&
    startedAtMillis >= invokedAt &&
    startedAtMillis <= latestMillis
      ? [request.lines]
      : [],
  )
  if (answer?._tag !== "Placed") return asked.map((each) => ({ ...seen, lines: each }))
  // The order may be another attempt's, of other lines, while this one held its own.
  const heldOnly = asked.map((each) => ({ ...seen, lines: each, answer: { kind: "notPlaced" } as const }))
  return [{ ...seen, lines: answer.order.lines }, ...(answer.isReplayed ? heldOnly : [])]
}

const cancellationOf = (cancellation: Cancellation): CancellationSeen => {
  const { answer, invokedAtMillis: invokedAt, orderId } = cancellation
  const seen = { orderId, invokedAt, answeredAt: answeredAtOf(cancellation) }
  switch (answer?._tag) {
    case "Cancelled":
      return { ...seen, answer: "cancelled" }
    case "Refused":
      return { ...seen, answer: "refused" }
    case "NotFound":
      return { ...seen, answer: "notFound" }
    default:
      return { ...seen, answer: "unknown" }
  }
}

/** An order that was refunded gives back what one that was cancelled does. */
const refundOf = (refund: Refund): CancellationSeen => {
  const { answer, invokedAtMillis: invokedAt, orderId } = refund
  const seen = { orderId, invokedAt, answeredAt: answeredAtOf(refund) }
  switch (answer?._tag) {
    case "Refunded":
      return { ...seen, answer: "cancelled" }
    case "Refused":
    case "NotTheirs":
      return { ...seen, answer: "refused" }
    case "NotFound":
      return { ...seen, answer: "notFound" }
    default:
      return { ...seen, answer: "unknown" }
  }
}

const acceptanceOf = (acceptance: Acceptance): OrderAttempt => {
  const { accountId: caller, answer, invokedAtMillis: invokedAt, key, productId, quantity } = acceptance
  const lines = [{ productId, quantity }]
  const heard = { answeredAt: answeredAtOf(acceptance), answer: answerOf(answer) }
  return { caller, key, lines, invokedAt, ...heard, isOffered: true }
}

/** Who was told no, or that nothing happened, does not wait. */
const waitOf = ({ accountId: caller, answer, invokedAtMillis: invokedAt, productId, quantity }: Joining) => {
  const isNo = answer?._tag === "Refused" || answer?._tag === "Busy" || answer?._tag === "CommandFailed"
  const wait: Wait = { caller, productId, quantity, invokedAt }
  return isNo ? [] : [wait]
}

const movementOf = (delivered: Delivered): StockMovement => {
  const { answer, invokedAtMillis: invokedAt, movement } = delivered
  const { delta, key, productId } = movement
  const seen = { productId, key: `${movement.caller}/${key}`, delta, invokedAt, answeredAt: answeredAtOf(delivered) }
  switch (answer?._tag) {
    case "Moved":
      return { ...seen, answer: { kind: "moved", available: answer.available } }
    case "Repeated":
      return { ...seen, answer: { kind: "replayed" } }
    case "Refused":
    case "Busy":
    case "CommandFailed":
      return { ...seen, answer: { kind: "refused" } }
    default:
      return { ...seen, answer: { kind: "unknown" } }
  }
}

export const clientHistoryOf = (
  { acceptances, attempts, cancellations, deliveries, joinings, purchases, refunds }: History,
  shards: ReadonlyMap<string, number>,
  readings: ReadonlyArray<StockReading>,
): OrderHistory => ({
  attempts: [...purchases.flatMap((purchase) => attemptsOf(purchase, attempts)), ...acceptances.map(acceptanceOf)],
  cancellations: [...cancellations.map(cancellationOf), ...refunds.map(refundOf)],
  movements: deliveries.map(movementOf),
  readings,
  waits: joinings.flatMap(waitOf),
  shards,
})

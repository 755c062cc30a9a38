/**
 * What the clients of a fault saw, in the words of the linearizability checker. Must stay true: it knows nothing but the
 * clients' side, so that no mistake of the service's own books can hide from it.
 */
import type { AttemptAnswer, OrderHistory, StockReading } from "../linearizability/orderHistory.ts"
import type { Attempt } from "./crowd.ts"

/** All orders of a crowd are one customer's. */
const caller = "the customer"

const answerOf = ({ answer, lines }: Attempt): AttemptAnswer => {
  switch (answer._tag) {
    case "placed":
      // No reservation of a run is as old as its time to pay.
      return { kind: "placed", orderId: answer.orderId, expiresAt: null, isReplayed: answer.isReplayed }
    case "out_of_stock": {
      const short = lines.flatMap(({ productId, quantity: requested }) => {
        const available = answer.available.get(productId)
        return available === undefined ? [] : [{ productId, requested, available }]
      })
      return { kind: "refused", code: "out_of_stock", lines: short, retryable: answer.isRetryable }
    }
    case "busy":
      return { kind: "notPlaced" }
    default:
      return { kind: "unknown" }
  }
}

export const clientHistoryOf = (
  attempts: ReadonlyArray<Attempt>,
  readings: ReadonlyArray<StockReading>,
): OrderHistory => ({
  attempts: attempts.map((attempt) => ({
    caller,
    key: attempt.key,
    lines: attempt.lines,
    invokedAt: attempt.invokedAtMillis,
    answeredAt: attempt.answeredAtMillis,
    answer: answerOf(attempt),
  })),
  cancellations: [],
  movements: [],
  readings,
})

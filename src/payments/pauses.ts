/**
 * How long each payment is left alone after looks that did not end it: twice as long after each, up to a bound. Kept in
 * memory alone and for so many payments at most; one that is forgotten is only looked at sooner.
 */
import type { PaymentId } from "../domain/ids.ts"
import { reconcilePauseMaxMillis, reconcilePauseMillis, reconcilePausesMax } from "./paymentBounds.ts"

interface Pause {
  readonly lengthMillis: number
  readonly endMillis: number
}

export const makePauses = () => {
  const pauses = new Map<PaymentId, Pause>()

  return {
    isOver: (paymentId: PaymentId, nowMillis: number): boolean => (pauses.get(paymentId)?.endMillis ?? 0) <= nowMillis,
    /** Leaves it alone from now on; whether it is the first time. */
    add: (paymentId: PaymentId, nowMillis: number): boolean => {
      const last = pauses.get(paymentId)
      const lengthMillis =
        last === undefined ? reconcilePauseMillis : Math.min(last.lengthMillis * 2, reconcilePauseMaxMillis)
      // What was added longest ago stands first, and is the first to be forgotten.
      pauses.delete(paymentId)
      pauses.set(paymentId, { lengthMillis, endMillis: nowMillis + lengthMillis })
      const [oldest] = pauses.keys()
      if (pauses.size > reconcilePausesMax && oldest !== undefined) pauses.delete(oldest)
      return last === undefined
    },
    end: (paymentId: PaymentId): void => void pauses.delete(paymentId),
  }
}

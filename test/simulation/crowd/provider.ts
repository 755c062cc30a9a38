/**
 * A payment provider as a run has it: it charges once for each payment, however often it is asked, answers late or not at
 * all, and remembers everything. It stands outside the service, so that what it took can be held against the rows.
 */
import { Effect } from "effect"
import type { ChargeResult } from "../../../src/domain/commands.ts"
import type { PaymentId } from "../../../src/domain/ids.ts"

interface Charge {
  readonly amount: number
  readonly isTaken: boolean
  isRefunded: boolean
}

/** What becomes of one charge. */
export interface ChargeFate {
  readonly isDeclined: boolean
  /** How long until it is decided, and whether the answer then gets lost on its way. */
  readonly millis: number
  readonly losesAnswer: boolean
}

export class Provider {
  readonly charges = new Map<PaymentId, Charge>()

  /** What became of a charge, null where it has not come to be. */
  resultOf(paymentId: PaymentId): ChargeResult | null {
    const charge = this.charges.get(paymentId)
    if (charge === undefined) return null
    return charge.isTaken ? { _tag: "Succeeded" } : { _tag: "Declined", declineCode: "declined" }
  }

  /** Charges, once for each payment; null where the answer is lost. */
  charge(paymentId: PaymentId, amount: number, fate: ChargeFate): Effect.Effect<ChargeResult | null> {
    return Effect.map(Effect.sleep(fate.millis), () => {
      if (!this.charges.has(paymentId)) {
        this.charges.set(paymentId, { amount, isTaken: !fate.isDeclined, isRefunded: false })
      }
      return fate.losesAnswer ? null : this.resultOf(paymentId)
    })
  }

  /** Keeps a charge from ever happening, or says what has become of it. */
  cancel(paymentId: PaymentId): ChargeResult {
    if (!this.charges.has(paymentId)) this.charges.set(paymentId, { amount: 0, isTaken: false, isRefunded: false })
    return this.resultOf(paymentId) ?? { _tag: "Declined", declineCode: "cancelled" }
  }

  refund(paymentId: PaymentId): void {
    const charge = this.charges.get(paymentId)
    if (charge?.isTaken !== true) throw new Error("a refund of what was never taken")
    charge.isRefunded = true
  }

  /** Whether it has somebody's money for this payment. */
  hasMoney(paymentId: PaymentId): boolean {
    const charge = this.charges.get(paymentId)
    return charge?.isTaken === true && !charge.isRefunded
  }
}

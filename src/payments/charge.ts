/**
 * A charge as the provider tells of it, in answers and in callbacks: the one language of the gateway, the simulator and
 * the callback's door. And what it means for the payment that it was made for.
 */
import { Schema } from "effect"
import type { ChargeResult } from "../domain/commands.ts"
import { PaymentId } from "../domain/ids.ts"
import { Currency, type Money } from "../domain/money.ts"

export const ChargeStatus = Schema.Literals(["processing", "succeeded", "declined", "cancelled", "refunded"])
export type ChargeStatus = typeof ChargeStatus.Type

/** PostgreSQL keeps so much of a reason. */
const declineCodeLengthMax = 100

export const Charge = Schema.Struct({
  paymentId: PaymentId,
  amount: Schema.Int,
  currency: Currency,
  status: ChargeStatus,
  declineCode: Schema.optionalKey(
    Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(declineCodeLengthMax)),
  ).annotateKey({ description: "With status declined: why." }),
}).annotate({ identifier: "Charge" })
export type Charge = typeof Charge.Type

/** What the provider tells by itself. Any of it may come late, twice, in another order than it happened, or never. */
export const ChargeEvent = Schema.Struct({
  type: Schema.Literals(["charge.processing", "charge.succeeded", "charge.declined", "charge.refunded"]),
  data: Charge,
}).annotate({ identifier: "ChargeEvent" })
export type ChargeEvent = typeof ChargeEvent.Type

/** A payment as the provider knows it: its id is also the key that makes a charge the same one. */
export interface Chargeable {
  readonly paymentId: PaymentId
  readonly amount: Money
}

export const isOf = ({ amount, paymentId }: Chargeable, charge: Charge): boolean =>
  charge.paymentId === paymentId && charge.amount === amount.amount && charge.currency === amount.currency

/** Why a payment was declined that the provider was told to forget, since its order is gone. */
const cancelledCode = "cancelled"
/** The same where the money went back at the provider before anybody here knew that it had come. */
const refundedCode = "refunded"

/** What a payment in `processing` becomes by this charge; null while nobody knows. */
export const resultOf = ({ declineCode, status }: Charge): ChargeResult | null => {
  switch (status) {
    case "processing":
      return null
    case "succeeded":
      return { _tag: "Succeeded" }
    case "declined":
      return { _tag: "Declined", declineCode: declineCode ?? "declined" }
    case "cancelled":
      return { _tag: "Declined", declineCode: cancelledCode }
    case "refunded":
      return { _tag: "Declined", declineCode: refundedCode }
  }
}

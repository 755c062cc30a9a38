/**
 * Writing down what became of a charge, and giving money back. Whoever learns of a charge comes here: the request that
 * made it, the provider's callback, the reconciler. Must stay true: a repeat changes nothing, and only the order's home
 * shard decides what a charge that succeeded means: that its order is paid, or that the money goes back.
 */
import { Clock, Context, Effect, Layer, Schedule } from "effect"
import type { ChargeResult, Pay } from "../domain/commands.ts"
import type { PaymentStatus } from "../domain/order.ts"
import { Inventory } from "../inventory/Inventory.ts"
import type { CommandError } from "../inventory/shard/mailboxEntry.ts"
import { type Charge, resultOf } from "./charge.ts"
import { type GatewayError, PaymentGateway } from "./PaymentGateway.ts"
import type { SagaPayment } from "./paymentReads.ts"

export interface Settled {
  readonly status: PaymentStatus
  readonly declineCode: string | null
}

/** A shard that is busy has time again within moments; after that the reconciler comes by. */
const recordPauseMillis = 100
const recordAttemptsMore = 4

export class Settling extends Context.Service<
  Settling,
  {
    /** What a payment in `processing` is once this is written down; as it is where nobody knows yet. */
    readonly record: (payment: SagaPayment, charge: Charge) => Effect.Effect<Settled, CommandError>
    /** Gives the money of a payment in `refunding` back, and writes it down; whether it is back. */
    readonly giveBack: (payment: SagaPayment) => Effect.Effect<boolean, CommandError | GatewayError>
  }
>()("hedonify/payments/Settling") {
  static readonly layer = (settings: { readonly orderDeadlineMillis: number }) => Layer.effect(Settling, make(settings))
}

const make = Effect.fnUntraced(function* (settings: { readonly orderDeadlineMillis: number }) {
  const inventory = yield* Inventory
  const gateway = yield* PaymentGateway

  const submit = Effect.fnUntraced(
    function* ({ homeShard, orderId, paymentId }: SagaPayment, result: ChargeResult) {
      const command: Pay = { _tag: "Pay", paymentId, orderId, result }
      const deadlineMillis = (yield* Clock.currentTimeMillis) + settings.orderDeadlineMillis
      const { status } = yield* inventory.submit(homeShard, command, deadlineMillis)
      return status ?? (yield* Effect.die(`the payment ${paymentId} is not in the books`))
    },
    Effect.retry({
      while: (error: CommandError) => error._tag !== "CommandFailed",
      schedule: Schedule.exponential(recordPauseMillis).pipe(Schedule.jittered),
      times: recordAttemptsMore,
    }),
  )

  const record = Effect.fn("Settling.record")(function* (
    payment: SagaPayment,
    charge: Charge,
  ): Effect.fn.Return<Settled, CommandError> {
    const result = resultOf(charge)
    if (result === null) return { status: payment.status, declineCode: null }
    const status = yield* submit(payment, result)
    return { status, declineCode: status === "declined" && result._tag === "Declined" ? result.declineCode : null }
  })

  const giveBack = Effect.fn("Settling.giveBack")(function* (payment: SagaPayment) {
    const charge = yield* gateway.refund(payment)
    // Whatever else it became than money in hand or on its way: there is none to give back.
    if (charge.status === "succeeded" || charge.status === "processing") return false
    return (yield* submit(payment, { _tag: "Refunded" })) === "refunded"
  })

  return Settling.of({ record, giveBack })
})

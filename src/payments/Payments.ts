/**
 * Paying an order: begin, charge, write down. Each step leaves the row of the payment as what the next one starts from,
 * so that whatever is cut off, by a crash, a time-out or a caller that left, is found there and finished by the
 * reconciler. Must stay true: nothing is charged before the row is there; what the provider said is written down by the
 * order's home shard alone, under its clock; whoever asks again with the same key gets the same payment.
 *
 * Looked at and left: Effect's workflow engine. Its durable form keeps each run and each activity as a message and a
 * reply in tables of its own (`SqlMessageStorage`): for begin, charge and write down four messages and four replies in
 * eight transactions of single statements, besides our two commits, which share theirs with a batch. It needs the
 * cluster's sharding beside our shards. And it would be a second truth: a reply can be lost after our commit, so every
 * activity would have to be idempotent all the same, and once it is, one row with a status and the index
 * `payments_open` hold all that the saga has to remember. Its durable timers and its compensation are what a saga of
 * many steps would gain; this one has one of each, the reconciler's look and the refund.
 */
import { Clock, Context, Effect, Fiber, Layer, Option, type Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { paymentExtensionMillis } from "../domain/bounds.ts"
import type { Extend, PaymentMethod } from "../domain/commands.ts"
import { type CallerId, type OrderId, PaymentId } from "../domain/ids.ts"
import type { Order, Payment } from "../domain/order.ts"
import type { PaymentRefusal } from "../domain/refusals.ts"
import { paymentFingerprint } from "../inventory/fingerprint.ts"
import { Inventory } from "../inventory/Inventory.ts"
import { Busy, type CommandError, OutcomeUnknown } from "../inventory/shard/mailboxEntry.ts"
import { OrderReads } from "../orders/OrderReads.ts"
import { spanned } from "../platform/tracing/spans.ts"
import { type ChargeEvent, isOf } from "./charge.ts"
import { chargesAtOnceMax, paymentsOfOrderMax } from "./paymentBounds.ts"
import { PaymentGateway } from "./PaymentGateway.ts"
import { namesOf, PaymentReads, type SagaPayment } from "./paymentReads.ts"
import { PaymentSecret } from "./PaymentSecret.ts"
import { Settling, type Settled } from "./Settling.ts"
import { isSigned } from "./signing.ts"

/** What a payment taken elsewhere is called among the methods. */
export const externalMethod = "external"

export interface PayOrder {
  readonly idempotencyKey: string
  readonly orderId: OrderId
  readonly payment: PaymentMethod
}

export type PayRefusal =
  | PaymentRefusal
  /** The order was tried to be paid too often. */
  | { readonly code: "too_many_payments" }

export type Paid =
  /** `isReplayed`: the key was known, and this is its payment as it is now. `processing`: not known yet. */
  | { readonly _tag: "Paid"; readonly payment: Payment; readonly isReplayed: boolean }
  | { readonly _tag: "Refused"; readonly refusal: PayRefusal }

export class Payments extends Context.Service<
  Payments,
  {
    /**
     * Pays the caller's own order, or says why not; null where it has none of this id. Answers within the order
     * deadline; what the provider says later is written down all the same. Fails as `Orders.place` does.
     */
    readonly pay: (caller: CallerId, wanted: PayOrder) => Effect.Effect<Paid | null, CommandError>
    /** Whether the payment provider signed this, and lately. */
    readonly isFromProvider: (headers: Readonly<Record<string, string | undefined>>, body: string) => boolean
    /** Writes down what the provider tells by itself; what is old, told before or of nobody's payment changes nothing. */
    readonly settle: (event: ChargeEvent) => Effect.Effect<void, CommandError>
  }
>()("hedonify/payments/Payments") {
  static readonly layer = (settings: { readonly orderDeadlineMillis: number }) => Layer.effect(Payments, make(settings))
}

const methodOf = (payment: PaymentMethod): string => (payment._tag === "External" ? externalMethod : payment.method)
const referenceOf = (payment: PaymentMethod): string | null => (payment._tag === "External" ? payment.reference : null)

const make = Effect.fnUntraced(function* (settings: { readonly orderDeadlineMillis: number }) {
  const inventory = yield* Inventory
  const orders = yield* OrderReads
  const reads = yield* PaymentReads
  const gateway = yield* PaymentGateway
  const settling = yield* Settling
  const random = yield* SecureRandom.SecureRandom
  const secret: Redacted.Redacted = yield* PaymentSecret
  const scope = yield* Effect.scope
  let underWay = 0

  /** Charges and writes it down, on behalf of nobody: whoever waits for it may leave. */
  const charging = (payment: SagaPayment) =>
    Effect.suspend(() => {
      underWay += 1
      return gateway.charge(payment).pipe(
        Effect.flatMap((charge) => settling.record(payment, charge)),
        Effect.catch((error) =>
          Effect.as(
            Effect.logWarning("A payment is not known to have come about; it will be reconciled", error).pipe(
              Effect.annotateLogs(namesOf(payment)),
            ),
            null,
          ),
        ),
        Effect.ensuring(Effect.sync(() => (underWay -= 1))),
      )
    })

  /** The payment of a key that was known. */
  const repeated = Effect.fnUntraced(function* (orderId: OrderId, paymentId: PaymentId) {
    const order = yield* orders.byId(orderId)
    const payment = order?.payments.find(({ id }) => id === paymentId)
    // It is there, since its key is: only a database that went away can hide it.
    return payment === undefined ? yield* new Busy() : ({ _tag: "Paid", payment, isReplayed: true } as const)
  })

  /** Before anything has happened: whoever is told to come back finds the order as it was. */
  const refusedBefore = Effect.fnUntraced(function* (caller: CallerId, order: Order, wanted: PayOrder) {
    if (order.payments.length >= paymentsOfOrderMax && !(yield* reads.hasKey(caller, wanted.idempotencyKey))) {
      return { _tag: "Refused", refusal: { code: "too_many_payments" } } as const
    }
    if (wanted.payment._tag === "External") return null
    return underWay >= chargesAtOnceMax || (yield* gateway.isShut) ? yield* new Busy() : null
  })

  const pay = Effect.fnUntraced(function* (
    caller: CallerId,
    wanted: PayOrder,
  ): Effect.fn.Return<Paid | null, CommandError> {
    const deadlineMillis = (yield* Clock.currentTimeMillis) + settings.orderDeadlineMillis
    const { idempotencyKey: key, orderId, payment } = wanted
    const order = yield* orders.byId(orderId)
    if (order === null || order.caller !== caller) return null
    const refused = yield* refusedBefore(caller, order, wanted)
    if (refused !== null) return refused
    const [method, reference] = [methodOf(payment), referenceOf(payment)]
    const paymentId = PaymentId.make(yield* random.uuidV7())
    const command: Extend = {
      _tag: "Extend",
      caller,
      key,
      fingerprint: paymentFingerprint(orderId, method, reference),
      paymentId,
      orderId,
      payment,
      extensionMillis: paymentExtensionMillis,
    }
    const outcome = yield* inventory.submit(order.homeShard, command, deadlineMillis)
    if (outcome._tag === "Refused") return outcome
    // It is begun by now, whatever keeps it from being shown.
    if (outcome._tag === "Repeated") {
      return yield* Effect.mapError(repeated(orderId, outcome.paymentId), () => new OutcomeUnknown())
    }
    const begun = { id: paymentId, method, reference, amount: order.total, createdAtMillis: outcome.createdAtMillis }
    if (payment._tag === "External") {
      return { _tag: "Paid", payment: { ...begun, status: "succeeded", declineCode: null }, isReplayed: false }
    }
    const { homeShard, total: amount } = order
    const saga = { paymentId, orderId, homeShard, method, amount, status: "processing" as const, isPayable: true }
    const charge = yield* Effect.forkIn(charging(saga), scope, { startImmediately: true })
    const leftMillis = Math.max(0, deadlineMillis - (yield* Clock.currentTimeMillis))
    const known: Option.Option<Settled | null> = yield* Effect.timeoutOption(Fiber.join(charge), leftMillis)
    const { declineCode, status } = Option.getOrNull(known) ?? { status: "processing" as const, declineCode: null }
    return { _tag: "Paid", payment: { ...begun, status, declineCode }, isReplayed: false }
  }, spanned("Payments.pay"))

  const settle = Effect.fn("Payments.settle")(function* ({ data: charge }: ChargeEvent) {
    yield* Effect.annotateCurrentSpan({ paymentId: charge.paymentId, status: charge.status })
    const payment = yield* reads.byId(charge.paymentId)
    if (payment === null || payment.status !== "processing") return
    if (!isOf(payment, charge)) {
      return yield* Effect.logError("The payment provider tells of another amount; it is not believed").pipe(
        Effect.annotateLogs({ ...namesOf(payment), told: charge }),
      )
    }
    yield* settling.record(payment, charge)
  })

  return Payments.of({ pay, isFromProvider: (headers, body) => isSigned(secret, headers, body), settle })
})

/**
 * Finishes the payments that nobody else does: cut off by a crash or a time-out, waiting for a callback that does not
 * come, or whose money has to go back. Must stay true: afterwards no money is without an order and no order without its
 * money. So what is under way for a reservation in its time is asked for and, where the provider knows nothing, charged
 * again under its own key; for an order that is gone it is first ended at the provider for good, and only then does
 * anybody say what became of it.
 *
 * It works at few payments at once and leaves each alone for longer after every look that did not end it, so that a
 * provider that is away costs orders nothing.
 */
import { Cause, Clock, Effect, Layer, Schedule } from "effect"
import { Inventory } from "../inventory/Inventory.ts"
import type { CommandError } from "../inventory/shard/mailboxEntry.ts"
import * as bounds from "./paymentBounds.ts"
import { type GatewayError, PaymentGateway } from "./PaymentGateway.ts"
import { beginning, namesOf, PaymentReads, type Position, type SagaPayment } from "./paymentReads.ts"
import { makePauses } from "./pauses.ts"
import { Settling } from "./Settling.ts"

export interface ReconcilerOptions {
  readonly intervalMillis: number
  readonly quietMillis: number
}

const defaults: ReconcilerOptions = {
  intervalMillis: bounds.reconcileIntervalMillis,
  quietMillis: bounds.reconcileQuietMillis,
}

export const reconciler = (options: ReconcilerOptions = defaults) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { look } = yield* makeLook(options)
      yield* look.pipe(Effect.repeat(Schedule.spaced(options.intervalMillis)), Effect.forkScoped)
    }),
  )

/** One look along the open payments, which goes on where the last one ended; it never fails. */
export const makeLook = Effect.fnUntraced(function* ({ quietMillis }: Pick<ReconcilerOptions, "quietMillis">) {
  const inventory = yield* Inventory
  const gateway = yield* PaymentGateway
  const reads = yield* PaymentReads
  const settling = yield* Settling
  const pauses = makePauses()

  /** Whether it is finished. */
  const finish = Effect.fnUntraced(function* (
    payment: SagaPayment,
  ): Effect.fn.Return<boolean, CommandError | GatewayError> {
    if (payment.status === "refunding") return yield* settling.giveBack(payment)
    const charge = payment.isPayable
      ? ((yield* gateway.find(payment)) ?? (yield* gateway.charge(payment)))
      : yield* gateway.cancel(payment)
    const { status } = yield* settling.record(payment, charge)
    return status === "refunding" ? yield* settling.giveBack({ ...payment, status }) : status !== "processing"
  })

  const take = Effect.fn("Payments.reconcile")(function* (payment: SagaPayment) {
    yield* Effect.annotateCurrentSpan({ paymentId: payment.paymentId, status: payment.status })
    const nowMillis = yield* Clock.currentTimeMillis
    yield* finish(payment).pipe(
      Effect.map((isFinished) =>
        isFinished ? pauses.end(payment.paymentId) : pauses.add(payment.paymentId, nowMillis),
      ),
      Effect.catchCause((cause) => {
        if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
        // It was not asked, so it has not been looked at.
        if (isShut(cause)) return Effect.void
        const isFirst = pauses.add(payment.paymentId, nowMillis)
        const say = isFirst ? Effect.logWarning : Effect.logDebug
        return say("A payment could not be reconciled; a later look tries again", cause).pipe(
          Effect.annotateLogs(namesOf(payment)),
        )
      }),
    )
  })

  /** What was under way before this process was there is nobody's any more. */
  let before: string | null = null
  let position: Position = beginning

  const page = Effect.fnUntraced(function* (shards: ReadonlyArray<number>) {
    before ??= yield* reads.now
    const limit = bounds.reconcilePageSize
    const { end, payments } = yield* reads.open({ shards, quietMillis, before, after: position, limit })
    position = end ?? beginning
    const nowMillis = yield* Clock.currentTimeMillis
    const due = payments.filter(({ paymentId }) => pauses.isOver(paymentId, nowMillis))
    yield* Effect.forEach(due, take, { concurrency: bounds.reconcileAtOnceMax, discard: true })
    return end !== null
  })

  const look = Effect.gen(function* () {
    const shards = inventory.statuses().flatMap((status) => (status.lease === null ? [] : [status.shard]))
    if (shards.length === 0 || (yield* gateway.isShut)) return
    for (let pages = 0; pages < bounds.reconcilePagesMax; pages++) if (!(yield* page(shards))) return
  }).pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.interrupt
        : Effect.logWarning("The open payments could not be looked at; the next look tries again", cause),
    ),
  )
  return { look }
})

const isShut = (cause: Cause.Cause<CommandError | GatewayError>): boolean =>
  cause.reasons.some(
    (reason) => reason._tag === "Fail" && reason.error._tag === "GatewayError" && reason.error.reason === "shut",
  )

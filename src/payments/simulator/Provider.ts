/**
 * What a payment provider does, without the HTTP: it charges once a key, knows what became of each charge, ends and
 * refunds, and tells of what happened. Must stay true: what is decided is decided before anybody else is heard (each
 * decision is one synchronous step), and is on the disk before anybody is told.
 */
import { Clock, Context, Effect, Layer } from "effect"
import type { Charge, ChargeEvent, ChargeStatus } from "../charge.ts"
import { PaymentId } from "../../domain/ids.ts"
import { Callbacks } from "./Callbacks.ts"
import { Ledger, type SimulatedCharge } from "./Ledger.ts"
import * as bounds from "./simulatorBounds.ts"
import { type TestMethod, testMethods } from "./testMethods.ts"

/** The paces of a run, where the usual ones do not do. */
export interface Paces {
  readonly soonMillis: number
  readonly lateMillis: number
  readonly silenceMillis: number
}

export const usualPaces: Paces = {
  soonMillis: bounds.soonMillis,
  lateMillis: bounds.lateMillis,
  silenceMillis: bounds.silenceMillis,
}

export interface ChargeRequest {
  readonly key: string
  readonly paymentId: string
  readonly amount: number
  readonly currency: string
  readonly method: string
}

/** What a charge is for, as far as the caller says. */
export type Asked = Pick<ChargeRequest, "paymentId" | "amount" | "currency">

export type ProviderAnswer =
  | { readonly _tag: "Charge"; readonly charge: Charge }
  | { readonly _tag: "Refused"; readonly status: number; readonly code: string }
  /** Nothing comes, for as long as this. */
  | { readonly _tag: "Silence"; readonly millis: number }

export class Provider extends Context.Service<
  Provider,
  {
    readonly charge: (request: ChargeRequest) => Effect.Effect<ProviderAnswer>
    readonly find: (paymentId: string) => Effect.Effect<ProviderAnswer>
    readonly cancel: (asked: Asked) => Effect.Effect<ProviderAnswer>
    readonly refund: (paymentId: string) => Effect.Effect<ProviderAnswer>
    /** The charges that changed last. */
    readonly ledger: Effect.Effect<ReadonlyArray<SimulatedCharge>>
  }
>()("hedonify/payments/simulator/Provider") {
  static readonly layer = (paces: Paces = usualPaces) => Layer.effect(Provider, make(paces))
}

const viewOf = ({ amount, currency, declineCode, paymentId, status }: SimulatedCharge): Charge => ({
  paymentId: PaymentId.make(paymentId),
  amount,
  currency,
  status,
  ...(declineCode === null ? {} : { declineCode }),
})

const eventOf = (charge: SimulatedCharge, status: Exclude<ChargeStatus, "cancelled">): ChargeEvent => ({
  type: `charge.${status}`,
  data: { ...viewOf(charge), status },
})

const refused = (status: number, code: string): ProviderAnswer => ({ _tag: "Refused", status, code })
const unknown = refused(404, "unknown_charge")

/** As it is once it has come to its end. */
const ended = (charge: SimulatedCharge, { declineCode, ends }: TestMethod): SimulatedCharge => ({
  ...charge,
  status: ends,
  declineCode: declineCode ?? null,
  charges: charge.charges + (ends === "succeeded" ? 1 : 0),
  settlesAtMillis: null,
})

const make = Effect.fnUntraced(function* (paces: Paces) {
  const ledger = yield* Ledger
  const callbacks = yield* Callbacks
  const scope = yield* Effect.scope
  /** Requests that came to nothing yet, by payment; forgotten with the charge. */
  const requests = new Map<string, number>()

  /** What it is now, once that is on the disk. */
  const answer = (charge: SimulatedCharge): Effect.Effect<ProviderAnswer> =>
    Effect.as(ledger.kept, { _tag: "Charge", charge: viewOf(charge) })

  const tell = (charge: SimulatedCharge) => {
    const method = testMethods[charge.method ?? ""]
    if (charge.status === "cancelled" || method === undefined) return Effect.void
    const [end, beginning] = [eventOf(charge, charge.status), eventOf(charge, "processing")]
    const events = method.told === "endFirst" ? [end, beginning] : [end]
    return Effect.andThen(ledger.kept, callbacks.tell(events, method.told === "threeTimes" ? 3 : 1))
  }

  /** The end of a charge that takes its time, unless something else ended it before. */
  const settle = (paymentId: string) =>
    Effect.suspend(() => {
      const charge = ledger.charges.get(paymentId)
      const method = testMethods[charge?.method ?? ""]
      if (charge?.status !== "processing" || method === undefined) return Effect.void
      const after = ended(charge, method)
      ledger.put(after)
      return tell(after)
    })

  const settleLater = Effect.fnUntraced(function* ({ paymentId, settlesAtMillis }: SimulatedCharge) {
    if (settlesAtMillis === null) return
    const leftMillis = Math.max(0, settlesAtMillis - (yield* Clock.currentTimeMillis))
    yield* Effect.forkIn(Effect.delay(settle(paymentId), leftMillis), scope)
  })
  yield* Effect.forEach(ledger.charges.values(), settleLater, { discard: true })

  /** A charge that nobody has asked for under this key. */
  const begin = (request: ChargeRequest, method: TestMethod, nowMillis: number) => {
    const { amount, currency, key, paymentId } = request
    const afterMillis = method.when === "soon" ? paces.soonMillis : paces.lateMillis
    const charge: SimulatedCharge = {
      paymentId,
      key,
      amount,
      currency,
      method: request.method,
      status: "processing",
      declineCode: null,
      charges: ledger.charges.get(paymentId)?.charges ?? 0,
      refunds: ledger.charges.get(paymentId)?.refunds ?? 0,
      settlesAtMillis: method.when === "atOnce" ? null : nowMillis + afterMillis,
    }
    const begun = method.when === "atOnce" ? ended(charge, method) : charge
    ledger.put(begun)
    return begun
  }

  const isFirst = (paymentId: string, { firstRequests }: TestMethod) => {
    const count = (requests.get(paymentId) ?? 0) + 1
    if (firstRequests === undefined || count > firstRequests.count) return false
    requests.set(paymentId, count)
    const [oldest] = requests.keys()
    if (requests.size > bounds.simulatedChargesMax && oldest !== undefined) requests.delete(oldest)
    return true
  }

  const charge = Effect.fnUntraced(function* (request: ChargeRequest): Effect.fn.Return<ProviderAnswer> {
    const nowMillis = yield* Clock.currentTimeMillis
    const known = ledger.charges.get(request.paymentId)
    const isSame = known?.key === request.key || known?.status === "cancelled"
    if (known !== undefined && isSame) {
      const fits = known.amount === request.amount && known.currency === request.currency
      return fits ? yield* answer(known) : refused(409, "idempotency_key_reused")
    }
    const method = Object.hasOwn(testMethods, request.method) ? testMethods[request.method] : undefined
    if (method === undefined) return refused(422, "unknown_method")
    if (isFirst(request.paymentId, method)) {
      return method.firstRequests?.are === "failed"
        ? refused(500, "internal")
        : { _tag: "Silence", millis: paces.silenceMillis }
    }
    requests.delete(request.paymentId)
    const begun = begin(request, method, nowMillis)
    if (begun.status === "processing") yield* settleLater(begun)
    else yield* tell(begun)
    const told = yield* answer(begun)
    return method.losesFirstAnswer === true ? { _tag: "Silence", millis: paces.silenceMillis } : told
  })

  const cancel = (asked: Asked): Effect.Effect<ProviderAnswer> =>
    Effect.suspend(() => {
      const known = ledger.charges.get(asked.paymentId)
      if (known !== undefined && known.status !== "processing") return answer(known)
      const method = testMethods[known?.method ?? ""]
      const after: SimulatedCharge =
        known !== undefined && method?.when === "late"
          ? ended(known, method)
          : {
              ...(known ?? { ...asked, key: null, method: null, declineCode: null, charges: 0, refunds: 0 }),
              status: "cancelled",
              settlesAtMillis: null,
            }
      ledger.put(after)
      return Effect.andThen(tell(after), answer(after))
    })

  const refund = (paymentId: string): Effect.Effect<ProviderAnswer> =>
    Effect.suspend(() => {
      const known = ledger.charges.get(paymentId)
      if (known === undefined) return Effect.succeed(unknown)
      if (known.status !== "succeeded") return answer(known)
      const after: SimulatedCharge = { ...known, status: "refunded", refunds: known.charges }
      ledger.put(after)
      return Effect.andThen(tell(after), answer(after))
    })

  return Provider.of({
    charge,
    cancel,
    refund,
    find: (paymentId) =>
      Effect.suspend(() => {
        const known = ledger.charges.get(paymentId)
        return known === undefined ? Effect.succeed(unknown) : answer(known)
      }),
    ledger: Effect.suspend(() =>
      Effect.as(ledger.kept, [...ledger.charges.values()].slice(-bounds.ledgerPageMax).toReversed()),
    ),
  })
})

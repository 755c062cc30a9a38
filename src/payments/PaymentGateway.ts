/**
 * The payment provider as the service sees it. Must stay true: every call names the payment, which is the provider's
 * idempotency key, so that any of them may be sent again, by anybody, after any crash; an answer that is of another
 * payment or another amount is not believed; and nobody waits for a provider that is away.
 *
 * One call is a few attempts with a limit each, and one outcome for the breaker, which counts calls and not attempts.
 * A failure says nothing of the charge: it may have been made.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { ByteSize, Context, Duration, Effect, Exit, Layer, Schedule, Schema } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse, HttpIncomingMessage } from "effect/http"
import { CircuitBreaker } from "effect/persistence"
import { measured } from "../platform/measured.ts"
import { traceHeaders } from "../platform/tracing/spans.ts"
import { type Charge, Charge as ChargeSchema, type Chargeable, isOf } from "./charge.ts"
import * as bounds from "./paymentBounds.ts"

export class GatewayError extends Schema.TaggedError<GatewayError>()("GatewayError", {
  /**
   * `away`: no answer, or none that means anything. `shut`: it was not even asked, since it has been away. `refused`:
   * it answers that it will not. `unbelievable`: what it answers is not about this payment.
   */
  reason: Schema.Literals(["away", "shut", "refused", "unbelievable"]),
  detail: Schema.String,
}) {
  override get message() {
    return this.detail
  }
}

export interface NewCharge extends Chargeable {
  readonly method: string
}

export class PaymentGateway extends Context.Service<
  PaymentGateway,
  {
    /** Charges, or answers what became of the charge that was made for this payment before. */
    readonly charge: (wanted: NewCharge) => Effect.Effect<Charge, GatewayError>
    /** The charge as it is; null where the provider has never heard of it, which another charge may change. */
    readonly find: (payment: Chargeable) => Effect.Effect<Charge | null, GatewayError>
    /** Ends a charge for good: one that has not happened never will, one that has is told as it is. */
    readonly cancel: (payment: Chargeable) => Effect.Effect<Charge, GatewayError>
    /** Gives the money back, once, however often it is asked for. */
    readonly refund: (payment: Chargeable) => Effect.Effect<Charge, GatewayError>
    /** Whether nobody would be let through to the provider now. */
    readonly isShut: Effect.Effect<boolean>
  }
>()("hedonify/payments/PaymentGateway") {
  /** Over HTTP. */
  static readonly layer = (url: string) =>
    Layer.effect(PaymentGateway, make(url)).pipe(
      Layer.provide(NodeHttpClient.layerUndiciOptions({ connections: bounds.providerConnectionsMax })),
      Layer.provide(CircuitBreaker.layerStoreMemory()),
    )
}

/** The name the breaker counts under; there is one provider. */
const breakerKey = "payment provider"

const away = (detail: string) => new GatewayError({ reason: "away", detail })

/** A provider's word on why it will not. */
const Refusal = Schema.Struct({ code: Schema.String })
const decodeCharge = Schema.decodeUnknownEffect(Schema.fromJsonString(ChargeSchema))
const decodeRefusal = Schema.decodeUnknownEffect(Schema.fromJsonString(Refusal))

/** It cannot be charged as asked, now or ever, and was not. */
const unprocessable = 422
const unknown = 404
/** Nothing is wrong with the request; it came at the wrong time. */
const laterStatuses = new Set([408, 425, 429])

/** One call tries a provider that was away; meanwhile no other is let through. */
const isProbing = (state: CircuitBreaker.State): boolean => state._tag === "HalfOpen" && state.probing

interface Answer {
  readonly status: number
  readonly body: string
}

const answerOf = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
  return { status: response.status, body: yield* response.text } satisfies Answer
})

/** Told of each call of the provider; nobody listens unless the composition root says who. */
export interface GatewayListener {
  readonly called: (operation: "charge" | "find" | "cancel" | "refund", isAnswered: boolean, seconds: number) => void
}
export const GatewayListener = Context.Reference<GatewayListener>("hedonify/payments/GatewayListener", {
  defaultValue: () => ({ called: () => {} }),
})

const heard = <A, E>(operation: Parameters<GatewayListener["called"]>[0], call: Effect.Effect<A, E>) =>
  Effect.flatMap(GatewayListener, (listener) =>
    measured(call, (exit, seconds) => listener.called(operation, Exit.isSuccess(exit), seconds)),
  )

const make = Effect.fnUntraced(function* (url: string) {
  const client = yield* HttpClient.HttpClient
  const breaker = yield* CircuitBreaker.make({
    tripPolicy: CircuitBreaker.consecutive(bounds.callFailuresMax),
    openDuration: Schedule.exponential(bounds.awayMillis),
    maxOpenDuration: bounds.awayMaxMillis,
  })

  /** One request and its answer; what the provider could not say is a failure that another attempt may mend. */
  const attempt = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Answer, GatewayError> =>
    Effect.flatMap(traceHeaders, (headers) => client.execute(HttpClientRequest.setHeaders(request, headers))).pipe(
      Effect.provideService(HttpClient.TracerPropagationEnabled, false),
      Effect.flatMap(answerOf),
      Effect.mapError(() => away("the payment provider cannot be reached")),
      Effect.timeoutOrElse({
        duration: bounds.attemptMaxMillis,
        orElse: () => Effect.fail(away("the payment provider does not answer in time")),
      }),
      Effect.filterOrFail(
        ({ status }) => status < 500 && !laterStatuses.has(status),
        ({ status }) => away(`the payment provider answers ${status}`),
      ),
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bounds.providerAnswerMaxBytes)),
    )

  const attempts = Schedule.exponential(bounds.attemptPauseMillis).pipe(Schedule.jittered)

  const call = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Answer, GatewayError> =>
    attempt(request.pipe(HttpClientRequest.prependUrl(url))).pipe(
      Effect.retry({ schedule: attempts, times: bounds.attemptsMax - 1 }),
      Effect.timeoutOrElse({
        duration: bounds.callMaxMillis,
        orElse: () => Effect.fail(away("the payment provider does not answer in time")),
      }),
      breaker.execute({
        key: breakerKey,
        // Whoever gives up waiting says nothing of the provider.
        classify: (exit) =>
          Exit.isSuccess(exit)
            ? CircuitBreaker.success
            : Exit.hasInterrupts(exit)
              ? CircuitBreaker.ignored
              : CircuitBreaker.failure(),
      }),
      Effect.catchTag("CircuitBreakerError", () =>
        Effect.fail(new GatewayError({ reason: "shut", detail: "the payment provider has been away" })),
      ),
    )

  /** The charge in an answer, if it is the one that was asked for. */
  const believed = Effect.fnUntraced(function* (payment: Chargeable, { body, status }: Answer) {
    if (status >= 400) {
      const { code } = yield* decodeRefusal(body).pipe(Effect.orElseSucceed(() => ({ code: `status ${status}` })))
      return yield* new GatewayError({ reason: "refused", detail: `the payment provider refuses: ${code}` })
    }
    const charge = yield* decodeCharge(body).pipe(
      Effect.mapError(() => away("the payment provider's answer cannot be read")),
    )
    if (isOf(payment, charge)) return charge
    yield* Effect.logError("The payment provider answers with another payment or amount; it is not believed").pipe(
      Effect.annotateLogs({ paymentId: payment.paymentId, answered: charge }),
    )
    return yield* new GatewayError({ reason: "unbelievable", detail: "the payment provider's answer is of another" })
  })

  const path = ({ paymentId }: Chargeable) => `/v1/charges/${paymentId}`
  const bodyOf = ({ amount, paymentId }: Chargeable) => ({ paymentId, ...amount })

  const charge = Effect.fn("PaymentGateway.charge")(function* (wanted: NewCharge) {
    yield* Effect.annotateCurrentSpan({ paymentId: wanted.paymentId, method: wanted.method })
    const request = HttpClientRequest.post("/v1/charges").pipe(
      HttpClientRequest.setHeader("idempotency-key", wanted.paymentId),
      HttpClientRequest.bodyJsonUnsafe({ ...bodyOf(wanted), method: wanted.method }),
    )
    const answer = yield* call(request)
    if (answer.status !== unprocessable) return yield* believed(wanted, answer)
    const { code } = yield* decodeRefusal(answer.body).pipe(
      Effect.mapError(() => away("the payment provider's answer cannot be read")),
    )
    const declined: Charge = { ...bodyOf(wanted), status: "declined", declineCode: code }
    return declined
  })

  const find = Effect.fn("PaymentGateway.find")(function* (payment: Chargeable) {
    yield* Effect.annotateCurrentSpan({ paymentId: payment.paymentId })
    const answer = yield* call(HttpClientRequest.get(path(payment)))
    return answer.status === unknown ? null : yield* believed(payment, answer)
  })

  const ending = (verb: "cancel" | "refund") =>
    Effect.fn(`PaymentGateway.${verb}`)(function* (payment: Chargeable) {
      yield* Effect.annotateCurrentSpan({ paymentId: payment.paymentId })
      const request = HttpClientRequest.post(`${path(payment)}/${verb}`).pipe(
        HttpClientRequest.bodyJsonUnsafe(bodyOf(payment)),
      )
      return yield* believed(payment, yield* call(request))
    })

  return PaymentGateway.of({
    charge: (wanted) => heard("charge", charge(wanted)),
    find: (payment) => heard("find", find(payment)),
    cancel: (payment) => heard("cancel", ending("cancel")(payment)),
    refund: (payment) => heard("refund", ending("refund")(payment)),
    isShut: breaker.state(breakerKey).pipe(
      Effect.map((state) => (state._tag === "Open" ? Duration.toMillis(state.retryAfter) > 0 : isProbing(state))),
      Effect.orElseSucceed(() => false),
    ),
  })
})

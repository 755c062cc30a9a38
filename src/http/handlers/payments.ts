/**
 * Payments over HTTP. Must stay true: nothing of a callback is understood before its signature fits.
 */
import { Effect, Result } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { notFound } from "../../accounts/accountRefusals.ts"
import { bodySizeMaxBytes, pageSizeDefault } from "../../domain/bounds.ts"
import type { PaymentMethod } from "../../domain/commands.ts"
import type { OrderId, PaymentId } from "../../domain/ids.ts"
import { isSeenInFull, Orders } from "../../orders/Orders.ts"
import { ChargeEvent } from "../../payments/charge.ts"
import { externalMethod, Payments } from "../../payments/Payments.ts"
import { Api } from "../contract/Api.ts"
import { CurrentCaller } from "../contract/authorization.ts"
import { PayOrder } from "../contract/payments.ts"
import type { RequestRefusal } from "../problems.ts"
import { decodeUtf8, makeBodyReader, makeBytesReader, makeDecoder, parseJson } from "../requestBody.ts"
import { answering, answeringInTime } from "../respond.ts"
import { orderViewerOf, paymentView } from "./orders.ts"

const readPayment = makeBodyReader(PayOrder)
const readBytes = makeBytesReader(bodySizeMaxBytes)
const decodeEvent = makeDecoder(ChargeEvent)

const misfit = (pointer: string, message: string): Result.Result<never, RequestRefusal> =>
  Result.fail({ code: "invalid", errors: [{ pointer, message }] })

/** Only a channel says that it took a payment elsewhere, and has a name for it. */
export const paymentMethodOf = (
  { method, reference }: typeof PayOrder.Type,
  isChannel: boolean,
): Result.Result<PaymentMethod, RequestRefusal> => {
  if (method !== externalMethod) {
    return reference === undefined
      ? Result.succeed({ _tag: "Charge", method })
      : misfit("/reference", `belongs to the method ${externalMethod}`)
  }
  if (!isChannel) return misfit("/method", "is for channels; an account is charged")
  return reference === undefined
    ? misfit("/reference", `is required with the method ${externalMethod}`)
    : Result.succeed({ _tag: "External", reference })
}

interface PaymentListQuery {
  readonly limit?: number
  readonly starting_after?: PaymentId
}

export const paymentsHandlers = HttpApiBuilder.group(
  Api,
  "payments",
  Effect.fnUntraced(function* (handlers) {
    const payments = yield* Payments
    const orders = yield* Orders

    const pay = Effect.fnUntraced(function* (
      request: HttpServerRequest.HttpServerRequest,
      orderId: OrderId,
      idempotencyKey: string,
    ) {
      const { _tag, caller } = yield* CurrentCaller
      const payment = yield* Effect.fromResult(paymentMethodOf(yield* readPayment(request), _tag === "Channel"))
      const paid = yield* payments.pay(caller, { idempotencyKey, orderId, payment })
      if (paid === null) return yield* Effect.fail(notFound)
      if (paid._tag === "Refused") return yield* Effect.fail(paid.refusal)
      return HttpServerResponse.text(JSON.stringify(paymentView(paid.payment)), {
        status: 201,
        contentType: "application/json",
        headers: paid.isReplayed ? { "idempotency-replayed": "true" } : {},
      })
    })

    /** Of somebody else's order not even a merchant of its lines sees how it was paid. */
    const list = Effect.fnUntraced(function* (orderId: OrderId, query: PaymentListQuery) {
      const viewer = orderViewerOf(yield* CurrentCaller)
      const order = yield* orders.get(viewer, orderId)
      if (order === null || !isSeenInFull(viewer, order)) return yield* Effect.fail(notFound)
      const { limit = pageSizeDefault, starting_after: after } = query
      const rest = after === undefined ? order.payments : order.payments.filter(({ id }) => id > after)
      return { data: rest.slice(0, limit).map(paymentView), hasMore: rest.length > limit }
    })

    return handlers
      .handleRaw("pay", ({ headers, params, request }) =>
        answering(pay(request, params.id, headers["idempotency-key"])),
      )
      .handle("list", ({ params, query }) => answeringInTime(list(params.id, query)))
  }),
)

export const paymentCallbacksHandlers = HttpApiBuilder.group(
  Api,
  "paymentCallbacks",
  Effect.fnUntraced(function* (handlers) {
    const payments = yield* Payments

    const receive = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const body = yield* Effect.fromResult(decodeUtf8(yield* readBytes(request)))
      if (!payments.isFromProvider(request.headers, body)) {
        return yield* Effect.fail({ code: "bad_signature" } as const)
      }
      yield* payments.settle(yield* Effect.fromResult(Result.flatMap(parseJson(body), decodeEvent)))
      return HttpServerResponse.empty({ status: 204 })
    })

    return handlers.handleRaw("receive", ({ request }) => answering(receive(request)))
  }),
)

/**
 * Orders over HTTP, the hot path: decode, place, encode. Must stay true: nothing stands between the decoded body and
 * `Orders.place` but checks of the body itself; answers are written as they are shown, without a second pass through a
 * schema (a test decodes them with the contract's).
 */
import { Effect, Result } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { forbidden, notFound, tooManyRequests } from "../../accounts/accountRefusals.ts"
import { OrderRate } from "../../accounts/OrderRate.ts"
import { type Caller, maySendFor } from "../../accounts/principal.ts"
import { batchBodySizeMaxBytes, lineQuantityMax, pageSizeDefault } from "../../domain/bounds.ts"
import type { OrderId } from "../../domain/ids.ts"
import { mergeLines, type Order, type OrderStatus, type Payment, type Shipment } from "../../domain/order.ts"
import { Orders, type Viewer } from "../../orders/Orders.ts"
import { ProductMerchants } from "../../orders/ProductMerchants.ts"
import { accountBuyer, channelBuyer, type Placed } from "../../orders/placing.ts"
import { Api } from "../contract/Api.ts"
import { CurrentCaller } from "../contract/authorization.ts"
import {
  BatchedOrder,
  type BatchResult,
  OrderBatchEnvelope,
  type OrderView,
  type PaymentView,
  PlaceOrder,
  type ShipmentView,
} from "../contract/orders.ts"
import { isoTime } from "../isoTime.ts"
import { type Failure, problemOf, type RequestRefusal, sketchOf } from "../problems.ts"
import { RequestId } from "../RequestId.ts"
import { makeBodyReader, makeDecoder } from "../requestBody.ts"
import { answering, answeringInTime, refusalOfFailure } from "../respond.ts"

const readOrder = makeBodyReader(PlaceOrder)
const readBatch = makeBodyReader(OrderBatchEnvelope, batchBodySizeMaxBytes)
const decodeBatchedOrder = makeDecoder(BatchedOrder)

/** Orders of one batch share their times, so the last text is kept. */
const makeSharedTime = (): ((millis: number) => string) => {
  let lastMillis = Number.NaN
  let lastText = ""
  return (millis) => {
    if (millis !== lastMillis) {
      lastText = isoTime(millis)
      lastMillis = millis
    }
    return lastText
  }
}
const createdTime = makeSharedTime()
const expiresTime = makeSharedTime()
const paidTime = makeSharedTime()

export const orderView = (order: Order): OrderView => ({
  id: order.id,
  status: order.status,
  ...(order.customerRef === null ? {} : { customerRef: order.customerRef }),
  lines: order.lines,
  total: order.total,
  createdAt: createdTime(order.createdAtMillis),
  expiresAt: expiresTime(order.expiresAtMillis),
  ...(order.paidAtMillis === null ? {} : { paidAt: paidTime(order.paidAtMillis) }),
  payments: order.payments.map(paymentView),
  shipments: order.shipments.map(shipmentView),
})

export const paymentView = ({ createdAtMillis, declineCode, reference, ...payment }: Payment): PaymentView => ({
  ...payment,
  ...(reference === null ? {} : { reference }),
  ...(declineCode === null ? {} : { declineCode }),
  createdAt: isoTime(createdAtMillis),
})

export const shipmentView = ({ createdAtMillis, deliveredAtMillis, ...shipment }: Shipment): ShipmentView => ({
  ...shipment,
  createdAt: isoTime(createdAtMillis),
  ...(deliveredAtMillis === null ? {} : { deliveredAt: isoTime(deliveredAtMillis) }),
})

/** What a schema cannot say: merged lines stay within the bound, and only a channel speaks for others. */
const misfitOf = (caller: Caller, order: typeof PlaceOrder.Type): RequestRefusal | undefined => {
  if (caller._tag === "Channel" && order.customerRef === undefined) {
    return { code: "invalid", errors: [{ pointer: "/customerRef", message: "is required of a channel" }] }
  }
  if (caller._tag === "Account" && order.customerRef !== undefined) {
    return {
      code: "invalid",
      errors: [{ pointer: "/customerRef", message: "is for channels; an account buys for itself" }],
    }
  }
  if (order.lines.length > 1 && mergeLines(order.lines).some((line) => line.quantity > lineQuantityMax)) {
    const message = `must have at most ${lineQuantityMax} units of one product`
    return { code: "invalid", errors: [{ pointer: "/lines", message }] }
  }
  return undefined
}

export const placedResponse = ({ isReplayed, order }: Extract<Placed, { _tag: "Placed" }>) =>
  HttpServerResponse.text(JSON.stringify(orderView(order)), {
    status: 201,
    contentType: "application/json",
    headers: {
      location: `/v1/orders/${order.id}`,
      ...(isReplayed ? { "idempotency-replayed": "true" } : {}),
    },
  })

/** Members of a suspended merchant still see and send what it has sold. */
export const orderViewerOf = (current: Caller): Viewer =>
  current._tag === "Channel"
    ? { caller: current.caller, merchantIds: [], isAdmin: false }
    : { caller: current.caller, merchantIds: maySendFor(current.account), isAdmin: current.account.isAdmin }

interface OrderListQuery {
  readonly limit?: number
  readonly starting_after?: OrderId
  readonly status?: OrderStatus
  readonly customerRef?: string
  readonly idempotencyKey?: string
}

export const ordersHandlers = HttpApiBuilder.group(
  Api,
  "orders",
  Effect.fnUntraced(function* (handlers) {
    const orders = yield* Orders
    const rate = yield* OrderRate
    const productMerchants = yield* ProductMerchants

    const mayOrder = (caller: Caller) =>
      caller._tag === "Channel" && !caller.isApproved
        ? Effect.fail(forbidden("This merchant is not approved now, so nothing of it is sold."))
        : Effect.void

    /** For whom it is ordered; a channel orders what its own merchant sells. */
    const buyerOf = Effect.fnUntraced(function* (caller: Caller, order: typeof PlaceOrder.Type) {
      if (caller._tag === "Account") return accountBuyer(caller.caller)
      const productIds = yield* productMerchants.notOf(
        caller.merchantId,
        order.lines.map((line) => line.productId),
      )
      if (productIds.length > 0) return yield* Effect.fail({ code: "unknown_product" as const, productIds })
      return channelBuyer(caller.caller, order.customerRef ?? "")
    })

    const placeOne = Effect.fnUntraced(function* (
      caller: Caller,
      order: typeof PlaceOrder.Type,
      idempotencyKey: string,
    ) {
      const misfit = misfitOf(caller, order)
      if (misfit !== undefined) return yield* Effect.fail(misfit)
      const wanted = { idempotencyKey, lines: order.lines, expectedTotal: order.expectedTotal ?? null }
      const placed = yield* orders.place(yield* buyerOf(caller, order), wanted)
      return placed._tag === "Refused" ? yield* Effect.fail(placed.refusal) : placed
    })

    const place = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, key: string) {
      const caller = yield* CurrentCaller
      yield* mayOrder(caller)
      yield* rate.take(caller.caller)
      return placedResponse(yield* placeOne(caller, yield* readOrder(request), key))
    })

    const problemOfFailure = (failure: Failure, requestId: string) =>
      Effect.map(refusalOfFailure(failure), (refusal): typeof BatchResult.Type => {
        const problem = problemOf(sketchOf(refusal), requestId)
        return { status: problem.status, problem }
      })

    /** One order of a batch with the status it would have had alone; what fails it fails nobody else. */
    const placeBatched = (caller: Caller, requestId: string, decoded: ReturnType<typeof decodeBatchedOrder>) =>
      Effect.fromResult(decoded).pipe(
        Effect.flatMap((order) => placeOne(caller, order, order.idempotencyKey)),
        Effect.map((placed): typeof BatchResult.Type => ({ status: 201, order: orderView(placed.order) })),
        Effect.catch((failure: Failure) => problemOfFailure(failure, requestId)),
      )

    const placeMany = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const caller = yield* CurrentCaller
      yield* mayOrder(caller)
      const requestId = yield* RequestId
      const batch = yield* readBatch(request)
      const decoded = batch.orders.map((input) => decodeBatchedOrder(input))
      if (caller._tag === "Channel") {
        // Whose products they are is known before the first order goes, so that none waits and is overtaken.
        const lines = decoded.flatMap((order) => (Result.isSuccess(order) ? order.success.lines : []))
        yield* productMerchants.notOf(caller.merchantId, [...new Set(lines.map((line) => line.productId))])
      }
      // The first ones, as if they had come one at a time.
      const { granted, waitMillis } = yield* rate.takeUpTo(caller.caller, batch.orders.length)
      const results = yield* Effect.forEach(
        decoded,
        (order, index) =>
          index < granted
            ? placeBatched(caller, requestId, order)
            : problemOfFailure(tooManyRequests(waitMillis), requestId),
        { concurrency: "unbounded" },
      )
      return HttpServerResponse.text(JSON.stringify({ results }), { contentType: "application/json" })
    })

    const viewer = Effect.map(CurrentCaller, orderViewerOf)

    const list = Effect.fnUntraced(function* (query: OrderListQuery) {
      const page = yield* orders.list(yield* viewer, {
        status: query.status ?? null,
        customerRef: query.customerRef ?? null,
        idempotencyKey: query.idempotencyKey ?? null,
        startingAfter: query.starting_after ?? null,
        limit: query.limit ?? pageSizeDefault,
      })
      return { ...page, data: page.data.map(orderView) }
    })

    const get = Effect.fnUntraced(function* (id: OrderId) {
      const order = yield* orders.get(yield* viewer, id)
      return order === null ? yield* Effect.fail(notFound) : orderView(order)
    })

    const refund = Effect.fnUntraced(function* (id: OrderId) {
      const refunded = yield* orders.refund(yield* viewer, id)
      if (refunded === null) return yield* Effect.fail(notFound)
      if (refunded._tag === "NotTheirs") {
        return yield* Effect.fail(forbidden("An order is refunded by the merchant of all its lines, or by an admin."))
      }
      return refunded._tag === "Refused" ? yield* Effect.fail(refunded.refusal) : orderView(refunded.order)
    })

    const cancel = Effect.fnUntraced(function* (id: OrderId) {
      const { caller } = yield* CurrentCaller
      const cancelled = yield* orders.cancel(caller, id)
      if (cancelled === null) return yield* Effect.fail(notFound)
      return cancelled._tag === "Refused" ? yield* Effect.fail(cancelled.refusal) : orderView(cancelled.order)
    })

    return handlers
      .handleRaw("place", ({ headers, request }) => answering(place(request, headers["idempotency-key"])))
      .handleRaw("placeMany", ({ request }) => answering(placeMany(request)))
      .handle("list", ({ query }) => answeringInTime(list(query)))
      .handle("get", ({ params }) => answeringInTime(get(params.id)))
      .handle("cancel", ({ params }) => answering(cancel(params.id)))
      .handle("refund", ({ params }) => answering(refund(params.id)))
  }),
)

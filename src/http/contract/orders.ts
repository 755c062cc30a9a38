/**
 * Orders as a caller sees them. A caller says what and how many; price, customer, status and time are the service's,
 * and such fields in a body are not read.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { batchOrdersMax, customerRefLengthMax, lineQuantityMax, orderLinesMax } from "../../domain/bounds.ts"
import { MerchantId, OrderId, PaymentId, ProductId, ShipmentId } from "../../domain/ids.ts"
import { Money } from "../../domain/money.ts"
import { OrderStatus, PaymentStatus } from "../../domain/order.ts"
import { CallerAuthorization } from "./authorization.ts"
import { limitParameter } from "./paging.ts"
import { bodyProblems, Problem, problems } from "./problem.ts"
import { IdempotencyKey, lineOfText, Timestamp } from "./text.ts"

export const OrderLineView = Schema.Struct({
  productId: ProductId,
  name: Schema.String,
  quantity: Schema.Int,
  unitPrice: Money,
  lineTotal: Money,
  merchantId: MerchantId,
})

export const PaymentView = Schema.Struct({
  id: PaymentId,
  status: PaymentStatus.annotate({
    description: "processing: not known yet. refunding: taken for an order that is gone, and on its way back.",
  }),
  method: Schema.String,
  reference: Schema.optionalKey(Schema.String),
  amount: Money,
  declineCode: Schema.optionalKey(Schema.String),
  createdAt: Timestamp,
}).annotate({ identifier: "Payment" })
export type PaymentView = typeof PaymentView.Type

export const ShipmentView = Schema.Struct({
  id: ShipmentId,
  merchantId: MerchantId,
  carrier: Schema.String,
  trackingNumber: Schema.String,
  createdAt: Timestamp,
  deliveredAt: Schema.optionalKey(Timestamp),
}).annotate({ identifier: "Shipment" })
export type ShipmentView = typeof ShipmentView.Type

export const OrderView = Schema.Struct({
  id: OrderId,
  status: OrderStatus,
  customerRef: Schema.optionalKey(Schema.String),
  lines: Schema.Array(OrderLineView),
  total: Money,
  createdAt: Timestamp,
  expiresAt: Timestamp,
  paidAt: Schema.optionalKey(Timestamp),
  payments: Schema.Array(PaymentView).annotate({ description: "The earliest first; for whoever pays." }),
  shipments: Schema.Array(ShipmentView),
}).annotate({ identifier: "Order" })
export type OrderView = typeof OrderView.Type

const Lines = Schema.Array(
  Schema.Struct({
    productId: ProductId,
    quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: lineQuantityMax })),
  }),
).check(Schema.isMinLength(1), Schema.isMaxLength(orderLinesMax))

const CustomerRef = lineOfText(customerRefLengthMax).annotate({
  description: "A channel's own name for its customer, who is then the one limits count for.",
})

export const ExpectedTotal = Money.annotate({
  description: "Compared, never used: 409 price_changed where it differs.",
})

export const PlaceOrder = Schema.Struct({
  lines: Lines.annotate({ description: `1 to ${orderLinesMax} lines; lines of one product are merged.` }),
  customerRef: Schema.optionalKey(CustomerRef),
  expectedTotal: Schema.optionalKey(ExpectedTotal),
}).annotate({ identifier: "PlaceOrder" })

/** Each order of a batch is checked on its own, so that one that does not fit takes none of the others with it. */
export const BatchedOrder = Schema.Struct({
  idempotencyKey: IdempotencyKey,
  lines: Lines,
  customerRef: Schema.optionalKey(CustomerRef),
  expectedTotal: Schema.optionalKey(ExpectedTotal),
}).annotate({ identifier: "BatchedOrder" })

export const PlaceOrders = Schema.Struct({
  orders: Schema.Array(BatchedOrder).check(Schema.isMinLength(1), Schema.isMaxLength(batchOrdersMax)),
}).annotate({ identifier: "PlaceOrders" })

/** What is read of a batch before its orders are looked at one by one. */
export const OrderBatchEnvelope = Schema.Struct({
  orders: Schema.Array(Schema.Unknown).check(Schema.isMinLength(1), Schema.isMaxLength(batchOrdersMax)),
})

export const BatchResult = Schema.Union([
  Schema.Struct({ status: Schema.Literal(201), order: OrderView }),
  Schema.Struct({ status: Schema.Int, problem: Problem }),
]).annotate({ identifier: "BatchResult" })

/** An order that was placed, now or by an earlier request with the same key. */
export const placedOrder = HttpApiSchema.WithHeaders(OrderView.pipe(HttpApiSchema.status(201)), {
  location: Schema.String,
  "idempotency-replayed": Schema.optionalKey(Schema.Literal("true")),
})

export const orderRefusals = {
  400: ["idempotency_key_missing"],
  409: ["out_of_stock", "limit_exceeded", "not_on_sale", "price_changed"],
  422: ["unknown_product", "currency_mix", "idempotency_key_reused"],
  429: ["too_many_requests"],
}

export class OrdersGroup extends HttpApiGroup.make("orders")
  .add(
    HttpApiEndpoint.post("place", "/v1/orders", {
      headers: { "idempotency-key": IdempotencyKey },
      payload: PlaceOrder,
      success: placedOrder,
      error: problems(bodyProblems, orderRefusals),
    }).annotateMerge(OpenApi.annotations({ summary: "Place an order: every line in full, or none" })),
    HttpApiEndpoint.post("placeMany", "/v1/orders/batch", {
      payload: PlaceOrders,
      success: Schema.Struct({ results: Schema.Array(BatchResult) }),
      error: problems(bodyProblems),
    }).annotateMerge(
      OpenApi.annotations({ summary: `Place 1 to ${batchOrdersMax} orders, each on its own, in the order given` }),
    ),
    HttpApiEndpoint.get("list", "/v1/orders", {
      query: {
        limit: limitParameter,
        starting_after: Schema.optionalKey(OrderId),
        status: Schema.optionalKey(OrderStatus),
        customerRef: Schema.optionalKey(lineOfText(customerRefLengthMax)),
        idempotencyKey: Schema.optionalKey(IdempotencyKey),
      },
      success: Schema.Struct({
        data: Schema.Array(OrderView),
        hasMore: Schema.Boolean,
        next: Schema.NullOr(OrderId).annotate({
          description:
            "The starting_after of the next page, null after the last. A merchant that sells in few of very many orders may get a short page, or an empty one, with more to come.",
        }),
      }),
      error: problems({ 422: ["invalid"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Own orders, and what one's merchants sell in, the newest first",
        description:
          "Of what others ordered, members of a merchant see its own lines; admins see everything. customerRef and idempotencyKey are those of whoever placed an order.",
      }),
    ),
    HttpApiEndpoint.get("get", "/v1/orders/:id", {
      params: { id: OrderId },
      success: OrderView,
      error: problems({ 404: ["not_found"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "One order; 404 also where it is somebody else's" })),
    HttpApiEndpoint.post("cancel", "/v1/orders/:id/cancel", {
      params: { id: OrderId },
      success: OrderView,
      error: problems({ 404: ["not_found"], 409: ["not_cancellable"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Give an order's units back; for whoever placed it, safe to repeat",
        description: "A reserved order becomes cancelled, a paid one of which nothing was shipped refunded.",
      }),
    ),
    HttpApiEndpoint.post("refund", "/v1/orders/:id/refund", {
      params: { id: OrderId },
      success: OrderView,
      error: problems({ 403: ["forbidden"], 404: ["not_found"], 409: ["not_refundable"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Give a paid order's money and units back (merchant of all lines, admin); safe to repeat",
      }),
    ),
  )
  .middleware(CallerAuthorization)
  .annotateMerge(OpenApi.annotations({ title: "Orders", description: "Bought, with units set aside." })) {}

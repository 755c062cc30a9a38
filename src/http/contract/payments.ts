/**
 * Paying an order, and what the payment provider tells by itself.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { paymentMethodLengthMax, paymentReferenceLengthMax } from "../../domain/bounds.ts"
import { OrderId, PaymentId } from "../../domain/ids.ts"
import { callbackPath } from "../../payments/CallbackAddress.ts"
import { ChargeEvent } from "../../payments/charge.ts"
import { testMethods } from "../../payments/simulator/testMethods.ts"
import { CallerAuthorization } from "./authorization.ts"
import { PaymentView } from "./orders.ts"
import { limitParameter, page } from "./paging.ts"
import { bodyProblems, problems } from "./problem.ts"
import { IdempotencyKey, lineOfText } from "./text.ts"

const simulatedMethods = Object.entries(testMethods)
  .map(([name, { about }]) => `\`${name}\` (${about})`)
  .join(", ")

export const PayOrder = Schema.Struct({
  method: lineOfText(paymentMethodLengthMax).annotate({
    description: `What the payment provider is to charge; external for what a channel took elsewhere. Of a method that the provider does not know, the payment is declined. The simulator, which stands in where no provider is set, knows ${simulatedMethods}.`,
  }),
  reference: Schema.optionalKey(lineOfText(paymentReferenceLengthMax)).annotateKey({
    description: "With method external, and only there: the channel's own name for the payment.",
  }),
}).annotate({ identifier: "PayOrder" })

/** A payment, made now or by an earlier request with the same key. */
const madePayment = HttpApiSchema.WithHeaders(PaymentView.pipe(HttpApiSchema.status(201)), {
  "idempotency-replayed": Schema.optionalKey(Schema.Literal("true")),
})

const orderParams = { id: OrderId }

export class PaymentsGroup extends HttpApiGroup.make("payments")
  .add(
    HttpApiEndpoint.post("pay", "/v1/orders/:id/payments", {
      params: orderParams,
      headers: { "idempotency-key": IdempotencyKey },
      payload: PayOrder,
      success: madePayment,
      error: problems(bodyProblems, {
        400: ["idempotency_key_missing"],
        404: ["not_found"],
        409: ["expired", "already_paid", "payment_in_progress", "not_payable", "too_many_payments"],
        422: ["idempotency_key_reused"],
      }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Pay a reserved order; for whoever placed it",
        description:
          "A declined payment is answered with 201, too: try again with another key. processing is not known yet: ask again with the same key, or look at the order. An order's first payment makes its time last while the charge is under way.",
      }),
    ),
    HttpApiEndpoint.get("list", "/v1/orders/:id/payments", {
      params: orderParams,
      query: { limit: limitParameter, starting_after: Schema.optionalKey(PaymentId) },
      success: page(PaymentView),
      error: problems({ 404: ["not_found"], 422: ["invalid"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Payments of an order, the earliest first; for whoever pays" })),
  )
  .middleware(CallerAuthorization)
  .annotateMerge(OpenApi.annotations({ title: "Payments" })) {}

/** Left out, it is a signature that does not fit. */
const signatureHeader = (description: string) => Schema.optionalKey(Schema.String).annotateKey({ description })

export class PaymentCallbacksGroup extends HttpApiGroup.make("paymentCallbacks")
  .add(
    HttpApiEndpoint.post("receive", callbackPath, {
      headers: {
        "webhook-id": signatureHeader("The message's own id."),
        "webhook-timestamp": signatureHeader("When it was sent, in seconds; within the last five minutes."),
        "webhook-signature": signatureHeader("Of id, time and body, after the Standard Webhooks specification."),
      },
      payload: ChargeEvent,
      success: HttpApiSchema.NoContent,
      error: problems(bodyProblems, { 401: ["bad_signature"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "What became of a charge, as the payment provider tells of it",
        description: "What is old, was told before or is of no payment here changes nothing and is answered with 204.",
      }),
    ),
  )
  .annotateMerge(OpenApi.annotations({ title: "Payment callbacks", description: "For the payment provider." })) {}

/**
 * The one shape of every refusal: RFC 9457 with a code, whether trying again can help, and the request's id. What an
 * endpoint may answer is declared with `problems`, so that the OpenAPI document lists each status with its codes.
 */
import { Schema } from "effect"
import { ProblemDetails } from "effect/http"
import { HttpApiSchema } from "effect/http-api"
import { Money } from "../../domain/money.ts"
import { ProductId, ShipmentId } from "../../domain/ids.ts"
import { OrderStatus } from "../../domain/order.ts"
import { Timestamp } from "./text.ts"

export const Problem = Schema.Struct({
  type: Schema.String,
  title: Schema.String,
  status: Schema.Int,
  detail: Schema.String.annotate({ description: "Words for people." }),
  code: Schema.String.annotate({ description: "What a program decides by." }),
  retryable: Schema.Boolean.annotate({ description: "Whether the same request may succeed later." }),
  requestId: Schema.String.annotate({ description: "Quote it when you ask about this answer." }),
  errors: Schema.optionalKey(
    Schema.Array(Schema.Struct({ pointer: Schema.String, message: Schema.String })).annotate({
      description: "With code invalid: what does not fit, by JSON Pointer into the body (or /name of a parameter).",
    }),
  ),
  lines: Schema.optionalKey(
    Schema.Array(Schema.Struct({ productId: ProductId, requested: Schema.Int, available: Schema.Int })).annotate({
      description: "With code out_of_stock: what is short.",
    }),
  ),
  productId: Schema.optionalKey(ProductId),
  productIds: Schema.optionalKey(Schema.Array(ProductId)),
  currencies: Schema.optionalKey(Schema.Array(Schema.String)),
  allowed: Schema.optionalKey(Schema.Int),
  had: Schema.optionalKey(Schema.Int),
  available: Schema.optionalKey(Schema.Int),
  total: Schema.optionalKey(Money),
  saleStartsAt: Schema.optionalKey(Timestamp),
  orderStatus: Schema.optionalKey(OrderStatus).annotateKey({
    description:
      "With codes not_cancellable, not_refundable, not_shippable and not_payable: what the order has become.",
  }),
  shipmentId: Schema.optionalKey(ShipmentId).annotateKey({ description: "With code already_shipped: which it is." }),
  version: Schema.optionalKey(Schema.Int.annotate({ description: "With code version_mismatch: the version of now." })),
  missing: Schema.optionalKey(
    Schema.Array(Schema.Struct({ name: Schema.String, detail: Schema.String })).annotate({
      description: "With code not_ready: what the service is waiting for.",
    }),
  ),
}).annotate({ identifier: "Problem" })
export type Problem = typeof Problem.Type

/** What any request can be answered with, whatever it asks for. */
const always: Readonly<Record<number, ReadonlyArray<string>>> = { 500: ["internal"], 503: ["busy", "outcome_unknown"] }

/** What any request with a body can be answered with. */
export const bodyProblems: Readonly<Record<number, ReadonlyArray<string>>> = {
  400: ["malformed"],
  413: ["too_large"],
  415: ["unsupported_media_type"],
  422: ["invalid"],
}

/** The declared refusals of an endpoint, one schema a status, its codes in the description. */
export const problems = (...declared: ReadonlyArray<Readonly<Record<number, ReadonlyArray<string>>>>) => {
  const codes = new Map<number, Set<string>>()
  for (const record of [...declared, always]) {
    for (const [status, names] of Object.entries(record)) {
      const known = codes.get(Number(status)) ?? new Set()
      for (const name of names) known.add(name)
      codes.set(Number(status), known)
    }
  }
  return [...codes]
    .sort(([left], [right]) => left - right)
    .map(([status, names]) =>
      Problem.annotate({ httpApiStatus: status, description: [...names].join(", ") }).pipe(
        HttpApiSchema.asJson({ contentType: ProblemDetails.contentType }),
      ),
    )
}

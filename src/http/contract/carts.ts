/**
 * The cart as its account sees it, and its checkout. A caller says what and how many; what it costs and what is in the
 * way is said anew at each look.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { lineQuantityMax, orderLinesMax } from "../../domain/bounds.ts"
import { ProductId } from "../../domain/ids.ts"
import { Money } from "../../domain/money.ts"
import { Authorization } from "./authorization.ts"
import { ExpectedTotal, OrderLineView, orderRefusals, placedOrder } from "./orders.ts"
import { bodyProblems, problems } from "./problem.ts"
import { IdempotencyKey, Timestamp } from "./text.ts"

const problem = <Code extends string, Fields extends Schema.Struct.Fields>(code: Code, fields: Fields) =>
  Schema.Struct({ code: Schema.Literal(code), ...fields })

const CartProblem = Schema.Union([
  problem("unknown_product", { productId: ProductId }).annotate({ description: "It is not sold any more." }),
  problem("currency_mix", { currencies: Schema.Array(Schema.String) }),
  problem("not_on_sale", {
    productId: ProductId,
    saleStartsAt: Schema.optionalKey(Timestamp).annotateKey({ description: "Without it, the sale is paused." }),
  }),
  problem("limit_exceeded", { productId: ProductId, allowed: Schema.Int, had: Schema.Int }),
  problem("out_of_stock", { productId: ProductId, requested: Schema.Int, available: Schema.Int }),
  problem("price_changed", { productId: ProductId, was: Money, now: Money }).annotate({
    description: "Since it was put in. A checkout without expectedTotal goes through at the price of now.",
  }),
]).annotate({
  identifier: "CartProblem",
  description: "What is in the way of a checkout, with the code that it would be refused with, and what has changed.",
})

export const CartView = Schema.Struct({
  lines: Schema.Array(
    Schema.Struct({
      ...OrderLineView.fields,
      available: Schema.optionalKey(Schema.Int).annotateKey({ description: "Left out where it is not sold any more." }),
      imageUrl: Schema.optionalKey(Schema.String),
    }),
  ),
  total: Schema.NullOr(Money).annotate({
    description:
      "What a checkout now would cost, for its expectedTotal; without what is not sold any more. Null where there is nothing to sell, or more than one currency.",
  }),
  problems: Schema.Array(CartProblem),
}).annotate({ identifier: "Cart" })
export type CartView = typeof CartView.Type

export const SetCartLine = Schema.Struct({
  quantity: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: lineQuantityMax })),
}).annotate({ identifier: "SetCartLine" })

export const CheckOut = Schema.Struct({
  expectedTotal: Schema.optionalKey(ExpectedTotal),
}).annotate({ identifier: "CheckOut" })

const lineParams = { productId: ProductId }

/** HttpApi takes every body for required; this one may be left out. */
const withOptionalBody = (operation: Record<string, unknown>): Record<string, unknown> => ({
  ...operation,
  requestBody: { ...Object(operation["requestBody"]), required: false },
})

export class CartGroup extends HttpApiGroup.make("cart")
  .add(
    HttpApiEndpoint.get("look", "/v1/cart", {
      success: CartView,
      error: problems(),
    }).annotateMerge(
      OpenApi.annotations({ summary: "What is in it, at the prices and with the stock of this moment" }),
    ),
    HttpApiEndpoint.put("setLine", "/v1/cart/lines/:productId", {
      params: lineParams,
      payload: SetCartLine,
      success: CartView,
      error: problems(bodyProblems, { 404: ["not_found"], 422: ["unknown_product"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Have so many of a product in it, however many there were",
        description: `A cart has up to ${orderLinesMax} lines.`,
      }),
    ),
    HttpApiEndpoint.delete("removeLine", "/v1/cart/lines/:productId", {
      params: lineParams,
      success: HttpApiSchema.NoContent,
      error: problems({ 404: ["not_found"] }),
    }).annotateMerge(OpenApi.annotations({ summary: "Take a product out; safe to repeat" })),
    HttpApiEndpoint.delete("clear", "/v1/cart", {
      success: HttpApiSchema.NoContent,
      error: problems(),
    }).annotateMerge(OpenApi.annotations({ summary: "Take everything out; safe to repeat" })),
    HttpApiEndpoint.post("checkout", "/v1/cart/checkout", {
      headers: { "idempotency-key": IdempotencyKey },
      payload: CheckOut,
      success: placedOrder,
      error: problems(bodyProblems, orderRefusals, { 409: ["cart_empty", "cart_changed"] }),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Order what is in it: every line in full, or none; what was ordered is not in it any more",
        transform: withOptionalBody,
      }),
    ),
  )
  .middleware(Authorization)
  .annotateMerge(
    OpenApi.annotations({ title: "Cart", description: "One for each account, kept until it is bought." }),
  ) {}

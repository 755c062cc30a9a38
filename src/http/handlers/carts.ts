/**
 * The cart over HTTP, and its checkout, which answers as an order does.
 */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { OrderRate } from "../../accounts/OrderRate.ts"
import type { Cart, CartProblem } from "../../carts/cart.ts"
import { Carts } from "../../carts/Carts.ts"
import { bodySizeMaxBytes } from "../../domain/bounds.ts"
import type { ProductId } from "../../domain/ids.ts"
import { Orders } from "../../orders/Orders.ts"
import { accountBuyer } from "../../orders/placing.ts"
import { Api } from "../contract/Api.ts"
import { CurrentPrincipal } from "../contract/authorization.ts"
import { type CartView, CheckOut, SetCartLine } from "../contract/carts.ts"
import { isoTime } from "../isoTime.ts"
import { makeBodyReader } from "../requestBody.ts"
import { answering, answeringInTime } from "../respond.ts"
import { placedResponse } from "./orders.ts"

const readLine = makeBodyReader(SetCartLine)
const readCheckout = makeBodyReader(CheckOut, bodySizeMaxBytes, {})

const problemView = (problem: CartProblem): CartView["problems"][number] => {
  if (problem.code !== "not_on_sale") return problem
  const { saleStartsAtMillis, ...rest } = problem
  return saleStartsAtMillis === null ? rest : { ...rest, saleStartsAt: isoTime(saleStartsAtMillis) }
}

const cartView = ({ lines, problems, total }: Cart): CartView => ({
  lines: lines.map(({ available, imageUrl, ...line }) => ({
    ...line,
    ...(available === null ? {} : { available }),
    ...(imageUrl === null ? {} : { imageUrl }),
  })),
  total,
  problems: problems.map(problemView),
})

export const cartHandlers = HttpApiBuilder.group(
  Api,
  "cart",
  Effect.fnUntraced(function* (handlers) {
    const carts = yield* Carts
    const orders = yield* Orders
    const rate = yield* OrderRate

    const look = Effect.fnUntraced(function* () {
      const { caller } = yield* CurrentPrincipal
      return cartView(yield* carts.look(caller))
    })

    const setLine = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, productId: ProductId) {
      const { caller } = yield* CurrentPrincipal
      const { quantity } = yield* readLine(request)
      return cartView(yield* carts.setLine(caller, productId, quantity))
    })

    const removeLine = Effect.fnUntraced(function* (productId: ProductId) {
      const { caller } = yield* CurrentPrincipal
      yield* carts.removeLine(caller, productId)
    })

    const clear = Effect.fnUntraced(function* () {
      const { caller } = yield* CurrentPrincipal
      yield* carts.clear(caller)
    })

    const checkout = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, key: string) {
      const { caller } = yield* CurrentPrincipal
      yield* rate.take(caller)
      const { expectedTotal } = yield* readCheckout(request)
      const wanted = { idempotencyKey: key, expectedTotal: expectedTotal ?? null }
      const placed = yield* orders.checkout(accountBuyer(caller), wanted)
      return placed._tag === "Refused" ? yield* Effect.fail(placed.refusal) : placedResponse(placed)
    })

    return handlers
      .handle("look", () => answeringInTime(look()))
      .handleRaw("setLine", ({ params, request }) => answeringInTime(setLine(request, params.productId)))
      .handle("removeLine", ({ params }) => answeringInTime(removeLine(params.productId)))
      .handle("clear", () => answeringInTime(clear()))
      .handleRaw("checkout", ({ headers, request }) => answering(checkout(request, headers["idempotency-key"])))
  }),
)

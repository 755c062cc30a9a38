/**
 * What a buyer and a merchant say to the API over HTTP, and how the answer to an order is understood. Must stay true: an
 * answer counts as final only where the contract makes it so; a broken connection, `busy` and `outcome_unknown` leave
 * the order open, to be asked again with the same key. Sockets are bounded and kept, as those of a crowd behind a proxy.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { Context, Effect, Layer, Option, Schedule, Schema } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { pageSizeMax } from "../domain/bounds.ts"
import { type CannotStart, cannotStart } from "../platform/CannotStart.ts"

/** What is left of an answer once nobody has to wait for more of it. */
interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

export type OrderAnswer =
  | { readonly _tag: "Placed"; readonly orderId: string; readonly isReplayed: boolean }
  | { readonly _tag: "Refused"; readonly status: number; readonly code: string; readonly isFinal: boolean }
  /** Nothing happened, or nobody knows: ask again with the same key after this time. */
  | { readonly _tag: "AskAgain"; readonly code: string; readonly afterMillis: number; readonly saidWhen: boolean }
  /** No answer at all. */
  | { readonly _tag: "Lost" }

export interface PlacedOrder {
  readonly id: string
  readonly status: string
  readonly units: number
}

export interface Stock {
  readonly stocked: number
  readonly available: number
}

export interface OrderRequest {
  readonly token: string
  readonly key: string
  readonly productId: string
  readonly quantity: number
}

export interface PaymentRequest {
  readonly token: string
  readonly orderId: string
  readonly key: string
  readonly method: string
}

interface ProductOptions {
  readonly amount?: number
  readonly reservationTtlSeconds?: number
}

/** Minor units of a price where nobody cares. */
const amountDefault = 4_900
/** What a caller waits where an answer does not say. */
const askAgainAfterMillis = 250
/** How often something is asked for again before it counts as not done. */
const asksMax = 60
/** Longer than the service takes to settle an outcome and to say so. */
const answerMaxSeconds = 30

const Id = Schema.Struct({ id: Schema.String })
const OfferPage = Schema.Struct({ data: Schema.Array(Id) })
const Session = Schema.Struct({ token: Schema.String })
const ProductStock = Schema.Struct({ stocked: Schema.Int, available: Schema.Int })
const Problem = Schema.Struct({
  code: Schema.String,
  detail: Schema.String,
  retryable: Schema.Boolean,
})
const OrderPage = Schema.Struct({
  data: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      status: Schema.String,
      lines: Schema.Array(Schema.Struct({ quantity: Schema.Int })),
    }),
  ),
  hasMore: Schema.Boolean,
})

const decodeProblem = Schema.decodeOption(Schema.fromJsonString(Problem))
const decodeStatus = Schema.decodeOption(Schema.fromJsonString(Schema.Struct({ status: Schema.String })))
const decodeId = Schema.decodeOption(Schema.fromJsonString(Id))

/** A proxy's answer, or one cut off: whatever it says, it is not the service's word on the order. */
const unreadable: OrderAnswer = { _tag: "Lost" }

const orderAnswer = ({ body, headers, status }: Answer): OrderAnswer => {
  if (status === 201) {
    const isReplayed = headers["idempotency-replayed"] === "true"
    return Option.match(decodeId(body), {
      onNone: () => unreadable,
      onSome: ({ id }): OrderAnswer => ({ _tag: "Placed", orderId: id, isReplayed }),
    })
  }
  const problem = decodeProblem(body)
  if (Option.isNone(problem)) return unreadable
  const { code, retryable } = problem.value
  if (status !== 503 && status !== 429) return { _tag: "Refused", status, code, isFinal: !retryable }
  const seconds = Number(headers["retry-after"])
  const saidWhen = seconds > 0
  return { _tag: "AskAgain", code, afterMillis: saidWhen ? seconds * 1_000 : askAgainAfterMillis, saidWhen }
}

const complaint = (what: string, { body, status }: Answer): CannotStart => {
  const problem = Option.getOrUndefined(decodeProblem(body))
  return cannotStart(
    `Could not ${what}: ${problem === undefined ? `the answer was ${status}` : `${status} ${problem.code}, ${problem.detail}`}`,
  )
}

const answerOf = Effect.fnUntraced(function* (response: HttpClientResponse.HttpClientResponse) {
  const body = yield* response.text
  return { status: response.status, headers: response.headers, body } satisfies Answer
})

const make = Effect.fnUntraced(function* (url: string) {
  const client = yield* HttpClient.HttpClient
  const send = (request: HttpClientRequest.HttpClientRequest) =>
    client.execute(request.pipe(HttpClientRequest.prependUrl(url))).pipe(Effect.flatMap(answerOf))

  /** What has to work for there to be a sale at all. */
  const expect = <A>(what: string, schema: Schema.ConstraintDecoder<A>, request: HttpClientRequest.HttpClientRequest) =>
    send(request).pipe(
      Effect.mapError(() => cannotStart(`Nobody answers at ${url}: is the service running there?`)),
      Effect.flatMap((answer) =>
        answer.status >= 300
          ? Effect.fail(complaint(what, answer))
          : Schema.decodeEffect(Schema.fromJsonString(schema))(answer.body).pipe(
              Effect.mapError(() => complaint(what, answer)),
            ),
      ),
    )

  const post = (path: string, body: unknown) =>
    HttpClientRequest.post(path).pipe(HttpClientRequest.bodyJsonUnsafe(body))

  const place = ({ key, productId, quantity, token }: OrderRequest): Effect.Effect<OrderAnswer> =>
    send(
      post("/v1/orders", { lines: [{ productId, quantity }] }).pipe(
        HttpClientRequest.bearerToken(token),
        HttpClientRequest.setHeader("idempotency-key", key),
      ),
    ).pipe(
      Effect.map(orderAnswer),
      Effect.timeoutOrElse({ duration: `${answerMaxSeconds} seconds`, orElse: () => Effect.succeed(unreadable) }),
      Effect.orElseSucceed(() => unreadable),
    )

  /** Sends again what nobody answered, or what was answered with "ask again". */
  const persisting = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Answer> =>
    send(request).pipe(
      Effect.timeout(`${answerMaxSeconds} seconds`),
      Effect.filterOrFail(
        ({ status }) => status !== 503 && status !== 429,
        ({ status }) => status,
      ),
      Effect.retry(Schedule.spaced(askAgainAfterMillis).pipe(Schedule.upTo({ times: asksMax }))),
      Effect.orElseSucceed(() => ({ status: 0, headers: {}, body: "" })),
    )

  const signIn = (email: string, password: string) =>
    Effect.map(expect(`sign in as ${email}`, Session, post("/v1/sessions", { email, password })), ({ token }) => token)

  const signUp = (email: string, password: string) =>
    expect("open an account", Id, post("/v1/accounts", { email, password, name: "A buyer of the demo" }))

  const createProduct = (token: string, name: string, stock: number, options: ProductOptions = {}) =>
    expect(
      "create a product",
      Id,
      post("/v1/products", {
        name,
        stock,
        price: { amount: options.amount ?? amountDefault, currency: "EUR" },
        ...(options.reservationTtlSeconds === undefined
          ? {}
          : { reservationTtlSeconds: options.reservationTtlSeconds }),
      }).pipe(HttpClientRequest.bearerToken(token)),
    ).pipe(Effect.map(({ id }) => id))

  /** Takes a product off the shelf, whatever it has become; whether it is gone from there. */
  const archiveProduct = (token: string, productId: string) =>
    send(
      HttpClientRequest.delete(`/v1/products/${productId}`).pipe(
        HttpClientRequest.bearerToken(token),
        HttpClientRequest.setHeader("if-match", "*"),
      ),
    ).pipe(
      Effect.map(({ status }) => status === 204),
      Effect.orElseSucceed(() => false),
    )

  /** Pays an order, as often as it takes to hear of it; what the payment is then, or "refused". */
  const pay = ({ key, method, orderId, token }: PaymentRequest) =>
    persisting(
      post(`/v1/orders/${orderId}/payments`, { method }).pipe(
        HttpClientRequest.bearerToken(token),
        HttpClientRequest.setHeader("idempotency-key", key),
      ),
    ).pipe(
      Effect.map(({ body, status }) =>
        status === 201 ? (Option.getOrUndefined(decodeStatus(body))?.status ?? "") : "refused",
      ),
    )

  /** Gives an order up; whether it is cancelled or refunded now. */
  const cancel = (token: string, orderId: string) =>
    persisting(HttpClientRequest.post(`/v1/orders/${orderId}/cancel`).pipe(HttpClientRequest.bearerToken(token))).pipe(
      Effect.map(({ status }) => status === 200),
    )

  const join = (token: string, productId: string, quantity: number) =>
    persisting(post(`/v1/products/${productId}/waitlist`, { quantity }).pipe(HttpClientRequest.bearerToken(token)))

  /** The ids of what is offered to an account. */
  const offersOf = (token: string) =>
    expect(
      "list offers",
      OfferPage,
      HttpClientRequest.get("/v1/offers").pipe(HttpClientRequest.bearerToken(token)),
    ).pipe(Effect.map(({ data }) => data.map(({ id }) => id)))

  /** Orders what is offered; null where that is over. */
  const accept = (token: string, offerId: string, key: string) =>
    persisting(
      HttpClientRequest.post(`/v1/offers/${offerId}/accept`).pipe(
        HttpClientRequest.bearerToken(token),
        HttpClientRequest.setHeader("idempotency-key", key),
      ),
    ).pipe(
      Effect.map(({ body, status }) => (status === 201 ? (Option.getOrUndefined(decodeId(body))?.id ?? null) : null)),
    )

  const stockOf = (productId: string) =>
    expect("read the product", ProductStock, HttpClientRequest.get(`/v1/products/${productId}`))

  /** All orders of an account, newest first. */
  const ordersOf = Effect.fnUntraced(function* (token: string) {
    const orders: Array<PlacedOrder> = []
    for (let hasMore = true; hasMore;) {
      const last = orders.at(-1)
      const page = yield* expect(
        "list orders",
        OrderPage,
        HttpClientRequest.get("/v1/orders").pipe(
          HttpClientRequest.setUrlParams({
            limit: String(pageSizeMax),
            ...(last === undefined ? {} : { starting_after: last.id }),
          }),
          HttpClientRequest.bearerToken(token),
        ),
      )
      for (const { id, lines, status } of page.data) {
        orders.push({ id, status, units: lines.reduce((sum, { quantity }) => sum + quantity, 0) })
      }
      hasMore = page.hasMore
    }
    return orders
  })

  return {
    place,
    pay,
    cancel,
    join,
    offersOf,
    accept,
    signIn,
    signUp,
    createProduct,
    archiveProduct,
    stockOf,
    ordersOf,
  }
})

type Methods = Effect.Success<ReturnType<typeof make>>

export class ShopClient extends Context.Service<ShopClient, Methods>()("hedonify/demo/ShopClient") {
  static readonly layer = (url: string, options: { readonly connectionsMax: number }) =>
    Layer.effect(ShopClient, make(url)).pipe(
      Layer.provide(NodeHttpClient.layerUndiciOptions({ connections: options.connectionsMax })),
    )
}

/**
 * The real server on a port of its own with a database of its own, and a caller that speaks to it as a program would.
 * Everything is gone when the layer's scope ends.
 */
import { NodeServices } from "@effect/platform-node"
import { Context, Effect, Layer, Redacted } from "effect"
import { HttpServer } from "effect/http"
import { Accounts } from "../../src/accounts/Accounts.ts"
import { firstAdminLayer } from "../../src/accounts/firstAdmin.ts"
import { Passwords } from "../../src/accounts/Passwords.ts"
import { Sessions } from "../../src/accounts/Sessions.ts"
import { Tokens } from "../../src/accounts/Tokens.ts"
import { TokenSecret } from "../../src/accounts/TokenSecret.ts"
import { Products } from "../../src/catalogue/Products.ts"
import { StockMovements } from "../../src/catalogue/StockMovements.ts"
import { application } from "../../src/commands/application.ts"
import { Readiness } from "../../src/http/Readiness.ts"
import { httpLayer } from "../../src/http/server.ts"
import { Merchants } from "../../src/merchants/Merchants.ts"
import { sellers } from "../../src/merchants/sellers.ts"
import { Orders } from "../../src/orders/Orders.ts"
import { type PaymentOptions, simulatedPayments } from "../../src/payments/layers.ts"
import { Configuration } from "../../src/platform/Configuration.ts"
import { Audit } from "../../src/verification/Audit.ts"
import { testWebhooks } from "../webhooks/testWebhooks.ts"
import { testDatabase } from "../platform/testDatabase.ts"
import { redisSettings } from "../platform/testRedis.ts"

export const adminEmail = "admin@example.com"
export const adminPassword = "correct horse battery"
export const tokenSecret = "a-secret-that-only-these-tests-know-0123456789"
/** What the payment provider signs with. */
export const paymentSecret = "whsec_b25seS10aGVzZS10ZXN0cy1rbm93LXRoaXMtc2VjcmV0"

/** A provider that is quicker than a real one, and forgets with the test. */
const quickProvider: PaymentOptions = {
  forgets: true,
  paces: { soonMillis: 50, lateMillis: 600_000, silenceMillis: 5_000 },
}

const environment = {
  HEDONIFY_PORT: "0",
  HEDONIFY_METRICS_PORT: "0",
  HEDONIFY_ADMIN_EMAIL: adminEmail,
  HEDONIFY_ADMIN_PASSWORD: adminPassword,
  HEDONIFY_TOKEN_SECRET: tokenSecret,
  HEDONIFY_PAYMENT_SECRET: paymentSecret,
}

/** Audits when a test asks for one. */
const audited = Audit.layer({ auditIntervalMillis: Infinity })

const services = Layer.mergeAll(
  Layer.mergeAll(Accounts.layer, sellers, Products.layer, StockMovements.layer),
  testWebhooks,
  audited,
).pipe(
  Layer.provideMerge(Sessions.layer),
  Layer.provideMerge(Tokens.layer),
  Layer.provideMerge(Layer.mergeAll(TokenSecret.layer, Passwords.layer, Readiness.layer({}))),
)

export class TestServer extends Context.Service<
  TestServer,
  { readonly host: string; readonly port: number; readonly url: string }
>()("hedonify/test/TestServer") {}

const address = Layer.effect(
  TestServer,
  Effect.gen(function* () {
    const server = yield* HttpServer.HttpServer
    const url = HttpServer.formatAddress(server.address)
    return { host: new URL(url).hostname, port: Number(new URL(url).port), url }
  }),
)

/** With a Redis of its own where the run has one. */
const configurationOf = (settings: Readonly<Record<string, string>>) =>
  Layer.unwrap(Effect.map(redisSettings, (redis) => Configuration.layerOf({ ...environment, ...redis, ...settings })))

/** A server with these settings beside those of every test. */
export const testServerWith = (settings: Readonly<Record<string, string>>, payments: PaymentOptions = {}) =>
  serverOver(settings, httpLayer, payments)

/** A server whose orders are placed by this double. */
export const testServerPlacing = (place: Orders["Service"]["place"]) =>
  serverOver(
    { HEDONIFY_ORDER_DEADLINE: "1 second" },
    httpLayer.pipe(
      Layer.provide(
        Layer.effect(
          Orders,
          Effect.map(Orders, (orders) => Orders.of({ ...orders, place })),
        ),
      ),
    ),
  )

const serverOver = <E, R>(
  settings: Readonly<Record<string, string>>,
  http: Layer.Layer<HttpServer.HttpServer, E, R>,
  payments: PaymentOptions = {},
) =>
  Layer.mergeAll(address, firstAdminLayer).pipe(
    Layer.provideMerge(http),
    Layer.provideMerge(services),
    Layer.provideMerge(simulatedPayments({ ...quickProvider, ...payments })),
    Layer.provideMerge(application),
    Layer.provideMerge(testDatabase),
    Layer.provideMerge(Layer.mergeAll(configurationOf(settings), NodeServices.layer)),
    Layer.orDie,
  )

export const testServer = testServerWith({})

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The parsed body, or null where there is none. */
  readonly body: Readonly<Record<string, unknown>>
}

export interface Call {
  readonly method?: string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly raw?: BodyInit
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const parse = (text: string): Readonly<Record<string, unknown>> => {
  if (text === "") return {}
  const value: unknown = JSON.parse(text)
  return isRecord(value) ? value : {}
}

/** One request to the test's server. */
export const call = Effect.fnUntraced(function* (path: string, options: Call = {}) {
  const { url } = yield* TestServer
  const hasBody = options.json !== undefined || options.raw !== undefined
  return yield* Effect.promise(async (signal): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, {
      signal,
      method: options.method ?? (hasBody ? "POST" : "GET"),
      headers: {
        ...(hasBody ? { "content-type": "application/json" } : {}),
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        ...options.headers,
      },
      ...(hasBody ? { body: options.raw ?? JSON.stringify(options.json) } : {}),
    })
    const text = await response.text()
    const isJson = /json/.test(response.headers.get("content-type") ?? "")
    return { status: response.status, headers: response.headers, text, body: isJson ? parse(text) : {} }
  })
})

let people = 0

/** A new account with a session: its token and id. */
export const newCustomer = Effect.fnUntraced(function* () {
  people += 1
  const accounts = yield* Accounts
  const sessions = yield* Sessions
  const account = yield* accounts.signUp({
    email: `person-${people}@example.com`,
    name: `Person ${people}`,
    password: Redacted.make("a long enough password"),
  })
  const { token } = yield* sessions.open(account.id)
  return { id: account.id, token, email: account.email, name: account.name }
})

export const adminToken = Effect.fnUntraced(function* () {
  const answer = yield* call("/v1/sessions", { json: { email: adminEmail, password: adminPassword } })
  return String(answer.body["token"])
})

/** A new account that is the member of an approved merchant. */
export const newMerchant = Effect.fnUntraced(function* () {
  const owner = yield* newCustomer()
  const merchants = yield* Merchants
  const merchant = yield* merchants.apply(owner.id, `Merchant of ${owner.email}`)
  yield* merchants.approve(merchant.id)
  return { ...owner, merchantId: merchant.id }
})

let products = 0

/** A product of this merchant; what is not said is a lamp for a euro of which there are a hundred. */
export const newProduct = Effect.fnUntraced(function* (
  merchant: { readonly token: string },
  options: Readonly<Record<string, unknown>>,
) {
  products += 1
  const json = { name: `Lamp ${products}`, stock: 100, price: { amount: 100, currency: "EUR" }, ...options }
  const answer = yield* call("/v1/products", { token: merchant.token, json })
  return String(answer.body["id"])
})

/** Places an order of these products and quantities, whatever they are. */
export const order = (
  token: string,
  key: string,
  lines: ReadonlyArray<readonly [productId: unknown, quantity: unknown]>,
) =>
  call("/v1/orders", {
    token,
    json: { lines: lines.map(([productId, quantity]) => ({ productId, quantity })) },
    headers: { "idempotency-key": key },
  })

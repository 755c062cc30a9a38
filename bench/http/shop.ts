/**
 * A shop to load, made through the service's own API as its users would: an admin, an approved merchant, signed-in
 * customers, one product to sell and one that is sold out.
 */
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import { type CannotStart, cannotStart } from "../../src/platform/CannotStart.ts"

const customers = 8
/** More than any run sells. */
export const unitsStocked = 2_000_000_000

const admin = { email: "admin@bench.example", password: `${randomBytes(12).toString("hex")}-Aa1` }

/** What the service has to be started with so that the shop's admin exists. */
export const shopSettings = {
  HEDONIFY_PORT: "0",
  HEDONIFY_METRICS_PORT: "0",
  HEDONIFY_HOST: "127.0.0.1",
  HEDONIFY_DEMO: "off",
  HEDONIFY_ADMIN_EMAIL: admin.email,
  HEDONIFY_ADMIN_PASSWORD: admin.password,
}

export interface Shop {
  readonly port: number
  readonly tokens: ReadonlyArray<string>
  readonly productId: string
  readonly soldOutProductId: string
  /** Adds one more product, as a merchant does while others buy. */
  readonly addProduct: Effect.Effect<unknown, CannotStart>
}

type Json = Readonly<Record<string, unknown>>

/** One request; anything but a success ends the benchmark with what the service said. */
export const call = (
  port: number,
  method: "GET" | "POST",
  path: string,
  options: { readonly token?: string; readonly body?: Json } = {},
): Effect.Effect<Json, CannotStart> =>
  Effect.tryPromise({
    try: async () => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: {
          ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
          ...(options.body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${response.status} ${text}`)
      return JSON.parse(text) as Json
    },
    catch: (error) =>
      cannotStart(`${method} ${path} failed: ${error instanceof Error ? error.message : String(error)}`),
  })

const text = (answer: Json, field: string): Effect.Effect<string, CannotStart> => {
  const value = answer[field]
  return typeof value === "string" ? Effect.succeed(value) : Effect.fail(cannotStart(`an answer without ${field}`))
}

export const openShop = Effect.fnUntraced(function* (port: number) {
  const signIn = (email: string, password: string) =>
    Effect.flatMap(call(port, "POST", "/v1/sessions", { body: { email, password } }), (answer) => text(answer, "token"))
  const signUp = Effect.fnUntraced(function* (name: string) {
    const account = { email: `${name}@bench.example`, password: randomBytes(12).toString("hex"), name }
    yield* call(port, "POST", "/v1/accounts", { body: account })
    return yield* signIn(account.email, account.password)
  })
  const merchant = yield* signUp("merchant")
  const applied = yield* call(port, "POST", "/v1/merchants", { token: merchant, body: { name: "Bench" } })
  const merchantId = yield* text(applied, "id")
  const adminToken = yield* signIn(admin.email, admin.password)
  yield* call(port, "POST", `/v1/merchants/${merchantId}/approve`, { token: adminToken })
  const product = (name: string, stock: number) =>
    call(port, "POST", "/v1/products", {
      token: merchant,
      body: { name, price: { amount: 1000, currency: "EUR" }, stock },
    }).pipe(Effect.flatMap((answer) => text(answer, "id")))
  return {
    port,
    productId: yield* product("Bench product", unitsStocked),
    soldOutProductId: yield* product("Sold out", 0),
    addProduct: product("New lamp", 1),
    tokens: yield* Effect.forEach(Array.from({ length: customers }), (_, index) => signUp(`customer${index}`)),
  } satisfies Shop
})

/** Units gone from the shelf have to be the orders that were answered with 201. */
export const verifySold = Effect.fnUntraced(function* (shop: Shop, placed: number) {
  const product = yield* call(shop.port, "GET", `/v1/products/${shop.productId}`)
  const sold = Number(product["stocked"]) - Number(product["available"])
  if (sold !== placed) return yield* Effect.die(`${placed} orders were answered with 201, but ${sold} units are gone`)
})

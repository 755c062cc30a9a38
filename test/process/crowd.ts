/**
 * Buyers against the real service, each of whose answers is written down, and what must agree at the end: no order that
 * was confirmed is missing, and none is there that nobody was told of.
 */
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { demoAccounts } from "../../src/commands/demoCatalogue.ts"
import { knownPassword } from "../../src/commands/seed.ts"
import { type OrderAnswer, type OrderRequest, ShopClient } from "../../src/demo/ShopClient.ts"
import { runCommand } from "./serviceProcess.ts"

/** As many as a browser farm would hold open; fewer than the service admits. */
export const shop = (url: string) => ShopClient.layer(url, { connectionsMax: 128 })

/** A customer, and a product of so many units. */
export const openShop = Effect.fnUntraced(function* (stock: number) {
  const client = yield* ShopClient
  const merchant = yield* client.signIn(demoAccounts.merchant.email, knownPassword)
  const productId = yield* client.createProduct(merchant, "Last record", stock)
  const token = yield* client.signIn(demoAccounts.customer.email, knownPassword)
  return { token, productId }
})

export interface Ledger {
  /** Every request made, with its answer. */
  readonly entries: Array<{ readonly request: OrderRequest; readonly answer: OrderAnswer }>
  /** Places an order and writes the answer down. */
  readonly place: (request: OrderRequest) => Effect.Effect<OrderAnswer, never, ShopClient>
  /** Waits until so many more answers have come. */
  readonly afterAnswers: (count: number) => Effect.Effect<void>
}

export const makeLedger = (): Ledger => {
  const entries: Ledger["entries"] = []
  const waiting: Array<{ readonly count: number; readonly arrived: Deferred.Deferred<void> }> = []
  const answered = () => entries.filter(({ answer }) => answer._tag !== "Lost").length
  return {
    entries,
    place: Effect.fnUntraced(function* (request: OrderRequest) {
      const client = yield* ShopClient
      const answer = yield* client.place(request)
      entries.push({ request, answer })
      const count = waiting.length === 0 ? 0 : answered()
      for (const entry of waiting) if (count >= entry.count) yield* Deferred.succeed(entry.arrived, undefined)
      return answer
    }),
    afterAnswers: Effect.fnUntraced(function* (count: number) {
      const arrived = yield* Deferred.make<void>()
      waiting.push({ count: answered() + count, arrived })
      yield* Deferred.await(arrived)
    }),
  }
}

export const confirmedIds = ({ entries }: Ledger): ReadonlySet<string> =>
  new Set(entries.flatMap(({ answer }) => (answer._tag === "Placed" ? [answer.orderId] : [])))

/**
 * Buyers that order one unit after the other, each under a new key, while this goes on; each gets its last answer, too.
 */
export const whileBuying = Effect.fnUntraced(function* <E, R>(
  ledger: Ledger,
  wanted: Omit<OrderRequest, "key" | "quantity">,
  options: { readonly buyers: number },
  effect: Effect.Effect<void, E, R>,
) {
  let keys = 0
  let isOpen = true
  const next = Effect.suspend(() => ledger.place({ ...wanted, quantity: 1, key: `${wanted.productId}-${keys++}` }))
  const buyer = Effect.repeat(next, { while: (answer) => isOpen && answer._tag !== "Lost" })
  const buying = yield* Effect.forkChild(
    Effect.all(
      Array.from({ length: options.buyers }, () => buyer),
      { concurrency: "unbounded" },
    ),
  )
  yield* effect
  isOpen = false
  yield* Fiber.join(buying)
})

/** Of this product, in the order of its customer's list. */
export const ordersIn = Effect.fnUntraced(function* (token: string) {
  const client = yield* ShopClient
  return new Set((yield* client.ordersOf(token)).map(({ id }) => id))
})

/** Nothing that was answered is forgotten and nothing is there that nobody knows of. */
export const assertSameOrders = (known: ReadonlySet<string>, stored: ReadonlySet<string>) => {
  assert.deepStrictEqual(without(known, stored), [], "confirmed, and not there")
  assert.deepStrictEqual(without(stored, known), [], "there, and nobody was told")
}

/** Those of the first that are not in the second. */
export const without = (ids: ReadonlySet<string>, others: ReadonlySet<string>): ReadonlyArray<string> =>
  [...ids].filter((id) => !others.has(id))

/** `npm run verify`, as a person runs it. */
export const assertVerified = Effect.fnUntraced(function* (folder: string) {
  const { errors, exitCode, output } = yield* runCommand(folder, ["verify"])
  assert.strictEqual(exitCode, 0, `${output}${errors}`)
})

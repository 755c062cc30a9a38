/**
 * What follows the rush: most buyers pay, some are declined or forget it, and what comes back goes to those who waited,
 * until every unit is paid for or in stock again. Must stay true: each order is paid by its own buyer under one key, so
 * that pressing again is the same payment; and the same seed draws the same deeds.
 */
import { Clock, Effect, Random } from "effect"
import type { Visit } from "./crowd.ts"
import { type PlacedOrder, ShopClient } from "./ShopClient.ts"

/** What a buyer does about an order, by the methods of the payment provider's stand-in. */
const deeds = {
  pays: ["success"],
  "pays later": ["delayed"],
  "pays, and nobody hears of it": ["timeout_after_charging"],
  "pays at the second try": ["insufficient_funds", "success"],
  "is declined and cancels": ["declined"],
  forgets: [],
} as const satisfies Readonly<Record<string, ReadonlyArray<string>>>
type Deed = keyof typeof deeds

const drawn: ReadonlyArray<Deed> = [
  ...Array.from({ length: 12 }, () => "pays" as const),
  "pays later",
  "pays, and nobody hears of it",
  "pays at the second try",
  "pays at the second try",
  "is declined and cancels",
  "is declined and cancels",
  "forgets",
  "forgets",
]

export interface Aftermath {
  readonly deeds: ReadonlyMap<Deed, number>
  readonly waited: number
  readonly offersTaken: number
  /** Orders of the product by what they became. */
  readonly statuses: ReadonlyMap<string, { readonly orders: number; readonly units: number }>
}

const lookEveryMillis = 500
/** What is still open after the reservations' own time is on its way through the provider's retries and callbacks. */
const patienceMillis = 60_000

interface Waiting {
  readonly token: string
  taken: number
}

const payFor = Effect.fnUntraced(function* (token: string, orderId: string, deed: Deed) {
  const client = yield* ShopClient
  for (const [number, method] of deeds[deed].entries()) {
    yield* client.pay({ token, orderId, key: `pay-${orderId}-${number}`, method })
  }
  if (deed === "is declined and cancels") yield* client.cancel(token, orderId)
})

/** Takes what is offered by now, and pays for it. */
const takeOffers = Effect.fnUntraced(function* (waiting: Waiting) {
  const client = yield* ShopClient
  const { token } = waiting
  for (const offerId of yield* client.offersOf(token)) {
    const orderId = yield* client.accept(token, offerId, `offer-${offerId}`)
    if (orderId === null) continue
    waiting.taken += 1
    yield* client.pay({ token, orderId, key: `pay-${orderId}`, method: "success" })
  }
})

export const tally = (
  orders: ReadonlyArray<PlacedOrder>,
): ReadonlyMap<string, { readonly orders: number; readonly units: number }> => {
  const statuses = new Map<string, { orders: number; units: number }>()
  for (const { status, units } of orders) {
    const sum = statuses.get(status) ?? { orders: 0, units: 0 }
    statuses.set(status, { orders: sum.orders + 1, units: sum.units + units })
  }
  return statuses
}

export const settleUp = Effect.fnUntraced(function* (options: {
  readonly visits: ReadonlyArray<Visit>
  readonly tokens: ReadonlyArray<string>
  readonly productId: string
  readonly seed: number
  readonly reservationSeconds: number
  readonly concurrency: number
  readonly onLook: (statuses: Aftermath["statuses"], offersTaken: number) => void
}) {
  const client = yield* ShopClient
  const { concurrency, onLook, productId, reservationSeconds, seed, tokens, visits } = options
  const bought = new Map<string, string>()
  const emptyHanded = new Set<string>()
  for (const { buyer, told } of visits) {
    for (const answer of told) {
      if (answer._tag === "Bought") bought.set(answer.orderId, buyer.token)
      else emptyHanded.add(buyer.token)
    }
  }
  const waiting: ReadonlyArray<Waiting> = [...emptyHanded].map((token) => ({ token, taken: 0 }))
  yield* Effect.forEach(waiting, ({ token }) => client.join(token, productId, 1), { concurrency, discard: true })

  const counts = new Map<Deed, number>()
  const plans = yield* Effect.forEach([...bought], ([orderId, token]) =>
    Effect.map(Random.nextIntBetween(0, drawn.length, { halfOpen: true }), (at) => {
      const deed = drawn[at] ?? "pays"
      counts.set(deed, (counts.get(deed) ?? 0) + 1)
      return { orderId, token, deed }
    }),
  ).pipe(Random.withSeed(seed))
  yield* Effect.forEach(plans, ({ deed, orderId, token }) => payFor(token, orderId, deed), {
    concurrency,
    discard: true,
  })

  const endsAtMillis = (yield* Clock.currentTimeMillis) + reservationSeconds * 1000 + patienceMillis
  for (;;) {
    yield* Effect.forEach(waiting, takeOffers, { concurrency, discard: true })
    const orders = (yield* Effect.forEach(tokens, client.ordersOf, { concurrency })).flat()
    const statuses = tally(orders)
    const offersTaken = waiting.reduce((sum, { taken }) => sum + taken, 0)
    onLook(statuses, offersTaken)
    const open = yield* Effect.forEach(waiting, ({ token }) => client.offersOf(token), { concurrency })
    const stock = yield* client.stockOf(productId)
    // An order is over at its instant, its units are back a moment later, and offered a moment after that.
    const isOnTheWay = (statuses.get("paid")?.units ?? 0) + stock.available !== stock.stocked
    const isOpen = statuses.has("reserved") || isOnTheWay || open.some((offers) => offers.length > 0)
    if (!isOpen || (yield* Clock.currentTimeMillis) > endsAtMillis) {
      return { deeds: counts, waited: waiting.length, offersTaken, statuses } satisfies Aftermath
    }
    yield* Effect.sleep(lookEveryMillis)
  }
})

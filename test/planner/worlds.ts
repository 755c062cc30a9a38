/**
 * Arbitrary shards in the middle of their life. The universe is small on purpose (four products, a handful of customers
 * and keys), so that commands meet: same key, same product, same hold, same order, same place on a waiting list.
 */
import * as fc from "fast-check"
import { productUnitsMax } from "../../src/domain/bounds.ts"
import { offerHold } from "../../src/domain/commands.ts"
import type { AccountId, CallerId, ProductId } from "../../src/domain/ids.ts"
import {
  accountId,
  attemptId,
  callerId,
  cartVersion,
  fingerprint,
  merchantId,
  movementId,
  nowMillis,
  offerId,
  orderId,
  paymentId,
  productId,
  remoteProductId,
  returnId,
  shipmentId,
} from "./names.ts"
import { sellersOf } from "./referenceLives.ts"
import { here, isLive, type World, type WorldHold, type WorldOrder, type WorldProduct } from "./referenceWorld.ts"

export const productsMax = 4
/** Two accounts that buy, one that only waits, and the reference that a channel gives for somebody else. */
export const customers = [callerId(0), callerId(1), callerId(2), "ref:eve"] as const
export const accounts: ReadonlyArray<AccountId> = [0, 1, 2].map(accountId)

/** What somebody wants, under which key: everything that a retry repeats. */
export interface Wish {
  readonly caller: CallerId
  readonly key: string
  readonly fingerprint: string
  readonly customer: string
  readonly customerRef: string | null
  readonly lines: ReadonlyArray<{ readonly productId: ProductId; readonly quantity: number }>
  readonly remote: { readonly currency: string; readonly quantity: number; readonly unitPrice: number } | null
}

/** Whose units are counted in a row of their own. */
export type CountedPair = readonly [ProductId, string]

/** One in this many. Not for zero, which generators prefer. */
export const oneIn = (many: number) => fc.nat(many - 1).map((number) => number === Math.floor(many / 2))
export const currency = oneIn(12).map((isForeign) => (isForeign ? "USD" : "EUR"))

export const products = fc
  .array(
    fc.record({
      price: fc.nat(3),
      currency,
      limitPerCustomer: fc.option(fc.integer({ min: 1, max: 6 })),
      hadLimit: oneIn(4),
      version: fc.integer({ min: 1, max: 3 }),
      saleStartsAtMillis: fc.oneof(
        { weight: 15, arbitrary: fc.constant(null) },
        { weight: 1, arbitrary: fc.constantFrom(nowMillis - 1, nowMillis, nowMillis + 1) },
      ),
      paused: oneIn(16),
      archived: oneIn(16),
      waitlist: oneIn(8).map((hasNone) => !hasNone),
      reservationTtlSeconds: fc.constantFrom(null, null, 60, 90),
      merchant: fc.nat(1),
      available: fc.integer({ min: 0, max: 12 }),
      sold: fc.oneof(fc.nat(3), fc.constant(0), fc.constant(productUnitsMax - 100)),
    }),
    { minLength: productsMax, maxLength: productsMax },
  )
  .map((rows) =>
    rows.map(({ hadLimit, merchant, sold, ...row }, number): WorldProduct => {
      const countsUnits = hadLimit || row.limitPerCustomer !== null
      const name = { productId: productId(number), merchantId: merchantId(merchant), name: "a product" }
      return { ...row, ...name, countsUnits, stocked: row.available + sold }
    }),
  )

const wish = (fingerprintNumber: number): fc.Arbitrary<Wish> =>
  fc
    .record({
      caller: fc.nat(1).map(callerId),
      key: fc.constantFrom("k1", "k2", "k3", "k4"),
      customerRef: fc.constantFrom(null, null, "eve"),
      /** Some products do not exist. */
      lines: fc.uniqueArray(
        fc.record({
          number: fc.nat(23).map((number) => (number === 11 ? 50 : number % productsMax)),
          quantity: fc.integer({ min: 1, max: 5 }),
        }),
        {
          selector: (line) => line.number,
          minLength: 1,
          maxLength: 3,
        },
      ),
      remote: fc.oneof(
        { weight: 4, arbitrary: fc.constant(null) },
        {
          weight: 1,
          arbitrary: fc.record({ currency, quantity: fc.integer({ min: 1, max: 3 }), unitPrice: fc.nat(3) }),
        },
      ),
    })
    .map(({ lines, ...rest }) => ({
      ...rest,
      customer: rest.customerRef === null ? rest.caller : `ref:${rest.customerRef}`,
      fingerprint: fingerprint(fingerprintNumber),
      lines: lines
        .toSorted((left, right) => left.number - right.number)
        .map(({ number, quantity }) => ({ productId: productId(number), quantity })),
    }))

export const wishes = fc
  .integer({ min: 2, max: 7 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, n) => wish(n))))

/** What an order of the past has been through. */
const lives = [
  "reserved",
  "reserved",
  "reserved",
  "paying",
  "paying",
  "declined",
  "paid",
  "paid",
  "shippedInPart",
  "shipped",
  "delivered",
  "cancelled",
  "expired",
  "expiredPaying",
  "refunded",
] as const
type Life = (typeof lives)[number]

/** Rows of the past, as numbers to be resolved against products and wishes. */
export const past = fc.record({
  orders: fc.array(
    fc.record({
      wish: fc.nat(6),
      /** Whether it took the key of its wish, which a retry of it then knows. */
      hasItsKey: oneIn(4),
      life: fc.constantFrom(...lives),
      isOver: oneIn(3),
      /** Of what was paid, and whether the first of its parcels has arrived. */
      isExternal: oneIn(3),
      keepsPaymentKey: fc.boolean(),
    }),
    { maxLength: 5 },
  ),
  holds: fc.uniqueArray(
    fc.record({
      wish: fc.nat(6),
      attempt: fc.integer({ min: 1, max: 3 }),
      lines: fc.nat(7),
      unitPrice: fc.nat(3),
      isExpired: fc.boolean(),
    }),
    { selector: (row) => row.wish, maxLength: 4 },
  ),
  offers: fc.uniqueArray(
    fc.record({
      product: fc.nat(3),
      account: fc.nat(2),
      quantity: fc.integer({ min: 1, max: 3 }),
      unitPrice: fc.nat(3),
      isExpired: oneIn(3),
    }),
    { selector: (row) => `${row.product} ${row.account}`, maxLength: 2 },
  ),
  waiting: fc.uniqueArray(
    fc.record({ product: fc.nat(3), account: fc.nat(2), quantity: fc.integer({ min: 1, max: 6 }) }),
    { selector: (row) => `${row.product} ${row.account}`, maxLength: 6 },
  ),
  returns: fc.array(
    fc.record({
      product: fc.nat(3),
      customer: fc.constantFrom(...customers),
      quantity: fc.integer({ min: 1, max: 3 }),
    }),
    { maxLength: 3 },
  ),
  movements: fc.uniqueArray(fc.nat(2), { maxLength: 1 }),
  /** Which of the customers have a count, product by product. */
  counted: fc.nat(2 ** (productsMax * customers.length) - 1),
})
type Past = typeof past extends fc.Arbitrary<infer A> ? A : never

export const at = <A>(values: ReadonlyArray<A>, number: number): A => {
  const value = values[number % values.length]
  if (value === undefined) throw new Error("nothing to choose from")
  return value
}
/** The lines that a bit mask names. */
export const chosen = <A>(values: ReadonlyArray<A>, mask: number): ReadonlyArray<A> =>
  values.filter((_, number) => ((mask >> number) & 1) === 1)

export const worldOf = (made: ReadonlyArray<WorldProduct>, all: ReadonlyArray<Wish>, before: Past): World => {
  const world: World = {
    nowMillis,
    products: made.map((product) => ({ ...product })),
    orders: [],
    payments: [],
    shipments: [],
    waiting: before.waiting.map(({ account, product, quantity }, number) => {
      const place = { productId: productId(product), accountId: accountId(account) }
      return { ...place, offerId: offerId(900 + number), quantity }
    }),
    movements: before.movements.map((number) => ({
      caller: callerId(0),
      key: `m${number}`,
      fingerprint: fingerprint(0),
      movementId: movementId(900 + number),
    })),
    holds: [],
    returns: [],
    carts: [0, 1].map((number) => ({ caller: callerId(number), version: cartVersion })),
    withheld: [],
  }
  for (const [number, row] of before.orders.entries()) {
    const { hasItsKey, isOver, life, wish: wishNumber } = row
    const { caller, customerRef, fingerprint: of, key: wishKey, lines: wanted, remote } = at(all, wishNumber)
    const key = hasItsKey ? wishKey : `p${number}`
    if (world.orders.some((other) => other.caller === caller && other.key === key)) continue
    const lines: Array<WorldOrder["lines"][number]> = []
    for (const line of wanted) {
      const product = world.products.find((other) => other.productId === line.productId)
      if (product !== undefined) lines.push({ ...line, unitPrice: product.price, shard: here })
    }
    if (remote !== null) {
      const { quantity, unitPrice } = remote
      lines.push({ productId: remoteProductId, quantity, unitPrice, shard: 1 })
    }
    const name = { caller, key, fingerprint: of, orderId: orderId(900 + number), customerRef }
    const order: WorldOrder = {
      ...name,
      lines,
      status: "reserved",
      expiresAtMillis: isOver ? nowMillis : nowMillis + 1,
    }
    world.orders.push(order)
    live(world, order, life, row)
    if (!isLive(order)) continue
    for (const line of lines) {
      const product = world.products.find((other) => other.productId === line.productId)
      if (product !== undefined) product.stocked += line.quantity
    }
  }
  for (const { attempt, isExpired, lines, unitPrice, wish: wishNumber } of before.holds) {
    if (wishNumber >= all.length) continue
    const { caller, customer, fingerprint: of, key, lines: wanted } = at(all, wishNumber)
    for (const line of chosen(wanted, lines)) {
      const product = world.products.find((row) => row.productId === line.productId)
      if (product === undefined) continue
      product.stocked += line.quantity
      const row: WorldHold = {
        ...line,
        kind: "order",
        unitPrice,
        caller,
        key,
        fingerprint: of,
        customer,
        isExpired,
        attempt: attemptId(attempt),
      }
      world.holds.push(row)
    }
  }
  for (const [number, { account, isExpired, product: productNumber, quantity, unitPrice }] of before.offers.entries()) {
    const product = at(world.products, productNumber)
    product.stocked += quantity
    const name = offerHold(offerId(800 + number), accountId(account))
    const line = { productId: product.productId, quantity, unitPrice }
    world.holds.push({ ...name, ...line, kind: "offer", customer: accountId(account), isExpired })
  }
  for (const [number, { customer, product: productNumber, quantity }] of before.returns.entries()) {
    const product = at(world.products, productNumber)
    product.stocked += quantity
    world.returns.push({ returnId: returnId(number), shard: here, productId: product.productId, customer, quantity })
  }
  return world
}

/** Leads an order that was just placed through its life, as the batches before did. */
const live = (
  world: World,
  order: WorldOrder,
  life: Life,
  { isExternal, keepsPaymentKey }: { readonly isExternal: boolean; readonly keepsPaymentKey: boolean },
): void => {
  const number = world.orders.length - 1
  const key = keepsPaymentKey ? `pay${number}` : `paid${number}`
  const name = { caller: order.caller, key, fingerprint: fingerprint(number), paymentId: paymentId(900 + number) }
  const paid = { ...name, orderId: order.orderId, isExternal }
  const charged = { ...paid, isExternal: false }
  const sellers = [...sellersOf(world, order.orderId)]
  const send = (merchants: typeof sellers, isDelivered: boolean): void => {
    for (const [sent, merchant] of merchants.entries()) {
      const parcel = { shipmentId: shipmentId(900 + 10 * number + sent), carrier: "post", trackingNumber: "1" }
      world.shipments.push({ ...parcel, orderId: order.orderId, merchantId: merchant, isDelivered })
    }
  }
  switch (life) {
    case "reserved":
      return
    case "paying":
      world.payments.push({ ...charged, status: "processing" })
      return
    case "declined":
      world.payments.push({ ...charged, status: "declined" })
      return
    case "paid":
    case "shippedInPart":
    case "shipped":
    case "delivered": {
      world.payments.push({ ...paid, status: "succeeded" })
      const sent = life === "paid" ? 0 : life === "shippedInPart" ? 1 : sellers.length
      order.status = sent === 0 ? "paid" : sent < sellers.length ? "partiallyShipped" : "shipped"
      if (life === "delivered") order.status = "delivered"
      send(
        sellers.slice(0, sent),
        life === "delivered" || (life === "shippedInPart" && isExternal && sent < sellers.length),
      )
      return
    }
    case "cancelled":
    case "expired":
      order.status = life
      return
    case "expiredPaying":
      world.payments.push({ ...charged, status: "processing" })
      order.status = "expired"
      return
    case "refunded":
      world.payments.push({ ...paid, status: isExternal ? "refunded" : "refunding" })
      order.status = "refunded"
      return
  }
}

/** Everybody's units of every product that counts them, which may or may not have a row of their own. */
export const countable = (world: World): ReadonlyArray<CountedPair> =>
  world.products
    .filter((product) => product.countsUnits)
    .flatMap((product) => customers.map((customer) => [product.productId, customer] as const))

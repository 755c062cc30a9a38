/**
 * Arbitrary shards in the middle of their life, and arbitrary batches for them. The universe is small on purpose (four
 * products, three customers, a handful of keys), so that commands meet: same key, same product, same hold.
 */
import * as fc from "fast-check"
import type {
  Amend,
  Command,
  EndingLine,
  Hold,
  ProductChange,
  Release,
  Reserve,
  Restock,
  Return,
} from "../../src/domain/commands.ts"
import { AttemptId, CallerId, OrderId, ProductId, StockMovementId } from "../../src/domain/ids.ts"
import { productUnitsMax } from "../../src/domain/bounds.ts"
import { here, type World, type WorldHold, type WorldOrder, type WorldProduct } from "./referenceModel.ts"

const uuid = (kind: number, number: number): string =>
  `00000000-0000-7000-8000-${kind.toString(16).padStart(4, "0")}${number.toString(16).padStart(8, "0")}`

export const productId = (number: number): ProductId => ProductId.make(uuid(1, number))
export const callerId = (number: number): CallerId => CallerId.make(uuid(2, number))
export const orderId = (number: number): OrderId => OrderId.make(uuid(3, number))
export const movementId = (number: number): StockMovementId => StockMovementId.make(uuid(4, number))
export const attemptId = (number: number): AttemptId => AttemptId.make(uuid(5, number))
export const returnId = (number: number): string => uuid(6, number)
export const fingerprint = (number: number): string => number.toString(16).padStart(32, "0")

export const nowMillis = 1_000_000
/** A product of another shard, which only held parts and orders of the past name. */
export const remoteProductId = productId(99)
export const remoteAttempt = attemptId(9)
/** What every cart is at; checkouts that have read it carry this version. */
export const cartVersion = 1
/** What an order's lines are held under elsewhere: another fingerprint than its own. */
const fingerprintElsewhere = (own: string): string => `e${own.slice(1)}`

const productsMax = 4
/** Two accounts, and the reference that a channel gives for somebody else. */
export const customers = [callerId(0), callerId(1), "ref:eve"] as const

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

export interface Scene {
  readonly world: World
  readonly counted: ReadonlyArray<CountedPair>
  readonly wishes: ReadonlyArray<Wish>
  readonly batch: ReadonlyArray<Command>
}

/** One in this many. Not for zero, which generators prefer. */
const oneIn = (many: number) => fc.nat(many - 1).map((number) => number === Math.floor(many / 2))
const currency = oneIn(12).map((isForeign) => (isForeign ? "USD" : "EUR"))

const products = fc
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
      available: fc.integer({ min: 0, max: 12 }),
      sold: fc.oneof(fc.nat(3), fc.constant(0), fc.constant(productUnitsMax - 100)),
    }),
    { minLength: productsMax, maxLength: productsMax },
  )
  .map((rows) =>
    rows.map(({ hadLimit, sold, ...row }, number): WorldProduct => {
      const countsUnits = hadLimit || row.limitPerCustomer !== null
      return { ...row, productId: productId(number), name: "a product", countsUnits, stocked: row.available + sold }
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

const wishes = fc
  .integer({ min: 2, max: 7 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, n) => wish(n))))

/** Rows of the past, as numbers to be resolved against products and wishes. */
const past = fc.record({
  orders: fc.array(
    fc.record({
      wish: fc.nat(6),
      /** Whether it took the key of its wish, which a retry of it then knows. */
      hasItsKey: oneIn(4),
      status: fc.constantFrom("reserved", "reserved", "reserved", "paid", "cancelled", "expired"),
      isOver: oneIn(3),
    }),
    { maxLength: 4 },
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

const order = fc.record({
  _tag: fc.constant("Reserve" as const),
  wish: fc.nat(6),
  expects: fc.constantFrom("nothing", "nothing", "nothing", "total", "less", "otherCurrency"),
  isCheckout: oneIn(4),
})
const hold = fc.record({ _tag: fc.constant("Hold" as const), wish: fc.nat(6), attempt: fc.integer({ min: 1, max: 3 }) })
const release = fc.record({
  _tag: fc.constant("Release" as const),
  wish: fc.nat(6),
  attempt: fc.integer({ min: 1, max: 3 }),
  onlyExpired: fc.boolean(),
})
const giveBack = fc.record({ _tag: fc.constant("Return" as const), row: fc.nat(3) })
const restock = fc.record({
  _tag: fc.constant("Restock" as const),
  key: fc.nat(3),
  isOther: oneIn(8),
  product: fc.nat(4),
  delta: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: -6, max: 6 }) },
    { weight: 1, arbitrary: fc.constantFrom(productUnitsMax, 99, 100, 101) },
  ),
})
const ending = fc.record({
  _tag: fc.constantFrom("Cancel" as const, "Expire" as const, "Refund" as const),
  order: fc.nat(4),
  leavesLineOut: oneIn(12),
})
const change: fc.Arbitrary<ProductChange> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ archived: true }) },
  {
    weight: 3,
    arbitrary: fc.record(
      {
        name: fc.constantFrom("a lamp", "a chair"),
        price: fc.record({ amount: fc.nat(3), currency }),
        limitPerCustomer: fc.option(fc.integer({ min: 1, max: 6 })),
        saleStartsAtMillis: fc.constantFrom(null, nowMillis, nowMillis + 1),
        paused: fc.boolean(),
        archived: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
  },
)
const amend = fc.record({
  _tag: fc.constant("Amend" as const),
  product: fc.nat(23).map((number) => (number === 11 ? 50 : number % productsMax)),
  expects: fc.constantFrom("any", "right", "right", "stale"),
  change,
})
const commandSpec = fc.oneof(
  { weight: 8, arbitrary: order },
  { weight: 3, arbitrary: hold },
  { weight: 2, arbitrary: release },
  { weight: 1, arbitrary: giveBack },
  { weight: 2, arbitrary: restock },
  { weight: 3, arbitrary: ending },
  { weight: 1, arbitrary: amend },
)
type CommandSpec = typeof commandSpec extends fc.Arbitrary<infer A> ? A : never

export const scene: fc.Arbitrary<Scene> = fc
  .record({ products, wishes, past, specs: fc.array(commandSpec, { minLength: 1, maxLength: 16, size: "max" }) })
  .map((drawn) => {
    const world = worldOf(drawn.products, drawn.wishes, drawn.past)
    const batch = drawn.specs.map((spec, at) => commandOf(world, drawn.wishes, spec, at))
    return { world, counted: chosen(countable(world), drawn.past.counted), wishes: drawn.wishes, batch }
  })

const at = <A>(values: ReadonlyArray<A>, number: number): A => {
  const value = values[number % values.length]
  if (value === undefined) throw new Error("nothing to choose from")
  return value
}
/** The lines that a bit mask names. */
const chosen = <A>(values: ReadonlyArray<A>, mask: number): ReadonlyArray<A> =>
  values.filter((_, number) => ((mask >> number) & 1) === 1)

const worldOf = (made: ReadonlyArray<WorldProduct>, all: ReadonlyArray<Wish>, before: Past): World => {
  const world: World = {
    nowMillis,
    products: made.map((product) => ({ ...product })),
    orders: [],
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
  for (const [number, { hasItsKey, isOver, status, wish: wishNumber }] of before.orders.entries()) {
    const { caller, customerRef, fingerprint: of, key: wishKey, lines: wanted, remote } = at(all, wishNumber)
    const key = hasItsKey ? wishKey : `p${number}`
    if (world.orders.some((row) => row.caller === caller && row.key === key)) continue
    const lines: Array<WorldOrder["lines"][number]> = []
    for (const line of wanted) {
      const product = world.products.find((row) => row.productId === line.productId)
      if (product === undefined) continue
      lines.push({ ...line, unitPrice: product.price, shard: here })
      if (status === "reserved" || status === "paid") product.stocked += line.quantity
    }
    if (remote !== null) {
      const { quantity, unitPrice } = remote
      lines.push({ productId: remoteProductId, quantity, unitPrice, shard: 1 })
    }
    world.orders.push({
      caller,
      key,
      fingerprint: of,
      orderId: orderId(900 + number),
      customerRef,
      lines,
      status,
      isOver,
    })
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
  for (const [number, { customer, product: productNumber, quantity }] of before.returns.entries()) {
    const product = at(world.products, productNumber)
    product.stocked += quantity
    world.returns.push({ returnId: returnId(number), shard: here, productId: product.productId, customer, quantity })
  }
  return world
}

/** Everybody's units of every product that counts them, which may or may not have a row of their own. */
export const countable = (world: World): ReadonlyArray<CountedPair> =>
  world.products
    .filter((product) => product.countsUnits)
    .flatMap((product) => customers.map((customer) => [product.productId, customer] as const))

const commandOf = (world: World, all: ReadonlyArray<Wish>, spec: CommandSpec, position: number): Command => {
  switch (spec._tag) {
    case "Reserve":
      return reserveOf(world, at(all, spec.wish), spec, position)
    case "Hold": {
      const { caller, customer, fingerprint: of, key, lines } = at(all, spec.wish)
      const attempt = attemptId(spec.attempt)
      return {
        _tag: "Hold",
        caller,
        key,
        fingerprint: of,
        customer,
        lines,
        attempt,
        holdTtlMillis: 30_000,
      } satisfies Hold
    }
    case "Release": {
      const { caller, fingerprint: of, key, lines } = at(all, spec.wish)
      const productIds = lines.map((line) => line.productId)
      const attempt = attemptId(spec.attempt)
      const { onlyExpired } = spec
      return { _tag: "Release", caller, key, fingerprint: of, attempt, productIds, onlyExpired } satisfies Release
    }
    case "Return": {
      const row = world.returns[spec.row]
      const name = { returnId: row?.returnId ?? returnId(77), productId: row?.productId ?? productId(0) }
      return { _tag: "Return", ...name } satisfies Return
    }
    case "Restock":
      return {
        _tag: "Restock",
        caller: callerId(0),
        key: `m${spec.key}`,
        fingerprint: fingerprint(spec.isOther ? 1 : 0),
        movementId: movementId(position),
        productId: productId(spec.product),
        kind: spec.delta >= 0 ? "received" : "corrected",
        delta: spec.delta,
        reason: null,
      } satisfies Restock
    case "Cancel":
    case "Expire":
    case "Refund": {
      const ended = world.orders[spec.order]
      const lines: ReadonlyArray<EndingLine> = (ended?.lines ?? []).map(({ productId: of, shard }, number) => {
        return { productId: of, shard, returnId: returnId(100 + 10 * position + number) }
      })
      const named = spec.leavesLineOut ? lines.slice(1) : lines
      return { _tag: spec._tag, orderId: ended?.orderId ?? orderId(77), lines: named }
    }
    case "Amend": {
      const of = productId(spec.product)
      const version = world.products.find((row) => row.productId === of)?.version ?? 1
      const expectedVersion = spec.expects === "any" ? null : version + (spec.expects === "right" ? 0 : 1)
      return { _tag: "Amend", productId: of, expectedVersion, change: spec.change } satisfies Amend
    }
  }
}

const reserveOf = (
  world: World,
  { remote, ...wanted }: Wish,
  { expects, isCheckout }: { readonly expects: string; readonly isCheckout: boolean },
  position: number,
): Reserve => {
  const local = wanted.lines.map((line) => world.products.find((row) => row.productId === line.productId))
  const localTotal = wanted.lines.reduce((sum, line, number) => sum + line.quantity * (local[number]?.price ?? 0), 0)
  const total = localTotal + (remote === null ? 0 : remote.quantity * remote.unitPrice)
  const expected = {
    amount: expects === "less" ? total - 1 : total,
    currency: expects === "otherCurrency" ? "JPY" : (local[0]?.currency ?? "EUR"),
  }
  return {
    _tag: "Reserve",
    ...wanted,
    orderId: orderId(position),
    held:
      remote === null
        ? []
        : [
            {
              shard: 1,
              attempt: remoteAttempt,
              key: wanted.key,
              fingerprint: fingerprintElsewhere(wanted.fingerprint),
              reservationTtlSeconds: null,
              currency: remote.currency,
              lines: [{ productId: remoteProductId, quantity: remote.quantity, unitPrice: remote.unitPrice }],
            },
          ],
    expectedTotal: expects === "nothing" ? null : expected,
    reservationTtlMillis: 60_000,
    cartVersion: isCheckout ? cartVersion : null,
  }
}

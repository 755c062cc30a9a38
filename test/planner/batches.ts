/**
 * Arbitrary commands for an arbitrary world: about its products, orders, holds, payments and places, and about none.
 */
import * as fc from "fast-check"
import { productUnitsMax } from "../../src/domain/bounds.ts"
import type {
  Amend,
  ChargeResult,
  Command,
  EndingLine,
  Extend,
  Hold,
  HeldPart,
  Pay,
  PaymentMethod,
  ProductChange,
  Release,
  Reserve,
  Restock,
  Return,
} from "../../src/domain/commands.ts"
import {
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
  remoteAttempt,
  remoteProductId,
  returnId,
  shipmentId,
} from "./names.ts"
import { here, type World } from "./referenceWorld.ts"
import { accounts, at, currency, oneIn, productsMax, type Wish } from "./worlds.ts"

/** What an order's lines are held under elsewhere: another fingerprint than its own. */
const fingerprintElsewhere = (own: string): string => `e${own.slice(1)}`

/** Some products do not exist. */
const anyProduct = fc.nat(23).map((number) => (number === 11 ? 50 : number % productsMax))
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
        waitlist: fc.boolean(),
        reservationTtlSeconds: fc.constantFrom(null, 60),
      },
      { requiredKeys: [] },
    ),
  },
)
const amend = fc.record({
  _tag: fc.constant("Amend" as const),
  product: anyProduct,
  expects: fc.constantFrom("any", "right", "right", "stale"),
  change,
})
const extend = fc.record({
  _tag: fc.constant("Extend" as const),
  order: fc.nat(5),
  /** Whose key it is, by the order that it pays; another one's where commands are mixed up. */
  key: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(5) }),
  isOther: oneIn(8),
  isExternal: oneIn(3),
  extensionMillis: fc.constantFrom(1, 500, 120_000),
})
const pay = fc.record({
  _tag: fc.constant("Pay" as const),
  payment: fc.nat(5),
  result: fc.constantFrom<Array<ChargeResult>>(
    { _tag: "Succeeded" },
    { _tag: "Succeeded" },
    { _tag: "Declined", declineCode: "no_money" },
    { _tag: "Refunded" },
  ),
})
const ship = fc.record({
  _tag: fc.constant("Ship" as const),
  order: fc.nat(5),
  merchant: fc.nat(2),
  trackingNumber: fc.constantFrom("1", "1", "2"),
})
const deliver = fc.record({ _tag: fc.constant("Deliver" as const), shipment: fc.nat(6), isOther: oneIn(12) })
const join = fc.record({
  _tag: fc.constant("Join" as const),
  product: anyProduct,
  account: fc.nat(2),
  quantity: fc.integer({ min: 1, max: 4 }),
})
const leave = fc.record({ _tag: fc.constant("Leave" as const), product: anyProduct, account: fc.nat(2) })
const offer = fc.record({ _tag: fc.constant("Offer" as const), product: anyProduct })
const refresh = fc.record({ _tag: fc.constant("Refresh" as const), merchant: fc.nat(2) })
/** An answer to an offer that stands, or to one that never was: taken, declined or over. */
const answer = fc.record({
  _tag: fc.constantFrom("Accept" as const, "Accept" as const, "Decline" as const, "Sweep" as const),
  offer: fc.nat(2),
  key: fc.constantFrom("k1", "k2", "k5"),
})
export const commandSpec = fc.oneof(
  { weight: 8, arbitrary: order },
  { weight: 3, arbitrary: hold },
  { weight: 2, arbitrary: release },
  { weight: 1, arbitrary: giveBack },
  { weight: 2, arbitrary: restock },
  { weight: 3, arbitrary: ending },
  { weight: 1, arbitrary: amend },
  { weight: 3, arbitrary: extend },
  { weight: 3, arbitrary: pay },
  { weight: 2, arbitrary: ship },
  { weight: 2, arbitrary: deliver },
  { weight: 2, arbitrary: join },
  { weight: 1, arbitrary: leave },
  { weight: 3, arbitrary: offer },
  { weight: 1, arbitrary: refresh },
  { weight: 2, arbitrary: answer },
)
type CommandSpec = typeof commandSpec extends fc.Arbitrary<infer A> ? A : never

export const commandOf = (world: World, all: ReadonlyArray<Wish>, spec: CommandSpec, position: number): Command => {
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
    case "Extend":
      return extendOf(world, spec, position)
    case "Pay": {
      const payment = world.payments[spec.payment]
      const ofOrder = payment?.orderId ?? orderId(77)
      return {
        _tag: "Pay",
        paymentId: payment?.paymentId ?? paymentId(77),
        orderId: ofOrder,
        result: spec.result,
      } satisfies Pay
    }
    case "Ship": {
      const { trackingNumber } = spec
      const shipment = { shipmentId: shipmentId(position), merchantId: merchantId(spec.merchant), carrier: "post" }
      return { _tag: "Ship", ...shipment, orderId: world.orders[spec.order]?.orderId ?? orderId(77), trackingNumber }
    }
    case "Deliver": {
      const shipment = world.shipments[spec.shipment]
      const ofOrder = spec.isOther ? orderId(900) : (shipment?.orderId ?? orderId(77))
      return { _tag: "Deliver", shipmentId: shipment?.shipmentId ?? shipmentId(77), orderId: ofOrder }
    }
    case "Join": {
      const place = { productId: productId(spec.product), accountId: at(accounts, spec.account) }
      return { _tag: "Join", ...place, offerId: offerId(position), quantity: spec.quantity }
    }
    case "Leave":
      return { _tag: "Leave", productId: productId(spec.product), accountId: at(accounts, spec.account) }
    case "Offer":
      return { _tag: "Offer", productId: productId(spec.product) }
    case "Refresh":
      return { _tag: "Refresh", merchantId: merchantId(spec.merchant) }
    case "Accept":
    case "Decline":
    case "Sweep":
      return answerOf(world, spec, position)
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

const extendOf = (
  world: World,
  { extensionMillis, isExternal, isOther, key, order: number }: Extract<CommandSpec, { _tag: "Extend" }>,
  position: number,
): Extend => {
  const paid = world.orders[number]
  const by: PaymentMethod = isExternal ? { _tag: "External", reference: "r" } : { _tag: "Charge", method: "card" }
  return {
    _tag: "Extend",
    caller: paid?.caller ?? callerId(0),
    key: `pay${key ?? number}`,
    fingerprint: fingerprint(isOther ? 99 : number),
    paymentId: paymentId(position),
    orderId: paid?.orderId ?? orderId(77),
    payment: by,
    extensionMillis,
  }
}

/** Accepting asks only for what stands, as whoever accepts has looked; whether it still does is not for the plan. */
const answerOf = (
  world: World,
  { _tag, key, offer: number }: Extract<CommandSpec, { _tag: "Accept" | "Decline" | "Sweep" }>,
  position: number,
): Reserve | Release => {
  const standing = world.holds.filter((row) => row.kind === "offer" && (_tag !== "Accept" || !row.isExpired))
  const row = standing[number % Math.max(standing.length, 1)]
  if (row === undefined) return { _tag: "Release", ...noOffer, productIds: [], onlyExpired: _tag === "Sweep" }
  const { attempt, caller, fingerprint: of, key: name, productId: product, quantity, unitPrice } = row
  if (_tag !== "Accept") {
    const held = { caller, key: name, fingerprint: of, attempt, productIds: [product] }
    return { _tag: "Release", ...held, onlyExpired: _tag === "Sweep" }
  }
  const reservationTtlSeconds =
    world.products.find((other) => other.productId === product)?.reservationTtlSeconds ?? null
  const lines = [{ productId: product, quantity, unitPrice }]
  const part: HeldPart = {
    shard: here,
    attempt,
    key: name,
    fingerprint: of,
    currency: "EUR",
    reservationTtlSeconds,
    lines,
  }
  return {
    _tag: "Reserve",
    caller,
    key,
    fingerprint: fingerprint(500 + number),
    orderId: orderId(position),
    customer: caller,
    customerRef: null,
    lines: [],
    held: [part],
    expectedTotal: null,
    reservationTtlMillis: 60_000,
    cartVersion: null,
  }
}

const noOffer = { caller: callerId(0), key: "offer/none", fingerprint: fingerprint(0), attempt: attemptId(77) }

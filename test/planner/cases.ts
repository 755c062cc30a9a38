/**
 * The words of the planner's tests: a small world, commands with sensible values, and what a batch comes to in it.
 */
import { assert } from "@effect/vitest"
import type {
  Amend,
  Cancel,
  Command,
  Expire,
  HeldPart,
  Hold,
  ProductChange,
  Release,
  Reserve,
  Restock,
} from "../../src/domain/commands.ts"
import type { ProductId } from "../../src/domain/ids.ts"
import {
  attemptId,
  callerId,
  cartVersion,
  fingerprint,
  merchantId,
  movementId,
  nowMillis,
  orderId,
  productId,
  returnId,
} from "./names.ts"
import { planScene, type PlanVerdict, verdictsOf } from "./planning.ts"
import { here, type World, type WorldHold, type WorldOrder, type WorldProduct } from "./referenceWorld.ts"

export const lamp = productId(1)
export const chair = productId(2)
/** A product that is not of this shard. */
export const nothing = productId(50)
export const ann = callerId(1)
export const bob = callerId(2)

export const product = (id: ProductId, change: Partial<WorldProduct> = {}): WorldProduct => ({
  productId: id,
  merchantId: merchantId(0),
  name: "a product",
  price: 100,
  currency: "EUR",
  limitPerCustomer: null,
  countsUnits: (change.limitPerCustomer ?? null) !== null,
  saleStartsAtMillis: null,
  paused: false,
  archived: false,
  waitlist: true,
  reservationTtlSeconds: null,
  version: 1,
  stocked: 3,
  available: 3,
  ...change,
})

export const world = (change: Partial<World> = {}): World => ({
  nowMillis,
  products: [product(lamp), product(chair)],
  orders: [],
  payments: [],
  shipments: [],
  waiting: [],
  movements: [],
  holds: [],
  returns: [],
  carts: [ann, bob].map((caller) => ({ caller, version: cartVersion })),
  withheld: [],
  ...change,
})

let made = 0
const nextNumber = (): number => (made += 1)

export type Wanted = ReadonlyArray<readonly [ProductId, number]>
export const linesOf = (wanted: Wanted) => wanted.map(([id, quantity]) => ({ productId: id, quantity }))

/** An order, of Ann unless told otherwise. */
export const reserve = (wanted: Wanted, change: Partial<Reserve> = {}): Reserve => {
  const number = nextNumber()
  const caller = change.caller ?? ann
  return {
    _tag: "Reserve",
    caller,
    key: `order ${number}`,
    fingerprint: fingerprint(number),
    orderId: orderId(number),
    customer: caller,
    customerRef: null,
    lines: linesOf(wanted),
    held: [],
    expectedTotal: null,
    reservationTtlMillis: 60_000,
    cartVersion: null,
    ...change,
  }
}

/** An order as it was placed some time ago, with what is held elsewhere among its lines. */
export const placed = (command: Reserve, change: Partial<WorldOrder> = {}): WorldOrder => {
  const { caller, customerRef, fingerprint: of, held, key, lines, orderId: id } = command
  const others = held.flatMap((part) => part.lines.map((line) => ({ ...line, shard: part.shard })))
  const own = lines.map((line) => ({ ...line, unitPrice: 100, shard: here }))
  const name = { caller, key, fingerprint: of, orderId: id, customerRef }
  return { ...name, lines: [...own, ...others], status: "reserved", expiresAtMillis: nowMillis + 1, ...change }
}

export const hold = (wanted: Wanted, change: Partial<Hold> = {}): Hold => {
  const number = nextNumber()
  const caller = change.caller ?? ann
  return {
    _tag: "Hold",
    caller,
    key: `order ${number}`,
    fingerprint: fingerprint(number),
    attempt: attemptId(1),
    customer: caller,
    lines: linesOf(wanted),
    holdTtlMillis: 30_000,
    ...change,
  }
}

/** Units of a product of shard 1 that are held for an order of this one. */
export const heldElsewhere = (quantity: number, unitPrice: number, currency = "EUR"): HeldPart => ({
  shard: 1,
  attempt: attemptId(1),
  key: "order 70",
  fingerprint: fingerprint(70),
  currency,
  reservationTtlSeconds: null,
  lines: [{ productId: nothing, quantity, unitPrice }],
})

export const release = ({ attempt, caller, fingerprint: of, key, lines }: Hold): Release => {
  const productIds = lines.map((line) => line.productId)
  return { _tag: "Release", caller, key, fingerprint: of, attempt, productIds, onlyExpired: false }
}

/** The rows that an earlier Hold left. */
export const rowsOf = ({ attempt, caller, customer, fingerprint: of, key, lines }: Hold): ReadonlyArray<WorldHold> =>
  lines.map((line) => {
    const name = { kind: "order", caller, key, fingerprint: of, customer, attempt } as const
    return { ...line, ...name, unitPrice: 100, isExpired: false }
  })

export const restock = (id: ProductId, delta: number, change: Partial<Restock> = {}): Restock => {
  const number = nextNumber()
  return {
    _tag: "Restock",
    caller: ann,
    key: `movement ${number}`,
    fingerprint: fingerprint(number),
    movementId: movementId(number),
    productId: id,
    kind: delta >= 0 ? "received" : "writtenOff",
    delta,
    reason: null,
    ...change,
  }
}

const ending = ({ lines, orderId: id }: WorldOrder) => ({
  orderId: id,
  lines: lines.map((line) => ({ productId: line.productId, shard: line.shard, returnId: returnId(nextNumber()) })),
})
export const cancel = (order: WorldOrder): Cancel => ({ _tag: "Cancel", ...ending(order) })
export const expire = (order: WorldOrder): Expire => ({ _tag: "Expire", ...ending(order) })

export const amend = (id: ProductId, change: ProductChange, expectedVersion: number | null = 1): Amend => ({
  _tag: "Amend",
  productId: id,
  expectedVersion,
  change,
})

export const verdicts = (given: World, ...batch: ReadonlyArray<Command>): ReadonlyArray<PlanVerdict> =>
  verdictsOf(planScene({ world: given, batch }), batch)

/** Each command's end in a word: its refusal's code, or what became of it. */
export const ends = (given: World, ...batch: ReadonlyArray<Command>): ReadonlyArray<string> =>
  verdicts(given, ...batch).map((verdict) => (verdict._tag === "Refused" ? verdict.refusal.code : verdict._tag))

export const refusalOf = (given: World, command: Command) => {
  const [verdict] = verdicts(given, command)
  return verdict?._tag === "Refused" ? verdict.refusal : assert.fail(`not refused: ${verdict?._tag}`)
}

/**
 * The shop of one seed: its products, who wants what when, and how impatient everybody is. Small on purpose (a handful
 * of units and keys), so that orders meet: same unit, same key, same instant.
 */
import type { ProductChange, Restock } from "../../src/domain/commands.ts"
import { CallerId, MerchantId, OrderId, ProductId, StockMovementId } from "../../src/domain/ids.ts"
import type { RequestedLine } from "../../src/domain/order.ts"
import type { NewProduct } from "../../src/inventory/MemoryShardStore.ts"
import type { OrderRequest } from "../../src/inventory/OrderCoordinator.ts"
import type { Chance } from "./chance.ts"

const uuid = (kind: number, number: number): string =>
  `00000000-0000-7000-8000-${kind.toString(16).padStart(4, "0")}${number.toString(16).padStart(8, "0")}`
const merchantId = MerchantId.make(uuid(9, 1))
export const callerIds = [1, 2, 3, 4].map((number) => CallerId.make(uuid(2, number)))
export const unknownProduct = ProductId.make(uuid(1, 999))

/** Everything that a retry repeats; the order's id is a new one each time. */
export type Wish = Omit<OrderRequest, "orderId">
export type Movement = Omit<Restock, "_tag" | "movementId">

export interface Visit {
  readonly atMillis: number
  readonly wish: Wish
  /** After how long its caller hangs up, null where it waits; 0 is after a few breaths. */
  readonly patienceMillis: number | null
  readonly deadlineMillis: number
  /** How often it is tried again after "busy" or "outcome unknown". */
  readonly retriesMax: number
  readonly goesToSecond: boolean
}

export interface Delivery {
  readonly atMillis: number
  readonly movement: Movement
  readonly retriesMax: number
}

/** Somebody cancels an order that is there, mostly their own, and now and then twice at once. */
export interface Regret {
  readonly atMillis: number
  readonly isOwner: boolean
  readonly times: number
  readonly patienceMillis: number | null
}

/** A merchant edits a product at the version it sees, at one that is gone, or at whichever there is. */
export interface Edit {
  readonly atMillis: number
  readonly productId: ProductId
  readonly change: ProductChange
  readonly of: "seen" | "stale" | "any"
  readonly retriesMax: number
}

/** One tab: its cart is filled anew, or sold under a key. */
export type Tab =
  | { readonly atMillis: number; readonly caller: CallerId; readonly lines: ReadonlyArray<RequestedLine> }
  | (Pick<Visit, "atMillis" | "patienceMillis" | "deadlineMillis" | "retriesMax" | "goesToSecond"> & {
      readonly caller: CallerId
      readonly key: string
    })

export interface Shop {
  readonly shards: number
  readonly products: ReadonlyArray<NewProduct>
  readonly visits: ReadonlyArray<Visit>
  readonly deliveries: ReadonlyArray<Delivery>
  readonly regrets: ReadonlyArray<Regret>
  readonly edits: ReadonlyArray<Edit>
  readonly tabs: ReadonlyArray<Tab>
}

const drawProduct = (chance: Chance, number: number, shards: number, startMillis: number): NewProduct => {
  const limitPerCustomer = chance.happens(0.35) ? chance.between(1, 4) : null
  return {
    productId: ProductId.make(uuid(1, number)),
    merchantId,
    shard: chance.below(shards),
    name: `Product ${number}`,
    price: chance.between(0, 30),
    currency: chance.happens(0.04) ? "USD" : "EUR",
    limitPerCustomer,
    countsUnits: limitPerCustomer !== null,
    saleStartsAtMillis: chance.happens(0.1) ? startMillis + chance.between(0, 1500) : null,
    paused: chance.happens(0.03),
    archived: chance.happens(0.03),
    version: 1,
    stocked: chance.pick([0, 1, 2, 3, 6, 12]),
  }
}

/** Each seed edits a few things only, since edits of one kind meet more often. */
const drawChanges = (chance: Chance, startMillis: number): (() => ProductChange) => {
  const price = () => ({ amount: chance.between(0, 30), currency: chance.happens(0.04) ? "USD" : "EUR" })
  const limitPerCustomer = () => chance.pick([null, 1, 2, 3])
  const all: ReadonlyArray<() => ProductChange> = [
    () => ({ price: price() }),
    () => ({ limitPerCustomer: limitPerCustomer() }),
    () => ({ price: price(), limitPerCustomer: limitPerCustomer() }),
    () => ({ paused: chance.happens(0.4) }),
    () => ({ archived: chance.happens(0.5) }),
    () => ({ archived: false, paused: false }),
    () => ({ saleStartsAtMillis: chance.happens(0.5) ? null : startMillis + chance.between(0, 1500) }),
  ]
  const some = chance.happens(0.5) ? all : [chance.pick(all), chance.pick(all)]
  return () => chance.pick(some)()
}

export const fingerprintOf = (payload: unknown): string => {
  let digest = ""
  for (let part = 0; part < 4; part++) {
    let hash = 0x811c9dc5 ^ part
    for (const character of JSON.stringify(payload)) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
    digest += (hash >>> 0).toString(16).padStart(8, "0")
  }
  return digest
}

interface Among {
  readonly products: ReadonlyArray<NewProduct>
  /** How often an order is one that the database refuses. */
  readonly poison: number
  /** How long reservations last. */
  readonly ttlsMillis: ReadonlyArray<number>
}

const drawLines = (chance: Chance, products: ReadonlyArray<NewProduct>): Array<RequestedLine> => {
  const lines = products
    .filter((_, at) => chance.happens(at === 0 ? 0.6 : 0.35))
    .map(({ productId }) => ({ productId, quantity: chance.pick([1, 1, 1, 2, 3]) }))
  return lines.length > 0 ? lines : [{ productId: chance.pick(products).productId, quantity: 1 }]
}

const drawWish = (chance: Chance, among: Among, caller: CallerId, key: string): Wish => {
  const { poison, products, ttlsMillis } = among
  const lines = drawLines(chance, products)
  if (chance.happens(0.01)) lines.push({ productId: unknownProduct, quantity: 1 })
  const expectedTotal = chance.happens(0.05) ? { amount: chance.between(0, 40), currency: "EUR" } : null
  const reservationTtlMillis = chance.happens(poison) ? 0 : chance.pick(ttlsMillis)
  const fingerprint = fingerprintOf([lines, expectedTotal, reservationTtlMillis])
  const names = { caller, key, fingerprint, holdFingerprint: fingerprint, customer: caller, customerRef: null }
  return { ...names, lines, expectedTotal, reservationTtlMillis, cartVersion: null }
}

export const drawShop = (chance: Chance, startMillis: number): Shop => {
  const shards = chance.pick([1, 1, 2, 3])
  const products = Array.from({ length: chance.between(1, 4) }, (_, at) =>
    drawProduct(chance, at + 1, shards, startMillis),
  )
  const ttlsMillis = chance.pick([[60_000], [60_000, 60_000, 1_500], [100, 400, 1_500, 60_000], [50, 3_000]])
  const among = { products, poison: chance.pick([0, 0.05, 0.25]), ttlsMillis }
  const lengthMillis = chance.pick([0, 50, 500, 3000])
  const instants = Array.from({ length: chance.between(1, 8) }, () => chance.between(0, lengthMillis))
  const wishes = Array.from({ length: chance.between(3, 14) }, (_, at) =>
    drawWish(chance, among, chance.pick(callerIds), `key ${at}`),
  )
  const isHasty = chance.happens(0.4)
  const visits = Array.from({ length: chance.between(4, 26) }, (): Visit => {
    const wish = chance.pick(wishes)
    const isAltered = chance.happens(0.06)
    return {
      atMillis: chance.pick(instants),
      wish: isAltered ? drawWish(chance, among, wish.caller, wish.key) : wish,
      patienceMillis: isHasty && chance.happens(0.4) ? chance.pick([0, 1, 5, 40, 200, 900]) : null,
      deadlineMillis: chance.pick([0, 60, 300, 1500, 5000]),
      retriesMax: chance.pick([0, 1, 3]),
      goesToSecond: chance.happens(0.5),
    }
  })
  const deliveries = Array.from({ length: chance.below(5) }, (_, at): Delivery => {
    const { productId } = chance.pick(products)
    const delta = chance.pick([-3, -1, 1, 2, 4])
    const key = `movement ${chance.happens(0.2) ? 0 : at}`
    const movement = {
      caller: chance.pick(callerIds),
      key,
      fingerprint: fingerprintOf([productId, delta]),
      productId,
      delta,
    }
    const kind = delta > 0 ? "received" : "writtenOff"
    return {
      atMillis: chance.pick(instants),
      movement: { ...movement, kind, reason: null },
      retriesMax: chance.pick([0, 2]),
    }
  })
  const patience = (): number | null => (isHasty && chance.happens(0.4) ? chance.pick([0, 1, 5, 40, 200, 900]) : null)
  const regrets = Array.from({ length: chance.pick([0, 2, 8]) }, (): Regret => {
    const atMillis = chance.happens(0.5) ? chance.pick(instants) : chance.between(0, lengthMillis + 300)
    const times = chance.pick([1, 1, 2])
    return { atMillis, isOwner: chance.happens(0.85), times, patienceMillis: patience() }
  })
  const drawChange = drawChanges(chance, startMillis)
  const edits = Array.from({ length: chance.pick([0, 1, 3, 7, 14]) }, (): Edit => {
    const change = drawChange()
    const of = chance.pick(["seen", "seen", "any", "stale"] as const)
    const { productId } = chance.pick(products)
    return { atMillis: chance.pick(instants), productId, change, of, retriesMax: chance.pick([0, 2]) }
  })
  const tabs = Array.from({ length: chance.pick([0, 0, 5, 12]) }, (_, at): Tab => {
    const atMillis = chance.pick(instants)
    const caller = callerIds[chance.below(2)] ?? chance.pick(callerIds)
    if (at < 2 || chance.happens(0.4)) return { atMillis, caller, lines: drawLines(chance, products) }
    return {
      atMillis,
      caller,
      key: `cart ${chance.below(3)}`,
      patienceMillis: patience(),
      deadlineMillis: chance.pick([300, 1500, 5000]),
      retriesMax: chance.pick([0, 1, 3]),
      goesToSecond: chance.happens(0.5),
    }
  })
  return { shards, products, visits, deliveries, regrets, edits, tabs }
}

/** Ids that nobody else of this run has. */
export class Ids {
  #last = 0

  #next(kind: number): string {
    this.#last += 1
    return uuid(kind, this.#last)
  }

  order(): OrderId {
    return OrderId.make(this.#next(3))
  }

  movement(): StockMovementId {
    return StockMovementId.make(this.#next(4))
  }
}

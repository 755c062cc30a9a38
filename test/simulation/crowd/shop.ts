/**
 * The shop of one seed: its products, who wants what when, and how impatient everybody is. Small on purpose (a handful
 * of units and keys), so that orders meet: same unit, same key, same instant.
 */
import { productUnitsMax } from "../../../src/domain/bounds.ts"
import type { ProductChange, Restock } from "../../../src/domain/commands.ts"
import { CallerId, MerchantId, PaymentId, ProductId, ShipmentId, StockMovementId } from "../../../src/domain/ids.ts"
import { mergeLines, type RequestedLine } from "../../../src/domain/order.ts"
import type { NewProduct } from "../../../src/inventory/memory/MemoryShardStore.ts"
import type { PlaceOrder } from "../../../src/orders/Orders.ts"
import { accountBuyer, type Buyer } from "../../../src/orders/placing.ts"
import type { Chance } from "../machine/chance.ts"

const uuid = (kind: number, number: number): string =>
  `00000000-0000-7000-8000-${kind.toString(16).padStart(4, "0")}${number.toString(16).padStart(8, "0")}`
export const merchantIds = [1, 2].map((number) => MerchantId.make(uuid(9, number)))
const callerIds = [1, 2, 3, 4, 5].map((number) => CallerId.make(uuid(2, number)))
/** Somebody asks for what nobody sells. */
export const unknownProduct = ProductId.make(uuid(1, 999))

/** Customers who buy for themselves, and the last account, a shop's back end that buys for two of its own. */
export const buyers: ReadonlyArray<Buyer> = callerIds.flatMap((caller, at) =>
  at < callerIds.length - 1
    ? [accountBuyer(caller)]
    : ["one", "two"].map((customerRef) => ({ caller, customer: `ref:${customerRef}`, customerRef })),
)

/** Everything that a retry repeats. */
export interface Wish extends Pick<PlaceOrder, "lines" | "expectedTotal"> {
  readonly buyer: Buyer
  readonly key: string
  readonly reservationTtlMillis: number
}
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
  /** Who wants, at the same moment, what may come back. */
  readonly follower: Visit | null
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
  | Filling
  | (Pick<Visit, "atMillis" | "patienceMillis" | "deadlineMillis" | "retriesMax" | "goesToSecond"> & {
      readonly buyer: Buyer
      readonly key: string
    })

export interface Filling {
  readonly atMillis: number
  readonly buyer: Buyer
  readonly lines: ReadonlyArray<RequestedLine>
}

export interface Shop {
  readonly shards: number
  readonly products: ReadonlyArray<NewProduct>
  readonly visits: ReadonlyArray<Visit>
  readonly deliveries: ReadonlyArray<Delivery>
  readonly regrets: ReadonlyArray<Regret>
  readonly edits: ReadonlyArray<Edit>
  readonly tabs: ReadonlyArray<Tab>
}

interface Supply {
  readonly shards: number
  /** How much of a product there is at first. */
  readonly stocks: ReadonlyArray<number>
  readonly limited: number
}

const drawProduct = (chance: Chance, number: number, supply: Supply, startMillis: number): NewProduct => {
  const limitPerCustomer = chance.happens(supply.limited) ? chance.between(1, 4) : null
  return {
    productId: ProductId.make(uuid(1, number)),
    merchantId: merchantIds[number % 2] ?? MerchantId.make(uuid(9, 1)),
    shard: chance.below(supply.shards),
    name: `Product ${number}`,
    price: chance.between(0, 30),
    currency: chance.happens(0.04) ? "USD" : "EUR",
    limitPerCustomer,
    countsUnits: limitPerCustomer !== null,
    saleStartsAtMillis: chance.happens(0.1) ? startMillis + chance.between(0, 1500) : null,
    paused: chance.happens(0.03),
    archived: chance.happens(0.03),
    waitlist: true,
    reservationTtlSeconds: null,
    version: 1,
    stocked: chance.pick(supply.stocks),
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
  const drawn = chance.happens(0.5) ? all : [chance.pick(all), chance.pick(all)]
  return () => chance.pick(drawn)()
}

const fingerprintOf = (payload: unknown): string => {
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

const drawWish = (chance: Chance, among: Among, buyer: Buyer, key: string): Wish => {
  const { poison, products, ttlsMillis } = among
  const lines = drawLines(chance, products)
  if (chance.happens(0.01)) lines.push({ productId: unknownProduct, quantity: 1 })
  const expectedTotal = chance.happens(0.05) ? { amount: chance.between(0, 40), currency: "EUR" } : null
  const reservationTtlMillis = chance.happens(poison) ? 0 : chance.pick(ttlsMillis)
  return { buyer, key, lines: mergeLines(lines), expectedTotal, reservationTtlMillis }
}

/** What everything of one shop is drawn from. */
interface Day extends Among {
  readonly lengthMillis: number
  /** A few instants that most of it happens at, so that it meets. */
  readonly instants: ReadonlyArray<number>
  readonly wishes: ReadonlyArray<Wish>
  readonly isHasty: boolean
  readonly deadlinesMillis: ReadonlyArray<number>
}

const drawPatience = (chance: Chance, { isHasty }: Day): number | null =>
  isHasty && chance.happens(0.4) ? chance.pick([0, 1, 5, 40, 200, 900]) : null

const drawVisit = (chance: Chance, day: Day): Visit => {
  const wish = chance.pick(day.wishes)
  const isAltered = chance.happens(0.06)
  return {
    atMillis: chance.pick(day.instants),
    wish: isAltered ? drawWish(chance, day, wish.buyer, wish.key) : wish,
    patienceMillis: drawPatience(chance, day),
    deadlineMillis: chance.pick(day.deadlinesMillis),
    retriesMax: chance.pick([0, 1, 3]),
    goesToSecond: chance.happens(0.5),
  }
}

const drawDelivery = (chance: Chance, { instants, products }: Day, number: number): Delivery => {
  const productId = chance.happens(0.03) ? unknownProduct : chance.pick(products).productId
  const delta = chance.happens(0.04) ? productUnitsMax : chance.pick([-3, -1, 1, 2, 4])
  const caller = chance.pick(callerIds)
  const key = `movement ${chance.happens(0.2) ? 0 : number}`
  const kind = delta > 0 ? "received" : "writtenOff"
  const movement = { caller, key, fingerprint: fingerprintOf([productId, delta]), productId, delta }
  return {
    atMillis: chance.pick(instants),
    movement: { ...movement, kind, reason: null },
    retriesMax: chance.pick([0, 2]),
  }
}

const drawRegret = (chance: Chance, day: Day): Regret => ({
  atMillis: chance.happens(0.5) ? chance.pick(day.instants) : chance.between(0, day.lengthMillis + 300),
  isOwner: chance.happens(0.85),
  times: chance.pick([1, 1, 2]),
  patienceMillis: drawPatience(chance, day),
  follower: chance.happens(0.6) ? { ...drawVisit(chance, day), atMillis: 0, deadlineMillis: 1_500 } : null,
})

const drawEdit = (chance: Chance, { instants, products }: Day, drawChange: () => ProductChange): Edit => ({
  atMillis: chance.pick(instants),
  productId: chance.happens(0.03) ? unknownProduct : chance.pick(products).productId,
  change: drawChange(),
  of: chance.pick(["seen", "seen", "any", "stale"] as const),
  retriesMax: chance.pick([0, 2]),
})

/** A cart is filled anew. */
const drawFilling = (
  chance: Chance,
  { products }: Day,
  { atMillis, buyer }: Pick<Filling, "atMillis" | "buyer">,
): Filling => ({ atMillis, buyer, lines: chance.happens(0.1) ? [] : mergeLines(drawLines(chance, products)) })

/** Two callers have carts; the first tabs fill them. */
const drawTab = (chance: Chance, day: Day, number: number): Tab => {
  const atMillis = chance.pick(day.instants)
  const buyer = buyers[chance.below(2)] ?? chance.pick(buyers)
  if (number < 2 || chance.happens(0.4)) return drawFilling(chance, day, { atMillis, buyer })
  return {
    atMillis,
    buyer,
    key: `cart ${chance.below(3)}`,
    patienceMillis: drawPatience(chance, day),
    deadlineMillis: chance.pick([300, 1500, 5000]),
    retriesMax: chance.pick([0, 1, 3]),
    goesToSecond: chance.happens(0.5),
  }
}

const some = <A>(count: number, draw: (number: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, number) => draw(number))

/** Some come through both nodes at once, as a client does that had no answer in time. */
const doubled = <A extends Pick<Visit, "atMillis" | "goesToSecond">>(
  chance: Chance,
  one: A,
  probability: number,
): ReadonlyArray<A> => {
  if (!chance.happens(probability)) return [one]
  return [one, { ...one, atMillis: one.atMillis + chance.pick([0, 0, 1, 4, 20]), goesToSecond: !one.goesToSecond }]
}

export const drawShop = (chance: Chance, startMillis: number): Shop => {
  const shards = chance.pick([1, 2, 2, 3, 3])
  const isPlenty = chance.happens(0.4)
  const supply = isPlenty
    ? { shards, stocks: [6, 12, 30], limited: 0.1 }
    : { shards, stocks: [0, 1, 2, 3, 6, 12], limited: 0.35 }
  const products = some(chance.between(1, 4), (number) => drawProduct(chance, number + 1, supply, startMillis))
  const ttlsMillis = chance.pick([[60_000], [60_000, 60_000, 1_500], [100, 400, 1_500, 60_000], [50, 3_000]])
  const among = { products, poison: chance.pick([0, 0.05, 0.25]), ttlsMillis }
  const lengthMillis = chance.pick([0, 50, 500, 3000])
  const instants = some(chance.between(1, 8), () => chance.between(0, lengthMillis))
  const wishes = some(chance.between(3, 14), (number) => drawWish(chance, among, chance.pick(buyers), `key ${number}`))
  const deadlinesMillis = chance.pick([
    [0, 60, 300, 1500, 5000],
    [1500, 5000],
  ])
  const day = { ...among, lengthMillis, instants, wishes, isHasty: chance.happens(0.4), deadlinesMillis }
  const drawChange = drawChanges(chance, startMillis)
  return {
    shards,
    products,
    visits: some(chance.between(3, 20), () => {
      const visit = drawVisit(chance, day)
      // Several shards may be asked for these, and two coordinators at once is what they have to get along with.
      return doubled(chance, visit, visit.wish.lines.length > 1 ? 0.7 : 0.35)
    }).flat(),
    deliveries: some(chance.below(5), (number) => drawDelivery(chance, day, number)),
    regrets: some(chance.pick([0, 3, 10]), () => drawRegret(chance, day)),
    edits: some(chance.pick([0, 1, 3, 7, 14]), () => drawEdit(chance, day, drawChange)),
    tabs: some(chance.pick([0, 0, 5, 12]), (number) => {
      const tab = drawTab(chance, day, number)
      if ("lines" in tab) return [tab]
      const [one = tab, other] = doubled(chance, tab, 0.45)
      return other === undefined ? [one] : [one, drawFilling(chance, day, tab), other]
    }).flat(),
  }
}

/** Ids of first movements, which nobody else of this run has. */
export const movementIdOf = (number: number): StockMovementId => StockMovementId.make(uuid(4, number))

/** The id that a payer's try gives its payment. */
export const paymentIdOf = (number: number, round: number): PaymentId => PaymentId.make(uuid(5, 16 * number + round))

/** The id of a shipment that no service made. */
export const shipmentIdOf = (number: number): ShipmentId => ShipmentId.make(uuid(6, number))

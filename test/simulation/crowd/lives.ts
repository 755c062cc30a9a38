/**
 * What one seed draws of what follows a reservation: who pays, refunds and ships, and who waits for what is sold out.
 * From a stream of its own, so that the shop is the same with and without. Some seeds have none of it, most have a part.
 */
import type { ProductChange } from "../../../src/domain/commands.ts"
import { AccountId, type ProductId } from "../../../src/domain/ids.ts"
import type { Chance } from "../machine/chance.ts"
import type { ChargeFate } from "./provider.ts"
import type { Buyer } from "../../../src/orders/placing.ts"
import { buyers, type Edit, type Shop, unknownProduct } from "./shop.ts"

/** Somebody pays an order that is there. */
export interface Payer {
  readonly number: number
  /** Under which of its keys: now and then one that somebody else has used for another order. */
  readonly keyNumber: number
  readonly atMillis: number
  /** Whether only reservations are paid, or whatever order there is; and whether it is one that two merchants sell. */
  readonly isSensible: boolean
  readonly prefersShared: boolean
  readonly isExternal: boolean
  /** What becomes of its charge, and of the one that it tries after one that was declined. */
  readonly fates: readonly [ChargeFate, ChargeFate]
  /** When the provider calls back after its decision, and how often at once; null where it does not. */
  readonly callback: { readonly afterMillis: number; readonly times: number } | null
  readonly extensionMillis: number
  /** Which of its steps meets the end of the order's time. */
  readonly meetsTheEnd: "neither" | "begin" | "answer"
  /** Whether the buyer cancels when the answer is due. */
  readonly regrets: boolean
  readonly retriesMax: number
  readonly goesToSecond: boolean
}

/** A merchant gives a paid order back. */
export interface Refunder {
  readonly atMillis: number
  readonly times: number
  /** Whether it sells all there is; otherwise it is one of two. */
  readonly sellsAll: boolean
}

/** A merchant sends off what was paid. */
export interface Sender {
  readonly atMillis: number
  readonly merchant: number
  readonly times: number
  readonly delivers: boolean
}

/** Somebody waits for a product, and does something about what is offered. */
export interface Waiting {
  readonly number: number
  readonly atMillis: number
  readonly accountId: AccountId
  readonly productId: ProductId
  readonly quantity: number
  readonly afterwards: "waits" | "joins again" | "leaves"
  readonly answer:
    | "accepts"
    | "accepts twice"
    | "accepts under two keys"
    | "accepts at its end"
    | "accepts too late"
    | "accepts and declines"
    | "declines"
    | "lets it lapse"
  readonly reservationTtlMillis: number
  readonly goesToSecond: boolean
}

/** Somebody who does not wait asks for a unit of what others wait for, again and again, and keeps none for long. */
export interface Hunter {
  readonly number: number
  readonly atMillis: number
  readonly buyer: Buyer
  readonly productId: ProductId
  readonly everyMillis: number
  readonly times: number
  readonly reservationTtlMillis: number
}

/** Somebody who knows that an order is given up asks for what it had. */
export interface Chaser extends Omit<Hunter, "productId"> {
  /** Of which product; null is any, first one of another shard than its order's. */
  readonly productId: ProductId | null
  /** Who begins to wait for it before that. */
  readonly waiters: ReadonlyArray<Omit<Waiting, "productId">>
  /** How many orders of it are given up, and how long after one another. */
  readonly orders: number
  readonly pauseMillis: number
  /** Whether its shard is made to read anew what it knows of the product. */
  readonly refreshes: boolean
}

/** Somebody has what is remembered of a merchant's products read anew, now and then many times in a row. */
export interface Refreshing {
  readonly atMillis: number
  readonly merchant: number
  readonly times: number
}

export interface Lives {
  readonly payers: ReadonlyArray<Payer>
  readonly refunders: ReadonlyArray<Refunder>
  readonly senders: ReadonlyArray<Sender>
  readonly waiters: ReadonlyArray<Waiting>
  readonly hunters: ReadonlyArray<Hunter>
  readonly chasers: ReadonlyArray<Chaser>
  /** Edits of what waiting lists depend on. */
  readonly listEdits: ReadonlyArray<Edit>
  readonly refreshings: ReadonlyArray<Refreshing>
  readonly offerTtlMillis: number
  /** How long reservations last that would last longer; null where they do. */
  readonly reservationTtlMaxMillis: number | null
}

/** What all of one seed's are drawn from. */
interface Times {
  readonly at: () => number
  readonly extensionMillis: number
  readonly chargeMillis: ReadonlyArray<number>
}

/** The same shop, where nobody has longer to pay than that. */
export const hurried = (shop: Shop, ttlMaxMillis: number | null): Shop => {
  if (ttlMaxMillis === null) return shop
  const wishes = new Map(
    shop.visits.map(({ wish }) => {
      const reservationTtlMillis = Math.min(wish.reservationTtlMillis, ttlMaxMillis)
      return [wish, { ...wish, reservationTtlMillis }]
    }),
  )
  return { ...shop, visits: shop.visits.map((visit) => ({ ...visit, wish: wishes.get(visit.wish) ?? visit.wish })) }
}

const some = <A>(count: number, draw: (number: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, number) => draw(number))

const drawFate = (chance: Chance, { chargeMillis }: Times, declined: number): ChargeFate => ({
  isDeclined: chance.happens(declined),
  decidedAfterMillis: chance.pick(chargeMillis),
  answeredAfterMillis: chance.happens(0.12) ? null : chance.pick(chargeMillis),
})

const drawPayer = (chance: Chance, times: Times, number: number): Payer => ({
  number,
  keyNumber: chance.happens(0.35) ? chance.below(2) : number,
  atMillis: times.at(),
  isSensible: chance.happens(0.85),
  prefersShared: chance.happens(0.85),
  isExternal: chance.happens(0.12),
  fates: [drawFate(chance, times, 0.25), drawFate(chance, times, 0.1)],
  callback: chance.happens(0.6)
    ? { afterMillis: chance.pick([0, 0, 10, 300, 2_000]), times: chance.pick([1, 2, 2]) }
    : null,
  extensionMillis: times.extensionMillis,
  meetsTheEnd: chance.pick(["neither", "begin", "answer", "answer"]),
  regrets: chance.happens(0.5),
  retriesMax: chance.pick([0, 1, 3]),
  goesToSecond: chance.happens(0.5),
})

const accounts = buyers.flatMap(({ caller, customerRef }) => (customerRef === null ? [AccountId.make(caller)] : []))

const drawWaiting = (
  chance: Chance,
  { at }: Times,
  { products }: Shop,
  popular: ProductId,
  number: number,
): Waiting => {
  const productId = chance.happens(0.02) ? unknownProduct : chance.pick(products).productId
  return {
    number,
    atMillis: at(),
    accountId: chance.pick(accounts),
    productId: chance.happens(0.75) ? popular : productId,
    quantity: chance.pick([1, 1, 1, 2, 3]),
    afterwards: chance.pick(["waits", "waits", "waits", "joins again", "leaves"]),
    answer: chance.pick([
      "accepts",
      "accepts twice",
      "accepts under two keys",
      "accepts at its end",
      "accepts at its end",
      "accepts too late",
      "accepts and declines",
      "declines",
      "lets it lapse",
    ]),
    reservationTtlMillis: chance.pick([60_000, 60_000, 300]),
    goesToSecond: chance.happens(0.5),
  }
}

const drawHunter = (chance: Chance, { at }: Times, productId: ProductId, number: number): Hunter => ({
  number,
  atMillis: at(),
  buyer: chance.pick(buyers),
  productId,
  everyMillis: chance.pick([10, 30, 80]),
  times: chance.pick([6, 12]),
  reservationTtlMillis: chance.pick([60, 200, 500]),
})

const drawChaser = (chance: Chance, times: Times, shop: Shop, productId: ProductId | null, number: number): Chaser => ({
  ...drawHunter(chance, times, unknownProduct, number),
  productId,
  waiters:
    productId === null
      ? []
      : accounts.slice(0, 3).map((accountId, at) => {
          const waiter = drawWaiting(chance, times, shop, productId, 100 + 10 * number + at)
          return { ...waiter, accountId, quantity: 1, afterwards: "waits" }
        }),
  everyMillis: chance.pick([3, 10, 20]),
  times: 8,
  orders: chance.pick([2, 3, 4]),
  pauseMillis: chance.pick([0, 2, 8, 20]),
  refreshes: chance.happens(0.75),
})

const listChanges: ReadonlyArray<ProductChange> = [
  { waitlist: false },
  { waitlist: false },
  { waitlist: true },
  { waitlist: true },
  { paused: true },
  { paused: false },
  { paused: false },
  { paused: false },
  { limitPerCustomer: 1 },
  { limitPerCustomer: 1 },
  { limitPerCustomer: 1 },
  { limitPerCustomer: 2 },
  { limitPerCustomer: null },
  { limitPerCustomer: null },
  { limitPerCustomer: null },
]

const drawListEdit = (chance: Chance, { at }: Times, productId: ProductId): Edit => ({
  atMillis: at(),
  productId,
  change: chance.pick(listChanges),
  of: "any",
  retriesMax: 2,
})

export const drawLives = (chance: Chance, shop: Shop): Lives => {
  const kind = chance.pick(["none", "paying", "paying", "paying", "paying", "waiting", "waiting", "both"] as const)
  const pays = kind === "paying" || kind === "both"
  const waits = kind === "waiting" || kind === "both"
  const lengthMillis = chance.pick([100, 600, 3_000])
  const instants = some(chance.between(1, 5), () => chance.between(0, lengthMillis))
  const times: Times = {
    at: () => (chance.happens(0.6) ? chance.pick(instants) : chance.between(0, lengthMillis + 500)),
    extensionMillis: chance.pick([50, 50, 400, 1_500]),
    chargeMillis: chance.pick([
      [0, 5],
      [0, 60, 400],
      [5, 400, 1_500],
    ]),
  }
  const popular = chance.pick(shop.products).productId
  const ttlMaxMillis = {
    none: () => null,
    paying: () => chance.pick([null, null, 500, 1_500]),
    waiting: () => chance.pick([null, null, 150, 500]),
    both: () => chance.pick([null, null, 500, 1_500]),
  }
  const { at } = times
  return {
    payers: pays ? some(chance.between(3, 12), (number) => drawPayer(chance, times, number)) : [],
    refunders: pays
      ? some(chance.pick([0, 2, 3]), () => {
          return { atMillis: at() + 200, times: chance.pick([1, 2, 2, 2]), sellsAll: chance.happens(0.8) }
        })
      : [],
    senders: pays
      ? some(chance.pick([10, 14, 16]), () => ({
          atMillis: at() + chance.pick([50, 400, 1_200]),
          merchant: chance.below(2),
          times: chance.pick([1, 2]),
          delivers: chance.happens(0.7),
        }))
      : [],
    waiters: waits ? some(chance.between(2, 9), (number) => drawWaiting(chance, times, shop, popular, number)) : [],
    hunters:
      kind === "none" ? [] : some(chance.pick([0, 0, 1, 1]), (number) => drawHunter(chance, times, popular, number)),
    chasers:
      kind === "none"
        ? []
        : some(chance.pick([0, 0, 1, 3]), (number) => drawChaser(chance, times, shop, waits ? popular : null, number)),
    listEdits: waits ? some(chance.pick([0, 3, 8, 12]), () => drawListEdit(chance, times, popular)) : [],
    refreshings: waits
      ? some(chance.pick([0, 0, 2, 4]), () => ({
          atMillis: at(),
          merchant: chance.below(2),
          times: chance.pick([1, 8]),
        }))
      : [],
    offerTtlMillis: chance.pick([150, 600, 2_000]),
    reservationTtlMaxMillis: ttlMaxMillis[kind](),
  }
}

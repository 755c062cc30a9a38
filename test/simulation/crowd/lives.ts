/**
 * What one seed draws of what follows a reservation: who pays, refunds and ships, and who waits for what is sold out.
 * From a stream of its own, so that the shop is the same with and without. Some seeds have none of it, most have a part.
 */
import { AccountId, type CallerId, type ProductId } from "../../../src/domain/ids.ts"
import type { Chance } from "../machine/chance.ts"
import type { ChargeFate } from "./provider.ts"
import { buyers, type Shop } from "./shop.ts"

/** Somebody pays an order that is there, some right at the end of its time. */
export interface Payer {
  readonly number: number
  readonly atMillis: number
  readonly isExternal: boolean
  readonly fate: ChargeFate
  /** When the provider calls back after its decision, and how often at once; null where it does not. */
  readonly callback: { readonly afterMillis: number; readonly times: number } | null
  readonly extensionMillis: number
  readonly waitsForTheEnd: boolean
  /** Whether the buyer cancels at the same moment. */
  readonly regrets: boolean
  readonly retriesMax: number
  readonly goesToSecond: boolean
}

/** The shop gives a paid order back. */
export interface Refunder {
  readonly atMillis: number
  readonly times: number
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
  readonly caller: CallerId
  readonly productId: ProductId
  readonly quantity: number
  readonly then: "waits" | "joins again" | "leaves"
  readonly answer:
    | "accepts"
    | "accepts twice"
    | "accepts under two keys"
    | "accepts at its end"
    | "declines"
    | "lets it lapse"
  readonly goesToSecond: boolean
}

export interface Lives {
  readonly payers: ReadonlyArray<Payer>
  readonly refunders: ReadonlyArray<Refunder>
  readonly senders: ReadonlyArray<Sender>
  readonly waiters: ReadonlyArray<Waiting>
  readonly offerTtlMillis: number
}

const some = <A>(count: number, draw: (number: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, number) => draw(number))

export const drawLives = (chance: Chance, { products }: Shop): Lives => {
  const kind = chance.pick(["none", "none", "paying", "paying", "waiting", "waiting", "both"] as const)
  const pays = kind === "paying" || kind === "both"
  const waits = kind === "waiting" || kind === "both"
  const lengthMillis = chance.pick([100, 600, 3_000])
  const instants = some(chance.between(1, 5), () => chance.between(0, lengthMillis))
  const at = () => (chance.happens(0.6) ? chance.pick(instants) : chance.between(0, lengthMillis + 500))
  const extensionMillis = chance.pick([50, 400, 1_500])
  const chargeMillis = chance.pick([
    [0, 5],
    [0, 60, 400],
    [5, 400, 1_500],
  ])
  const accounts = buyers.filter((buyer) => buyer.customerRef === null)
  const popular = chance.pick(products)
  const drawPayer = (number: number): Payer => ({
    number,
    atMillis: at(),
    isExternal: chance.happens(0.15),
    fate: {
      isDeclined: chance.happens(0.2),
      millis: chance.pick(chargeMillis),
      losesAnswer: chance.happens(0.2),
    },
    callback: chance.happens(0.5) ? { afterMillis: chance.pick([0, 0, 10, 300]), times: chance.pick([1, 2]) } : null,
    extensionMillis,
    waitsForTheEnd: chance.happens(0.4),
    regrets: chance.happens(0.25),
    retriesMax: chance.pick([0, 1, 3]),
    goesToSecond: chance.happens(0.5),
  })
  const drawWaiting = (number: number): Waiting => {
    const { caller } = chance.pick(accounts)
    return {
      number,
      atMillis: at(),
      accountId: AccountId.make(caller),
      caller,
      productId: chance.happens(0.7) ? popular.productId : chance.pick(products).productId,
      quantity: chance.pick([1, 1, 1, 2, 3]),
      then: chance.pick(["waits", "waits", "waits", "joins again", "leaves"]),
      answer: chance.pick([
        "accepts",
        "accepts twice",
        "accepts under two keys",
        "accepts at its end",
        "declines",
        "lets it lapse",
      ]),
      goesToSecond: chance.happens(0.5),
    }
  }
  return {
    payers: pays ? some(chance.between(2, 10), drawPayer) : [],
    refunders: pays ? some(chance.pick([0, 2, 4]), () => ({ atMillis: at() + 200, times: chance.pick([1, 2]) })) : [],
    senders: pays
      ? some(chance.pick([0, 3, 6]), () => ({
          atMillis: at() + chance.pick([100, 1_500]),
          merchant: chance.below(2),
          times: chance.pick([1, 2]),
          delivers: chance.happens(0.7),
        }))
      : [],
    waiters: waits ? some(chance.between(1, 7), drawWaiting) : [],
    offerTtlMillis: chance.pick([150, 600, 2_000]),
  }
}

/**
 * Those who are after units that come back although nobody promised them any: they ask for one after the other, and chase
 * what somebody cancels, while the shard is made to forget what it knew of the product. Whatever is given back and not
 * kept for who comes first, they have.
 */
import { Clock, Effect, Fiber } from "effect"
import type { ProductId, Shard } from "../../../src/domain/ids.ts"
import type { OrderRow } from "../../../src/inventory/memory/memoryRows.ts"
import { cancelling, nodeFor, type Place, visiting } from "./crowd.ts"
import { deadlineMillis, doing, orderIn } from "./deeds.ts"
import type { Chaser, Hunter, Refreshing } from "./lives.ts"
import { merchantIds } from "./shop.ts"
import { waiting } from "./waitingForUnits.ts"

/** Asks for one unit after the other, whatever comes of it. */
export const hunting = Effect.fnUntraced(function* (place: Place, hunter: Hunter) {
  const { buyer, everyMillis, number, productId, reservationTtlMillis } = hunter
  yield* Effect.sleep(hunter.atMillis)
  const asking: Array<Fiber.Fiber<void>> = []
  for (let time = 0; time < hunter.times; time++) {
    const wish = { buyer, key: `hunt ${number}, ${time}`, lines: [{ productId, quantity: 1 }], expectedTotal: null }
    const once = { atMillis: 0, patienceMillis: null, deadlineMillis, retriesMax: 0, goesToSecond: time % 2 === 0 }
    asking.push(yield* Effect.forkChild(visiting(place, { ...once, wish: { ...wish, reservationTtlMillis } })))
    yield* Effect.sleep(everyMillis)
  }
  for (const fiber of asking) yield* Fiber.join(fiber)
})

/** Reservations in their time that have units of one product, and where that belongs. */
interface Quarry {
  readonly orders: ReadonlyArray<OrderRow>
  readonly productId: ProductId
  readonly shard: Shard
  readonly merchant: number
}

const quarryOf = (place: Place, chaser: Chaser): Quarry | null => {
  const { tables } = place.database
  const isOpen = ({ expiresAtMillis, status }: OrderRow): boolean =>
    status === "reserved" && expiresAtMillis > place.runtime.nowMillis
  const has = ({ orderId }: OrderRow, productId: ProductId): boolean =>
    tables.linesOf(orderId).some((line) => line.productId === productId)
  const isAtHome = ({ homeShard }: OrderRow, productId: ProductId): boolean =>
    tables.products.get(productId)?.shard === homeShard
  const first = orderIn(
    place,
    ["reserved"],
    (order) =>
      isOpen(order) &&
      (chaser.productId === null || (isAtHome(order, chaser.productId) && has(order, chaser.productId))),
  )
  if (first === null) return null
  const products = tables.linesOf(first.orderId).flatMap((line) => tables.products.get(line.productId) ?? [])
  const wanted = products.find(({ productId }) => productId === chaser.productId)
  const product = wanted ?? products.find(({ shard }) => shard !== first.homeShard) ?? products[0]
  if (product === undefined) return null
  const { merchantId, productId, shard } = product
  const others = tables.orders.all().filter((order) => order !== first && isOpen(order) && has(order, productId))
  const orders = [first, ...others].slice(0, chaser.orders)
  return { orders, productId, shard, merchant: merchantIds.indexOf(merchantId) }
}

/** Cancels a few orders of one product one after the other, and hunts for what they had. */
export const chasing = Effect.fnUntraced(function* (place: Place, chaser: Chaser) {
  const { chance } = place
  yield* Effect.sleep(chaser.atMillis)
  const quarry = quarryOf(place, chaser)
  if (quarry === null) return
  const { merchant, orders, productId, shard } = quarry
  const waiters: Array<Fiber.Fiber<void>> = []
  for (const waiter of chaser.waiters) {
    waiters.push(yield* Effect.forkChild(waiting(place, { ...waiter, productId, atMillis: 0 })))
  }
  if (waiters.length > 0) yield* Effect.sleep(chance.pick([60, 150, 300]))
  // By the time that the first of them comes back the shard knows nothing of the product, and of the second it does.
  if (chaser.refreshes) yield* refreshedOnce(place, merchant, shard)
  const atMillis = chance.pick([0, 2, 10, 25])
  const cancelled = orders.map((order, at) =>
    Effect.andThen(Effect.sleep(at * chaser.pauseMillis), cancelling(place, order, order.caller, null)),
  )
  const hunted = hunting(place, { ...chaser, number: 100 + chaser.number, atMillis, productId })
  yield* Effect.all([hunted, ...cancelled], { concurrency: "unbounded", discard: true })
  for (const fiber of waiters) yield* Fiber.join(fiber)
})

/** What is remembered of a merchant's products is read anew, as where somebody may sell no longer. */
export const refreshing = Effect.fnUntraced(function* (place: Place, { atMillis, merchant, times }: Refreshing) {
  const { chance, database } = place
  yield* Effect.sleep(atMillis)
  for (let time = 0; time < times; time++) {
    for (let shard = 0; shard < database.shards; shard++) yield* refreshedOnce(place, merchant, shard)
    yield* Effect.sleep(chance.pick([0, 15, 40]))
  }
})

const refreshedOnce = (place: Place, merchant: number, shard: Shard) =>
  Effect.suspend(() => {
    const merchantId = merchantIds[merchant]
    const node = nodeFor(place, place.chance.happens(0.5))
    if (node === undefined || merchantId === undefined) return Effect.void
    const refresh = Effect.flatMap(Clock.currentTimeMillis, (nowMillis) =>
      node.inventory.submit(shard, { _tag: "Refresh", merchantId }, nowMillis + deadlineMillis),
    )
    return Effect.asVoid(doing(place, node, "refresh", `merchant ${merchant}`, refresh))
  })

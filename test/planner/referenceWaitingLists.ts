/**
 * The reference model of waiting lists, one command at a time: who waits, and who is offered what there is.
 */
import { type Join, type Leave, type Offer, offerHold } from "../../src/domain/commands.ts"
import { productOf, refused, unitsHad, type Verdict, type World, type WorldWaiter } from "./referenceWorld.ts"

const samePlace = (one: Pick<WorldWaiter, "productId" | "accountId">) => (other: typeof one) =>
  one.productId === other.productId && one.accountId === other.accountId

export const join = (world: World, { accountId, offerId, productId, quantity }: Join): Verdict => {
  const product = productOf(world, productId)
  if (product === undefined || product.archived) return refused({ code: "unknown_product", productIds: [productId] })
  if (!product.waitlist) return refused({ code: "no_waitlist", productId })
  const allowed = product.limitPerCustomer
  const had = unitsHad(world, productId, accountId)
  if (allowed !== null && had + quantity > allowed) return refused({ code: "limit_exceeded", productId, allowed, had })
  const isSame = samePlace({ productId, accountId })
  const earlier = world.waiting.find(isSame)
  if (earlier?.quantity === quantity) return { _tag: "Joined" }
  const place = { productId, accountId, quantity, offerId: earlier?.offerId ?? offerId }
  world.waiting = [...world.waiting.filter((row) => !isSame(row)), place]
  return { _tag: "Joined" }
}

export const leave = (world: World, place: Leave): Verdict => {
  world.waiting = world.waiting.filter((row) => !samePlace(place)(row))
  return { _tag: "Done" }
}

/** The earliest whose quantity fits, then the next, as long as there is anything; nobody past the limit. */
export const offer = (world: World, { productId }: Offer): Verdict => {
  const product = productOf(world, productId)
  const isOffered = product !== undefined && product.waitlist && !product.paused && !product.archived
  if (!isOffered || (product.saleStartsAtMillis ?? 0) > world.nowMillis) return { _tag: "Done" }
  for (const waiter of world.waiting.filter((row) => row.productId === productId)) {
    const { accountId, offerId, quantity } = waiter
    if (quantity > product.available) continue
    world.waiting = world.waiting.filter((row) => row !== waiter)
    const allowed = product.limitPerCustomer
    if (allowed !== null && unitsHad(world, productId, accountId) + quantity > allowed) continue
    product.available -= quantity
    const line = { productId, quantity, unitPrice: product.price }
    const name = offerHold(offerId, accountId)
    world.holds.push({ ...name, ...line, kind: "offer", customer: accountId, isExpired: false })
  }
  return { _tag: "Done" }
}

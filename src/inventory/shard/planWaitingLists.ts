/**
 * The part of the planner that decides about waiting lists: who waits for a product, and who is offered what came back.
 *
 * Must stay true: what is there is offered to the earliest whose quantity fits before anybody else can take it. So an
 * offer that could not look at everybody keeps the product from the orders behind it until it has.
 */
import { offersMax } from "../../domain/bounds.ts"
import { type Join, type Leave, type Offer, unitsName } from "../../domain/commands.ts"
import type { ProductState } from "../../domain/batch.ts"
import type { JoinRefusal } from "../../domain/refusals.ts"
import { type Decision, type Draft, later } from "./draft.ts"
import { addHeldUnits, customerUnits } from "./planOrders.ts"

export const decideJoin = (draft: Draft, command: Join): Decision | typeof later => {
  const { accountId, productId, quantity } = command
  const place = unitsName(productId, accountId)
  const product = draft.products.get(productId)
  const isOpen = draft.amended.has(productId) || draft.offered.has(productId) || draft.places.has(place)
  if (isOpen || (product !== undefined && draft.refreshed.has(product.merchantId))) return later
  if (product === undefined || product.archived) return refuse({ code: "unknown_product", productIds: [productId] })
  if (!product.waitlist) return refuse({ code: "no_waitlist", productId })
  const allowed = product.limitPerCustomer
  if (allowed !== null) {
    const had = customerUnits(draft, productId, accountId)
    if (had + quantity > allowed) {
      return draft.gains.has(productId) ? later : refuse({ code: "limit_exceeded", productId, allowed, had })
    }
  }
  draft.places.add(place)
  draft.joined.add(productId)
  draft.joins.push(command)
  return { _tag: "Join" }
}

export const decideLeave = (draft: Draft, command: Leave): Decision | typeof later => {
  const place = unitsName(command.productId, command.accountId)
  if (draft.offered.has(command.productId) || draft.places.has(place)) return later
  draft.places.add(place)
  draft.leaves.push(command)
  return { _tag: "Done" }
}

export const decideOffer = (draft: Draft, { productId }: Offer): Decision | typeof later => {
  const product = draft.products.get(productId)
  if (product === undefined) return offers([])
  const isChanging =
    draft.amended.has(productId) || draft.gains.has(productId) || draft.refreshed.has(product.merchantId)
  if (isChanging || draft.joined.has(productId)) return later
  if (draft.offered.has(productId)) return offers([])
  if (!isOffered(product)) {
    draft.offered.set(productId, { mayGoOn: false })
    return offers([])
  }
  // Nobody can buy it yet; what is to be offered stays so until its sale begins.
  if ((product.saleStartsAtMillis ?? 0) > draft.nowMillis) return offers([])

  const waiters = draft.facts.waiters.get(productId) ?? []
  const { currency, price: unitPrice } = product
  const first = draft.offers.length
  draft.offered.set(productId, { mayGoOn: waiters.length > offersMax })
  for (const waiter of waiters.slice(0, offersMax)) {
    const { accountId, quantity } = waiter
    const available = draft.available.get(productId) ?? product.available
    if (quantity > available || draft.places.has(unitsName(productId, accountId))) continue
    const had = customerUnits(draft, productId, accountId)
    if (product.limitPerCustomer !== null && had + quantity > product.limitPerCustomer) {
      // Who has bought as many meanwhile waits no longer.
      draft.leaves.push({ _tag: "Leave", productId, accountId })
      continue
    }
    draft.available.set(productId, available - quantity)
    addHeldUnits(draft, productId, quantity)
    const name = unitsName(productId, accountId)
    const unitsBefore = product.countsUnits ? (draft.facts.units.get(name) ?? 0) : null
    if (product.countsUnits) draft.units.set(name, had + quantity)
    draft.offers.push({ ...waiter, productId, unitPrice, currency, unitsBefore })
  }
  return offers(draft.offers.slice(first))
}

/** Whether what there is of a product is offered to those who wait, once its sale has begun; an edit changes it. */
const isOffered = (product: ProductState): boolean => product.waitlist && !product.paused && !product.archived

const offers = (made: ReadonlyArray<Draft["offers"][number]>): Decision => ({ _tag: "Offers", offers: made })

const refuse = (refusal: JoinRefusal): Decision => ({ _tag: "Answered", outcome: { _tag: "Refused", refusal } })

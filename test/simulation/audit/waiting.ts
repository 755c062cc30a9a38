/**
 * The judge of waiting lists, by the rows before and after each commit: who waits is offered what there is in the order
 * of the list, the earliest whose quantity fits first and before anybody else has a unit of it; each offer ends once.
 *
 * Must stay true: whom an offer has to go to is worked out here from the rows alone, as if nobody had planned it.
 */
import assert from "node:assert/strict"
import { type Command, offerHold, unitsName } from "../../../src/domain/commands.ts"
import type { AttemptId, ProductId } from "../../../src/domain/ids.ts"
import { isLive } from "../../../src/domain/order.ts"
import { customerOf, type HoldRow, type ProductRow, type WaiterRow } from "../../../src/inventory/memory/memoryRows.ts"
import type { MemoryTables } from "../../../src/inventory/memory/memoryTables.ts"
import { placeCount } from "./counts.ts"
import type { Changes, LivesBefore, LivesCommit } from "./lives.ts"

const isBefore = (left: WaiterRow, right: WaiterRow): boolean =>
  left.batch < right.batch || (left.batch === right.batch && left.number < right.number)

const nameOf = ({ accountId, productId }: Pick<WaiterRow, "accountId" | "productId">): string =>
  unitsName(productId, accountId)

/** What changed of places, each under its own name. */
export const changesOfPlaces = (before: LivesBefore, tables: MemoryTables, changes: Changes): void => {
  for (const [name, { accountId, productId, quantity }] of before.waitingList) {
    const by = (tables.waitingList.get(name)?.quantity ?? 0) - quantity
    if (by !== 0) changes.add(name, placeCount(productId, accountId), by)
  }
  for (const place of tables.waitingList.all()) {
    const { accountId, productId, quantity } = place
    if (!before.waitingList.has(nameOf(place))) changes.add(nameOf(place), placeCount(productId, accountId), quantity)
  }
}

/** What a shard did of its own accord: offers it made, and places it took away from who may have no more. */
export interface Own {
  readonly offers: ReadonlyArray<HoldRow>
  readonly removed: ReadonlyArray<WaiterRow>
  /** Offers that ended, and how. */
  readonly ended: ReadonlyArray<Ended>
  readonly events: ReadonlyArray<string>
}

interface Ended {
  readonly attempt: AttemptId
  readonly how: "accepted" | "expired" | "declined"
  readonly event: string
}

/** Checks every change of waiting lists; `takes` are the products of which this batch sold or held units otherwise. */
export const followWaiting = (commit: LivesCommit, takes: ReadonlySet<ProductId>): Own => {
  const { before, history, note, tables, went, write } = commit
  const events: Array<string> = []
  const removed: Array<WaiterRow> = []
  const offers = newOffers(commit)
  for (const [name, place] of before.waitingList) {
    const { offerId, productId } = place
    if (tables.waitingList.get(name) !== undefined) continue
    const offer = offers.find(({ attempt }) => attempt === String(offerId))
    if (offer !== undefined) {
      checkOffer(commit, place, offer)
      events.push(`offer.made ${productId} ${offerId}`)
      went("waiting -> offered")
      continue
    }
    events.push(`waitlist.left ${productId} ${offerId}`)
    const leave = write.leaves.find((one) => nameOf(one) === name)
    if (leave === undefined) return assert.fail("somebody was taken off a list although nobody asked")
    const submission = history.byCommand.get(leave)
    went(`waiting -> ${submission === undefined ? "taken off" : "left"}`)
    if (submission !== undefined) note(submission, name)
    else removed.push(place)
  }
  for (const place of tables.waitingList.all()) {
    const earlier = before.waitingList.get(nameOf(place))
    if (earlier === place) continue
    events.push(`waitlist.joined ${place.productId} ${place.offerId}`)
    went(`${earlier === undefined ? "none" : "waiting"} -> waiting`)
    assert.notStrictEqual(earlier?.quantity, place.quantity, "the same wish lost its place")
    assert.strictEqual(place.offerId, earlier?.offerId ?? place.offerId, "a place that is kept has another name")
    for (const other of tables.waitingList.all()) {
      const isNew = before.waitingList.get(nameOf(other)) !== other
      if (isNew || other.productId !== place.productId) continue
      assert.ok(isBefore(other, place), "somebody joined before who was there")
    }
    const command = write.joins.find((one) => nameOf(one) === nameOf(place))
    if (command === undefined) return assert.fail("somebody waits who never asked to")
    assert.strictEqual(command.quantity, place.quantity, "somebody waits for another quantity than was asked for")
    note(history.byCommand.get(command), nameOf(place))
  }
  if (offers.length + removed.length + takes.size > 0) assertNobodyPassedOver(commit, { offers, removed, takes })
  const ended = endedOffers(commit)
  for (const { how } of ended) went(`offered -> ${how}`)
  return { offers, removed, ended, events: [...events, ...ended.map(({ event }) => event)] }
}

/** Offers that this batch made. */
const newOffers = ({ before, tables }: LivesCommit): ReadonlyArray<HoldRow> => {
  const known = new Set([...before.holds.values()].map((row) => row.attempt))
  return tables.holds.all().filter((row) => row.kind === "offer" && !known.has(row.attempt))
}

/** An offer is of all that its place waited for, for as long as the shop says. */
const checkOffer = ({ atMillis, write }: LivesCommit, place: WaiterRow, offer: HoldRow): void => {
  const { accountId, offerId, productId, quantity, shard } = place
  const expected = { ...offerHold(offerId, accountId), shard, productId, quantity, customer: accountId }
  assert.deepStrictEqual({ ...offer, ...expected }, offer, "an offer of something else than its place waited for")
  assert.strictEqual(offer.expiresAtMillis, atMillis + write.offerTtlMillis, "an offer for another time")
}

/** Each offer that is gone was sold to its own account, declined, or over its time. */
const endedOffers = ({ before, tables, write }: LivesCommit): ReadonlyArray<Ended> => {
  const kept = new Set(tables.holds.all().map((row) => row.attempt))
  return [...before.holds.values()].flatMap((row): ReadonlyArray<Ended> => {
    const { attempt, customer, kind, productId } = row
    if (kind !== "offer" || kept.has(attempt)) return []
    const order = write.orders.find(({ command }) => isOf(command, attempt) && isNew(command, before, tables))
    if (order !== undefined) {
      const { command } = order
      assert.strictEqual(customerOf(command), customer, "somebody else's offer was sold")
      return [{ attempt, how: "accepted", event: `offer.accepted ${productId} ${attempt} ${command.orderId}` }]
    }
    const release = write.releases.find((one) => one.attempt === attempt)
    if (release === undefined) return assert.fail("an offer ended although nobody asked")
    const how = release.onlyExpired ? "expired" : "declined"
    return [{ attempt, how, event: `offer.${how} ${productId} ${attempt}` }]
  })
}

type Reserve = Extract<Command, { readonly _tag: "Reserve" }>

const isOf = ({ held }: Reserve, attempt: AttemptId): boolean => held.some((part) => part.attempt === attempt)
const isNew = ({ orderId }: Reserve, before: LivesBefore, tables: MemoryTables): boolean =>
  !before.orders.has(orderId) && tables.orders.get(orderId) !== undefined

const isOffered = (product: ProductRow | undefined, atMillis: number): boolean =>
  product !== undefined &&
  product.waitlist &&
  !product.paused &&
  !product.archived &&
  (product.saleStartsAtMillis ?? 0) <= atMillis

interface Done extends Pick<Own, "offers" | "removed"> {
  readonly takes: ReadonlySet<ProductId>
}

/**
 * Of each product that this batch offered or sold, exactly those were offered who come to it in the order of the list
 * with what there was before it; who may have no more was taken off.
 */
const assertNobodyPassedOver = (commit: LivesCommit, { offers, removed, takes }: Done): void => {
  const { atMillis, before, write } = commit
  const products = new Set([...takes, ...[...offers, ...removed].map((row) => row.productId)])
  for (const productId of products) {
    const product = before.products.get(productId)
    if (!isOffered(product, atMillis)) {
      const made = offers.filter((row) => row.productId === productId)
      assert.deepStrictEqual(made, [], `${productId} was offered, which nobody can buy`)
      continue
    }
    let left = before.stock.get(productId) ?? 0
    const due: Array<string> = []
    const over: Array<string> = []
    const places = [...before.waitingList.values()].filter((place) => place.productId === productId)
    for (const place of places.toSorted((one, other) => (isBefore(one, other) ? -1 : 1))) {
      const { accountId, offerId, quantity } = place
      // Who leaves ahead of an offer that somebody asked for is not there any more; who leaves a sale ahead is passed by.
      const leaves = write.leaves.some((one) => nameOf(one) === nameOf(place)) && !removed.includes(place)
      if (quantity > left || leaves) continue
      const limit = product?.limitPerCustomer ?? null
      if (limit !== null && unitsBefore(commit, productId, accountId) + quantity > limit) {
        over.push(offerId)
        continue
      }
      due.push(offerId)
      left -= quantity
    }
    const got = offers.filter((row) => row.productId === productId).map((row) => row.attempt)
    const gone = removed.filter((row) => row.productId === productId).map((row) => row.offerId)
    const what = takes.has(productId) ? "sold while somebody waits for it" : "offered"
    assert.deepStrictEqual(got.toSorted(), due.toSorted(), `${productId} was ${what}, and not to the earliest who fit`)
    assert.deepStrictEqual(gone.toSorted(), over.toSorted(), `who may have no more of ${productId} was taken off`)
  }
}

/** Units that a customer had of a product before a batch, by every row that counts. */
const unitsBefore = ({ before, tables }: LivesCommit, productId: ProductId, customer: string): number => {
  const orders = [...before.orders.values()].filter((order) => isLive(order.status) && customerOf(order) === customer)
  const lines = orders.flatMap((order) => tables.linesOf(order.orderId))
  const rows = [...before.holds.values(), ...before.returns.values()].filter((row) => row.customer === customer)
  return [...lines, ...rows].reduce((sum, row) => (row.productId === productId ? sum + row.quantity : sum), 0)
}

/** Those who wait for no more than there is, though it is offered: nobody starves where there is none. */
export const waitersWhoFit = (tables: MemoryTables, nowMillis: number): ReadonlyArray<WaiterRow> =>
  tables.waitingList.all().filter(({ productId, quantity }) => {
    const isEnough = quantity <= (tables.stock.get(productId)?.available ?? 0)
    return isEnough && isOffered(tables.products.get(productId), nowMillis)
  })

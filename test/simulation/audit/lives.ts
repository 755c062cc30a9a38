/**
 * The judge of what follows a reservation, by the rows before and after each commit: an order goes from status to status
 * along the table of transitions, each time from its home and for a cause; it is paid by one payment of its total, in its
 * time; what comes back is offered to the earliest who fits, before anybody else has it. At the end, the provider's own
 * books are held against the rows.
 */
import assert from "node:assert/strict"
import type { BatchWrite } from "../../../src/domain/batch.ts"
import type { Command } from "../../../src/domain/commands.ts"
import type { OrderId, PaymentId, ProductId } from "../../../src/domain/ids.ts"
import { isLive, orderTransitions, paymentTransitions } from "../../../src/domain/order.ts"
import {
  customerOf,
  type HoldRow,
  type OrderRow,
  type PaymentRow,
  type ProductRow,
  type ShipmentRow,
  type WaiterRow,
} from "../../../src/inventory/memory/memoryRows.ts"
import type { MemoryTables } from "../../../src/inventory/memory/memoryTables.ts"
import type { Provider } from "../crowd/provider.ts"
import { unitsName } from "../../../src/domain/commands.ts"
import type { History, Submission } from "./history.ts"

/** Rows as a batch found them. */
export interface LivesBefore {
  readonly orders: ReadonlyMap<OrderId, OrderRow>
  readonly holds: ReadonlyMap<string, HoldRow>
  readonly products: ReadonlyMap<ProductId, ProductRow>
  readonly stock: ReadonlyMap<ProductId, number>
  readonly payments: ReadonlyMap<PaymentId, PaymentRow>
  readonly shipments: ReadonlyMap<string, ShipmentRow>
  readonly waitingList: ReadonlyMap<string, WaiterRow>
  /** Units that customers had, where they are counted in a row. */
  readonly units: ReadonlyMap<string, number>
}

export interface LivesCommit {
  readonly tables: MemoryTables
  readonly before: LivesBefore
  readonly write: BatchWrite
  readonly atMillis: number
  readonly history: History
  /** Notes that a command took effect, with what it moved of the stock. */
  readonly note: (submission: Submission | undefined, lines: "nothing" | { readonly order: OrderRow }) => void
}

/** Checks every change of orders, payments, shipments and waiting lists, and returns the events that tell of them. */
export const followLives = (commit: LivesCommit): ReadonlyArray<string> => [
  ...followOrders(commit),
  ...followPayments(commit),
  ...followShipments(commit),
  ...followWaiting(commit),
]

const followOrders = ({ atMillis, before, history, note, tables, write }: LivesCommit): ReadonlyArray<string> => {
  const events: Array<string> = []
  for (const order of tables.orders.all()) {
    const { expiresAtMillis, homeShard, orderId, paidAtMillis, status } = order
    const earlier = before.orders.get(orderId)
    if (earlier === order) continue
    if (earlier === undefined) {
      assert.strictEqual(status, "reserved", `order ${orderId} began as ${status}`)
      events.push(`order.reserved ${orderId}`)
      continue
    }
    const { expiresAtMillis: _, paidAtMillis: __, status: ___, ...same } = earlier
    assert.deepStrictEqual({ ...order, ...same }, order, `order ${orderId} became another`)
    assert.strictEqual(homeShard, write.shard, `order ${orderId} was changed away from home`)
    if (expiresAtMillis !== earlier.expiresAtMillis) {
      const begun = write.payments.find((payment) => payment.orderId === orderId)
      const latest = Math.max(earlier.expiresAtMillis, atMillis + (begun?.extensionMillis ?? 0))
      assert.strictEqual(tables.paymentsOf(orderId).length, 1, `order ${orderId} was given more time again`)
      assert.strictEqual(expiresAtMillis, latest, `order ${orderId} was given other time than its payment asked for`)
    }
    if (status === earlier.status) continue
    const step = `order ${orderId} went from ${earlier.status} to ${status}`
    assert.ok(orderTransitions[earlier.status].includes(status), step)
    events.push(`order.${status} ${orderId}`)
    const isOver = earlier.expiresAtMillis <= atMillis
    if (earlier.status === "reserved") {
      assert.strictEqual(isOver, status === "expired", `order ${orderId} ended on the wrong side of its time`)
    }
    if (status === "paid") assert.strictEqual(paidAtMillis, atMillis, `${step} at another time`)
    if (isLive(status)) continue
    const ending = write.endings.find((one) => one.orderId === orderId)
    assert.ok(ending !== undefined, `order ${orderId} ended although nobody asked`)
    const asFor = status === "refunded" ? ["cancelled", "refunded"] : [status]
    assert.ok(asFor.includes(ending.status), `${step} although somebody asked for ${ending.status}`)
    note(history.byContent.get(ending.lines), { order })
  }
  return events
}

const holdsMoney = ({ status }: PaymentRow): boolean => status === "processing" || status === "succeeded"

const followPayments = (commit: LivesCommit): ReadonlyArray<string> => {
  const { before, tables, write } = commit
  const events: Array<string> = []
  for (const payment of tables.payments.all()) {
    const { orderId, paymentId, status } = payment
    const earlier = before.payments.get(paymentId)
    if (earlier === payment) continue
    if (earlier === undefined) checkBegun(commit, payment)
    else checkSettled(commit, earlier, payment)
    if (status !== earlier?.status) events.push(`payment.${status} ${orderId} ${paymentId}`)
  }
  for (const order of tables.orders.all()) {
    if (order === before.orders.get(order.orderId) && write.payments.length + write.settlements.length === 0) continue
    const having = tables.paymentsOf(order.orderId).filter(holdsMoney)
    assert.ok(having.length <= 1, `order ${order.orderId} may be paid twice`)
    const paid = having.filter((payment) => payment.status === "succeeded")
    const isPaid = order.paidAtMillis !== null && isLive(order.status)
    assert.strictEqual(
      paid.length,
      isPaid ? 1 : 0,
      `order ${order.orderId} is ${order.status} with ${paid.length} payments`,
    )
    for (const { amount } of paid)
      assert.strictEqual(amount, order.total, `order ${order.orderId} was paid another sum`)
  }
  return events
}

const checkBegun = ({ atMillis, before, history, note, tables, write }: LivesCommit, payment: PaymentRow): void => {
  const { orderId, paymentId, status } = payment
  const command = write.payments.find((one) => one.paymentId === paymentId)
  if (command === undefined) return assert.fail(`payment ${paymentId} began although nobody asked`)
  const order = before.orders.get(orderId)
  assert.strictEqual(order?.status, "reserved", `a payment began for order ${orderId}, which is ${order?.status}`)
  assert.ok(order.expiresAtMillis > atMillis, `a payment began for order ${orderId} after its time`)
  assert.strictEqual(status, command.payment._tag === "External" ? "succeeded" : "processing")
  const others = [...before.payments.values()].filter((other) => other.orderId === orderId && holdsMoney(other))
  assert.strictEqual(others.length, 0, `two payments of order ${orderId} at once`)
  assert.strictEqual(
    tables.orders.get(orderId)?.total,
    payment.amount,
    `a payment of another sum than order ${orderId}`,
  )
  note(history.byCommand.get(command), "nothing")
}

const checkSettled = (
  { atMillis, before, history, note, tables, write }: LivesCommit,
  earlier: PaymentRow,
  payment: PaymentRow,
): void => {
  const { orderId, paymentId, status } = payment
  const step = `payment ${paymentId} went from ${earlier.status} to ${status}`
  assert.ok(paymentTransitions[earlier.status].includes(status), step)
  if (earlier.status === "succeeded") {
    return assert.strictEqual(
      tables.orders.get(orderId)?.status,
      "refunded",
      `${step} of an order that is not refunded`,
    )
  }
  const command = write.settlements.find((one) => one.paymentId === paymentId && one.orderId === orderId)
  if (command === undefined) return assert.fail(`${step} although nobody asked`)
  const order = before.orders.get(orderId)
  const isInTime = order?.status === "reserved" && order.expiresAtMillis > atMillis
  const expected = {
    Succeeded: isInTime ? "succeeded" : "refunding",
    Declined: "declined",
    Refunded: "refunded",
  } as const
  assert.strictEqual(status, expected[command.result._tag], step)
  note(history.byCommand.get(command), "nothing")
}

const followShipments = ({ before, history, note, tables, write }: LivesCommit): ReadonlyArray<string> => {
  const events: Array<string> = []
  for (const shipment of tables.shipments.all()) {
    const { deliveredAtMillis, merchantId, orderId, shipmentId } = shipment
    const earlier = before.shipments.get(shipmentId)
    if (earlier === shipment) continue
    const sellers = new Set(tables.linesOf(orderId).map((line) => tables.products.get(line.productId)?.merchantId))
    if (earlier === undefined) {
      const was = before.orders.get(orderId)?.status
      assert.ok(was === "paid" || was === "partiallyShipped", `order ${orderId} was shipped while ${was}`)
      assert.ok(sellers.has(merchantId), `a merchant shipped order ${orderId} and sells nothing in it`)
      events.push(`shipment.sent ${orderId} ${shipmentId}`)
      const command = write.shipments.find((one) => one.shipmentId === shipmentId)
      note(command === undefined ? undefined : history.byCommand.get(command), "nothing")
    } else {
      assert.ok(earlier.deliveredAtMillis === null && deliveredAtMillis !== null, "a shipment became another")
      events.push(`shipment.delivered ${orderId} ${shipmentId}`)
      const command = write.deliveries.find((one) => one.shipmentId === shipmentId)
      note(command === undefined ? undefined : history.byCommand.get(command), "nothing")
    }
    const shipments = tables.shipmentsOf(orderId)
    const isWhole = shipments.length === sellers.size
    const isDelivered = isWhole && shipments.every((one) => one.deliveredAtMillis !== null)
    const expected = isDelivered ? "delivered" : isWhole ? "shipped" : "partiallyShipped"
    assert.strictEqual(tables.orders.get(orderId)?.status, expected, `order ${orderId} is not as its shipments say`)
  }
  return events
}

const isBefore = (left: WaiterRow, right: WaiterRow): boolean =>
  left.batch < right.batch || (left.batch === right.batch && left.number < right.number)

const followWaiting = (commit: LivesCommit): ReadonlyArray<string> => {
  const { before, history, note, tables, write } = commit
  const events: Array<string> = []
  const offered = newOffers(commit)
  for (const [name, earlier] of before.waitingList) {
    const { offerId, productId } = earlier
    if (tables.waitingList.get(name) !== undefined) continue
    if (offered.some((offer) => offer.attempt === String(offerId))) {
      events.push(`offer.made ${productId} ${offerId}`)
      continue
    }
    events.push(`waitlist.left ${productId} ${offerId}`)
    const leave = write.leaves.find((one) => unitsName(one.productId, one.accountId) === name)
    if (leave === undefined) return assert.fail(`somebody was taken off a list although nobody asked`)
    const submission = history.byCommand.get(leave)
    if (submission !== undefined) note(submission, "nothing")
    else assert.ok(hasReachedLimit(commit, earlier), "who might have bought was taken off the list")
  }
  for (const place of tables.waitingList.all()) {
    const earlier = before.waitingList.get(unitsName(place.productId, place.accountId))
    if (earlier === place) continue
    events.push(`waitlist.joined ${place.productId} ${place.offerId}`)
    assert.notStrictEqual(earlier?.quantity, place.quantity, "the same wish lost its place")
    for (const other of tables.waitingList.all()) {
      if (other === place || other.productId !== place.productId) continue
      const isNew = before.waitingList.get(unitsName(other.productId, other.accountId)) !== other
      assert.ok(isNew || isBefore(other, place), "somebody joined before who was there")
    }
    const command = write.joins.find((one) => one.productId === place.productId && one.accountId === place.accountId)
    note(command === undefined ? undefined : history.byCommand.get(command), "nothing")
  }
  return [...events, ...endedOffers(commit)]
}

/** Offers that this batch made. */
export const newOffers = ({ before, tables }: Pick<LivesCommit, "before" | "tables">): ReadonlyArray<HoldRow> => {
  const known = new Set([...before.holds.values()].map((row) => row.attempt))
  return tables.holds.all().filter((row) => row.kind === "offer" && !known.has(row.attempt))
}

const endedOffers = ({ before, tables, write }: LivesCommit): ReadonlyArray<string> => {
  const kept = new Set(tables.holds.all().map((row) => row.attempt))
  return [...before.holds.values()].flatMap((row) => {
    const { attempt, kind, productId } = row
    if (kind !== "offer" || kept.has(attempt)) return []
    const order = write.orders.find(({ command }) => command.held.some((part) => part.attempt === attempt))
    const isSold = order !== undefined && before.orders.get(order.command.orderId) === undefined
    if (isSold && tables.orders.get(order.command.orderId) !== undefined) {
      return [`offer.accepted ${productId} ${attempt} ${order.command.orderId}`]
    }
    const release = write.releases.find((one) => one.attempt === attempt)
    if (release === undefined) return assert.fail("an offer ended although nobody asked")
    return [`offer.${release.onlyExpired ? "expired" : "declined"} ${productId} ${attempt}`]
  })
}

const hasReachedLimit = ({ before, tables }: LivesCommit, { accountId, productId, quantity }: WaiterRow): boolean => {
  const limit = before.products.get(productId)?.limitPerCustomer ?? null
  if (limit === null) return false
  const name = unitsName(productId, accountId)
  const had = [tables.customerUnits.get(name)?.units, before.units.get(name), unitsOf(tables, productId, accountId)]
  return had.some((units) => (units ?? 0) + quantity > limit)
}

const unitsOf = (tables: MemoryTables, productId: ProductId, customer: string): number => {
  const orders = tables.orders.all().filter((order) => isLive(order.status) && customerOf(order) === customer)
  const lines = orders.flatMap((order) => tables.linesOf(order.orderId))
  const rows = [...tables.holds.all(), ...tables.pendingReturns.all()].filter((row) => row.customer === customer)
  return [...lines, ...rows].filter((row) => row.productId === productId).reduce((sum, row) => sum + row.quantity, 0)
}

const isOffered = (product: ProductRow | undefined, atMillis: number): boolean =>
  product !== undefined &&
  product.waitlist &&
  !product.paused &&
  !product.archived &&
  (product.saleStartsAtMillis ?? 0) <= atMillis

/**
 * Who waited and fitted was not passed over: neither for somebody behind on the list who wants no less, nor for anybody
 * who took units of the product in this batch while there was enough.
 */
export const assertNobodyPassedOver = (commit: LivesCommit, takes: ReadonlySet<ProductId>): void => {
  const { atMillis, before, tables } = commit
  const offers = newOffers(commit)
  const stayed = [...before.waitingList].flatMap(([name, row]) => (tables.waitingList.get(name) === row ? [row] : []))
  for (const offer of offers) {
    const place = [...before.waitingList.values()].find((row) => String(row.offerId) === String(offer.attempt))
    if (place === undefined) return assert.fail("an offer to somebody who had not waited")
    for (const other of stayed) {
      if (other.productId !== place.productId || !isBefore(other, place)) continue
      assert.ok(other.quantity > place.quantity, "somebody was offered what came back before who waited longer")
    }
  }
  for (const productId of takes) {
    const product = before.products.get(productId)
    if (!isOffered(product, atMillis)) continue
    const offered = offers.filter((row) => row.productId === productId).reduce((sum, row) => sum + row.quantity, 0)
    const left = (before.stock.get(productId) ?? 0) - offered
    const waiting = stayed.filter((row) => row.productId === productId && row.quantity <= left)
    assert.strictEqual(waiting.length, 0, `somebody bought ${productId} that others wait for`)
  }
}

/** Those who wait for no more than there is, though it is offered. */
export const waitersWhoFit = (tables: MemoryTables, nowMillis: number): ReadonlyArray<WaiterRow> =>
  tables.waitingList
    .all()
    .filter(
      ({ productId, quantity }) =>
        isOffered(tables.products.get(productId), nowMillis) &&
        quantity <= (tables.stock.get(productId)?.available ?? 0),
    )

/** Nobody's money is kept without an order, and no order is paid without money. */
export const assertMoney = ({ payments }: MemoryTables, provider: Provider): void => {
  for (const { amount, method, paymentId, status } of payments.all()) {
    assert.ok(status !== "processing" && status !== "refunding", `payment ${paymentId} stays ${status}`)
    if (method === "external") continue
    const isKept = status === "succeeded"
    assert.strictEqual(provider.hasMoney(paymentId), isKept, `payment ${paymentId} is ${status}, and its money is not`)
    if (isKept) assert.strictEqual(provider.charges.get(paymentId)?.amount, amount, "another sum was charged")
  }
}

/** What a command about an order's life was told, against the rows of that moment. */
export const checkLifeAnswer = (command: Command, answer: { readonly _tag: string }, tables: MemoryTables): void => {
  if (command._tag === "Extend" && (answer._tag === "Begun" || answer._tag === "Repeated")) {
    const payment = tables.payments.all().find((row) => row.caller === command.caller && row.key === command.key)
    assert.strictEqual(payment?.orderId, command.orderId, "a payment that was begun is not there")
  }
  if (command._tag === "Pay" && answer._tag === "Settled" && "status" in answer) {
    const now = tables.payments.get(command.paymentId)?.status
    const mayBe = now === undefined ? [null] : statusesUpTo(now)
    assert.ok(
      mayBe.includes(answer.status as never),
      `a payment that is ${now} was said to be ${String(answer.status)}`,
    )
  }
  if (command._tag === "Deliver" && answer._tag === "Delivered") {
    const shipment = tables.shipmentsOf(command.orderId).find((row) => row.shipmentId === command.shipmentId)
    assert.ok(shipment?.deliveredAtMillis !== null && shipment !== undefined, "a delivered shipment is not")
  }
  if (command._tag === "Ship" && answer._tag === "Shipped") {
    const sent = tables.shipmentsOf(command.orderId).some((row) => row.merchantId === command.merchantId)
    assert.ok(sent, "a shipment that was sent is not there")
  }
}

/** The statuses that a payment may have had before it came to be this. */
const statusesUpTo = (now: PaymentRow["status"]): ReadonlyArray<PaymentRow["status"] | null> => {
  const earlier = Object.entries(paymentTransitions).flatMap(([from, to]) => (to.includes(now) ? [from] : []))
  return [now, ...earlier.flatMap((from) => statusesUpTo(from as PaymentRow["status"]))]
}

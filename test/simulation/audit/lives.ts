/**
 * The judge of what follows a reservation, by the rows before and after each commit: an order goes from status to status
 * along the table of transitions, each time from its home and because somebody asked; it is paid by one payment of its
 * total, in its time; each merchant of it ships once.
 *
 * Must stay true: every change is claimed by the one command that made it, so that what nobody asked for is found.
 */
import assert from "node:assert/strict"
import type { BatchWrite } from "../../../src/domain/batch.ts"
import type { OrderId, PaymentId, ProductId } from "../../../src/domain/ids.ts"
import { isLive, orderTransitions, paymentTransitions } from "../../../src/domain/order.ts"
import type {
  HoldRow,
  OrderRow,
  PaymentRow,
  PendingReturnRow,
  ProductRow,
  ShipmentRow,
  WaiterRow,
} from "../../../src/inventory/memory/memoryRows.ts"
import type { MemoryTables } from "../../../src/inventory/memory/memoryTables.ts"
import { add, expiryCount, processingCount, sentCount, statusCount, statusNumber } from "./counts.ts"
import type { History, Submission } from "./history.ts"

/** Rows as a batch found them. */
export interface LivesBefore {
  readonly orders: ReadonlyMap<OrderId, OrderRow>
  readonly holds: ReadonlyMap<string, HoldRow>
  readonly returns: ReadonlyMap<string, PendingReturnRow>
  readonly products: ReadonlyMap<ProductId, ProductRow>
  readonly stock: ReadonlyMap<ProductId, number>
  readonly payments: ReadonlyMap<PaymentId, PaymentRow>
  readonly shipments: ReadonlyMap<string, ShipmentRow>
  readonly waitingList: ReadonlyMap<string, WaiterRow>
}

export interface LivesCommit {
  readonly tables: MemoryTables
  readonly before: LivesBefore
  readonly write: BatchWrite
  readonly atMillis: number
  readonly history: History
  /** Notes that a command took effect: what it was about, whose changes it claims, and the order that it ended, if any. */
  readonly note: (submission: Submission | undefined, about: string, ended?: OrderRow) => void
  /** Counts a step from one status to the next, for the coverage of a run. */
  readonly went: (step: string) => void
}

/** What orders of a batch became, by what each change is of, until the command that made it claims it. */
export class Changes {
  readonly #unclaimed = new Map<string, Map<string, number>>()

  add(about: string, count: string, by: number): void {
    const moves = this.#unclaimed.get(about) ?? new Map<string, number>()
    this.#unclaimed.set(about, moves)
    add(moves, count, by)
  }

  claim(about: string): ReadonlyMap<string, number> {
    const moves = this.#unclaimed.get(about) ?? new Map<string, number>()
    this.#unclaimed.delete(about)
    return moves
  }

  assertAllClaimed(): void {
    const [left] = this.#unclaimed.keys()
    assert.strictEqual(left, undefined, `${left} changed although nobody asked`)
  }
}

/** What changed of orders, their payments and their shipments. */
export const changesOfOrders = (before: LivesBefore, tables: MemoryTables, changes: Changes): void => {
  for (const order of tables.orders.all()) {
    const { expiresAtMillis, orderId, status } = order
    const earlier = before.orders.get(orderId)
    if (earlier === order) continue
    const was = earlier === undefined ? 0 : statusNumber(earlier.status)
    changes.add(orderId, statusCount(orderId), statusNumber(status) - was)
    changes.add(orderId, expiryCount(orderId), expiresAtMillis - (earlier?.expiresAtMillis ?? 0))
  }
  for (const payment of tables.payments.all()) {
    const earlier = before.payments.get(payment.paymentId)
    if (earlier === payment) continue
    const by = Number(payment.status === "processing") - Number(earlier?.status === "processing")
    changes.add(payment.orderId, processingCount(payment.orderId), by)
  }
  for (const { merchantId, orderId, shipmentId } of tables.shipments.all()) {
    if (!before.shipments.has(shipmentId)) changes.add(orderId, sentCount(orderId, merchantId), 1)
  }
}

/** Checks every change of orders, payments and shipments, and returns the events that tell of them. */
export const followLives = (commit: LivesCommit): ReadonlyArray<string> => [
  ...followOrders(commit),
  ...followPayments(commit),
  ...followShipments(commit),
]

const followOrders = (commit: LivesCommit): ReadonlyArray<string> => {
  const { atMillis, before, history, note, tables, went, write } = commit
  const events: Array<string> = []
  for (const order of tables.orders.all()) {
    const { expiresAtMillis, homeShard, orderId, paidAtMillis, status } = order
    const earlier = before.orders.get(orderId)
    if (earlier === order) continue
    if (status !== earlier?.status) {
      events.push(`order.${status} ${orderId}`)
      went(`${earlier?.status ?? "none"} -> ${status}`)
    }
    if (earlier === undefined) {
      assert.strictEqual(status, "reserved", `order ${orderId} began as ${status}`)
      continue
    }
    const { expiresAtMillis: _, paidAtMillis: __, status: ___, ...same } = earlier
    assert.deepStrictEqual({ ...order, ...same }, order, `order ${orderId} became another`)
    assert.strictEqual(homeShard, write.shard, `order ${orderId} was changed away from home`)
    if (expiresAtMillis !== earlier.expiresAtMillis) checkMoreTime(commit, earlier, order)
    if (status === earlier.status) continue
    const step = `order ${orderId} went from ${earlier.status} to ${status}`
    assert.ok(orderTransitions[earlier.status].includes(status), step)
    if (earlier.status === "reserved") {
      const isOver = earlier.expiresAtMillis <= atMillis
      assert.strictEqual(isOver, status === "expired", `order ${orderId} ended on the wrong side of its time`)
    }
    if (status === "paid") assert.strictEqual(paidAtMillis, atMillis, `${step} at another time`)
    if (isLive(status)) continue
    const ending = write.endings.find((one) => one.orderId === orderId)
    assert.ok(ending !== undefined, `order ${orderId} ended although nobody asked`)
    const asFor = status === "refunded" ? ["cancelled", "refunded"] : [status]
    assert.ok(asFor.includes(ending.status), `${step} although somebody asked for ${ending.status}`)
    note(history.byContent.get(ending.lines), orderId, order)
  }
  return events
}

/** An order's first payment makes it last at least as long as that asks for; nothing else moves the end of its time. */
const checkMoreTime = ({ atMillis, tables, write }: LivesCommit, earlier: OrderRow, order: OrderRow): void => {
  const { expiresAtMillis, orderId } = order
  const begun = write.payments.find((payment) => payment.orderId === orderId)
  assert.ok(begun !== undefined, `order ${orderId} was given more time although nobody began to pay it`)
  assert.strictEqual(tables.paymentsOf(orderId).length, 1, `order ${orderId} was given more time again`)
  const latestMillis = Math.max(earlier.expiresAtMillis, atMillis + begun.extensionMillis)
  assert.strictEqual(expiresAtMillis, latestMillis, `order ${orderId} was given other time than its payment asked for`)
}

const mayHaveMoney = ({ status }: PaymentRow): boolean => status === "processing" || status === "succeeded"

const followPayments = (commit: LivesCommit): ReadonlyArray<string> => {
  const { before, tables, went, write } = commit
  const events: Array<string> = []
  for (const payment of tables.payments.all()) {
    const { orderId, paymentId, status } = payment
    const earlier = before.payments.get(paymentId)
    if (earlier === payment) continue
    if (earlier === undefined) checkBegun(commit, payment)
    else checkSettled(commit, earlier, payment)
    events.push(`payment.${status} ${orderId} ${paymentId}`)
    went(`payment: ${earlier?.status ?? "none"} -> ${status}`)
  }
  for (const order of tables.orders.all()) {
    if (order === before.orders.get(order.orderId) && write.payments.length + write.settlements.length === 0) continue
    const having = tables.paymentsOf(order.orderId).filter(mayHaveMoney)
    assert.ok(having.length <= 1, `order ${order.orderId} may be paid twice`)
    const paid = having.filter((payment) => payment.status === "succeeded")
    const isPaid = order.paidAtMillis !== null && isLive(order.status)
    const what = `order ${order.orderId} is ${order.status} with ${paid.length} payments`
    assert.strictEqual(paid.length, isPaid ? 1 : 0, what)
    for (const { amount } of paid) {
      assert.strictEqual(amount, order.total, `order ${order.orderId} was paid another sum`)
    }
  }
  return events
}

const checkBegun = ({ atMillis, before, history, note, write }: LivesCommit, payment: PaymentRow): void => {
  const { amount, currency, orderId, paymentId, status } = payment
  const command = write.payments.find((one) => one.paymentId === paymentId)
  if (command === undefined) return assert.fail(`payment ${paymentId} began although nobody asked`)
  const order = before.orders.get(orderId)
  assert.strictEqual(command.orderId, orderId, `payment ${paymentId} began for another order`)
  assert.strictEqual(order?.status, "reserved", `a payment began for order ${orderId}, which is ${order?.status}`)
  assert.ok(order.expiresAtMillis > atMillis, `a payment began for order ${orderId} after its time`)
  assert.strictEqual(status, command.payment._tag === "External" ? "succeeded" : "processing")
  const others = [...before.payments.values()].filter((other) => other.orderId === orderId && mayHaveMoney(other))
  assert.strictEqual(others.length, 0, `two payments of order ${orderId} at once`)
  assert.deepStrictEqual([amount, currency], [order.total, order.currency], `a payment of another sum than its order`)
  note(history.byCommand.get(command), orderId)
}

const checkSettled = (commit: LivesCommit, earlier: PaymentRow, payment: PaymentRow): void => {
  const { atMillis, before, history, note, tables, write } = commit
  const { declineCode, orderId, paymentId, status } = payment
  const step = `payment ${paymentId} went from ${earlier.status} to ${status}`
  const { declineCode: _, settledAtMillis: __, status: ___, ...same } = earlier
  assert.deepStrictEqual({ ...payment, ...same }, payment, `payment ${paymentId} became another`)
  assert.ok(paymentTransitions[earlier.status].includes(status), step)
  if (earlier.status === "succeeded") {
    const isElsewhere = payment.method === "external"
    assert.strictEqual(status, isElsewhere ? "refunded" : "refunding", step)
    return assert.strictEqual(tables.orders.get(orderId)?.status, "refunded", `${step} of an order that is not`)
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
  const code = command.result._tag === "Declined" ? command.result.declineCode : null
  assert.strictEqual(declineCode, code, `${step} for another reason`)
  note(history.byCommand.get(command), orderId)
}

const followShipments = (commit: LivesCommit): ReadonlyArray<string> => {
  const { before, history, note, tables, write } = commit
  const events: Array<string> = []
  for (const shipment of tables.shipments.all()) {
    const { carrier, deliveredAtMillis, merchantId, orderId, shipmentId, trackingNumber } = shipment
    const earlier = before.shipments.get(shipmentId)
    if (earlier === shipment) continue
    const sellers = new Set(tables.linesOf(orderId).map((line) => tables.products.get(line.productId)?.merchantId))
    const said = [...write.shipments, ...write.deliveries].find((one) => one.shipmentId === shipmentId)
    if (said === undefined) return assert.fail(`a shipment of order ${orderId} moved although nobody asked`)
    if (earlier === undefined) {
      const was = before.orders.get(orderId)?.status
      assert.ok(was === "paid" || was === "partiallyShipped", `order ${orderId} was shipped while ${was}`)
      assert.ok(sellers.has(merchantId), `a merchant shipped order ${orderId} and sells nothing in it`)
      const isAsSaid = "carrier" in said && said.carrier === carrier && said.trackingNumber === trackingNumber
      assert.ok(isAsSaid, "a shipment is on its way in another way than was said")
      events.push(`shipment.sent ${orderId} ${shipmentId}`)
    } else {
      assert.ok(earlier.deliveredAtMillis === null && deliveredAtMillis !== null, "a shipment became another")
      events.push(`shipment.delivered ${orderId} ${shipmentId}`)
    }
    note(history.byCommand.get(said), orderId)
    const shipments = tables.shipmentsOf(orderId)
    const isWhole = shipments.length === sellers.size
    const isDelivered = isWhole && shipments.every((one) => one.deliveredAtMillis !== null)
    const expected = isDelivered ? "delivered" : isWhole ? "shipped" : "partiallyShipped"
    assert.strictEqual(tables.orders.get(orderId)?.status, expected, `order ${orderId} is not as its shipments say`)
  }
  return events
}

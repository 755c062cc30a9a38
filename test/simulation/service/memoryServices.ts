/**
 * Orders and carts as the service reads them, from the rows of the in-memory database. Must stay true: what
 * `OrderReads` and `cartStatements` say in SQL is said here, down to a reservation past its time being expired.
 */
import { Clock, Effect } from "effect"
import { SqlError } from "effect/sql"
import type { Carts } from "../../../src/carts/Carts.ts"
import type { Order, OrderStatus } from "../../../src/domain/order.ts"
import type { MemoryDatabase } from "../../../src/inventory/memory/MemoryShardStore.ts"
import { type AccountId, AttemptId, OfferId } from "../../../src/domain/ids.ts"
import type { HoldRow, OrderRow, WaiterRow } from "../../../src/inventory/memory/memoryRows.ts"
import { Busy } from "../../../src/inventory/shard/mailboxEntry.ts"
import type { OrderReads } from "../../../src/orders/OrderReads.ts"
import type { Offer, WaitingListReads } from "../../../src/orders/WaitingListReads.ts"

const statusAt = (order: OrderRow, nowMillis: number): OrderStatus =>
  order.status === "reserved" && order.expiresAtMillis <= nowMillis ? "expired" : order.status

const orderFrom = ({ tables }: MemoryDatabase, row: OrderRow, nowMillis: number): Order => {
  const { caller, createdAtMillis, currency, customerRef, expiresAtMillis, homeShard, orderId, total } = row
  const lines = tables.linesOf(orderId).map(({ productId, quantity, unitPrice }) => {
    const product = tables.products.get(productId)
    if (product === undefined) throw new Error("a line without its product")
    const { merchantId, name } = product
    const amounts = {
      unitPrice: { amount: unitPrice, currency },
      lineTotal: { amount: unitPrice * quantity, currency },
    }
    return { productId, name, quantity, merchantId, ...amounts }
  })
  const times = { createdAtMillis, expiresAtMillis, paidAtMillis: row.paidAtMillis }
  const names = { id: orderId, caller, customerRef, homeShard, status: statusAt(row, nowMillis) }
  const payments = tables.paymentsOf(orderId).map(({ amount, paymentId, ...payment }) => {
    return { ...payment, id: paymentId, amount: { amount, currency } }
  })
  const shipments = tables.shipmentsOf(orderId).map((shipment) => ({ ...shipment, id: shipment.shipmentId }))
  return { ...names, lines, total: { amount: total, currency }, ...times, payments, shipments }
}

export const memoryReads = (database: MemoryDatabase): OrderReads["Service"] => {
  const { tables } = database
  const read = Effect.fnUntraced(function* <A>(look: (nowMillis: number) => A) {
    if (!(yield* database.weather.read)) return yield* new Busy()
    return look(yield* Clock.currentTimeMillis)
  })
  return {
    byId: (orderId) =>
      read((nowMillis) => {
        const row = tables.orders.get(orderId)
        return row === undefined ? null : orderFrom(database, row, nowMillis)
      }),
    byKey: (caller, key) =>
      read((nowMillis) => {
        const known = tables.orderKeys.get(`${caller}/${key}`)
        const row = known === undefined ? undefined : tables.orders.get(known.orderId)
        if (row === undefined) return null
        return { order: orderFrom(database, row, nowMillis), fingerprint: row.fingerprint }
      }),
    shipment: (shipmentId) =>
      read(() => {
        const row = tables.shipments.all().find((one) => one.shipmentId === shipmentId)
        const order = row === undefined ? undefined : tables.orders.get(row.orderId)
        if (row === undefined || order === undefined) return null
        return { orderId: row.orderId, homeShard: order.homeShard, shipment: { ...row, id: row.shipmentId } }
      }),
    list: () => Effect.die(new Error("nobody lists orders in a run")),
  }
}

export const memoryWaitingLists = ({ tables, weather }: MemoryDatabase): WaitingListReads["Service"] => {
  const read = Effect.fnUntraced(function* <A>(look: (nowMillis: number) => A) {
    if (!(yield* weather.read)) return yield* new Busy()
    return look(yield* Clock.currentTimeMillis)
  })
  const offerOf = ({ attempt, currency, expiresAtMillis, productId, quantity, unitPrice }: HoldRow): Offer => ({
    id: OfferId.make(attempt),
    productId,
    quantity,
    expiresAtMillis,
    unitPrice: { amount: unitPrice, currency },
  })
  const openOf = (accountId: AccountId, nowMillis: number) =>
    tables.holds
      .all()
      .filter((row) => row.kind === "offer" && row.customer === accountId && row.expiresAtMillis > nowMillis)
  return {
    place: (accountId, productId) =>
      read((nowMillis) => {
        const waiting = tables.waitingList.all().filter((row) => row.productId === productId)
        const mine = waiting.find((row) => row.accountId === accountId)
        if (mine !== undefined) {
          const isAhead = (row: WaiterRow): boolean =>
            row.batch < mine.batch || (row.batch === mine.batch && row.number <= mine.number)
          return { position: waiting.filter(isAhead).length, quantity: mine.quantity, offer: null }
        }
        const offer = openOf(accountId, nowMillis).find((row) => row.productId === productId)
        return offer === undefined ? null : { position: 0, quantity: offer.quantity, offer: offerOf(offer) }
      }),
    offers: (accountId, { limit }) =>
      read((nowMillis) => {
        const open = openOf(accountId, nowMillis).map(offerOf)
        return { data: open.slice(0, limit), hasMore: open.length > limit }
      }),
    waitsFor: (accountId) =>
      read(() => tables.waitingList.all().flatMap((row) => (row.accountId === accountId ? [row.productId] : []))),
    open: (accountId, offerId) =>
      read((nowMillis) => {
        const row = openOf(accountId, nowMillis).find((one) => one.attempt === AttemptId.make(offerId))
        const product = row === undefined ? undefined : tables.products.get(row.productId)
        if (row === undefined || product === undefined) return null
        const { attempt, currency, fingerprint, key, productId, quantity, shard, unitPrice } = row
        const { merchantId, name, reservationTtlSeconds } = product
        const lines = [{ productId, quantity, unitPrice, name, merchantId }]
        return {
          offer: offerOf(row),
          part: { shard, attempt, key, fingerprint, currency, lines, reservationTtlSeconds },
        }
      }),
  }
}

const unreachable = new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause: new Error("no answer") }) })

export const memoryCarts = (database: MemoryDatabase): Carts["Service"] => {
  const notHere = () => Effect.die(new Error("nobody edits carts through the service in a run"))
  return {
    look: notHere,
    setLine: notHere,
    removeLine: notHere,
    clear: notHere,
    contents: Effect.fnUntraced(function* (caller) {
      if (!(yield* database.weather.read)) return yield* unreachable
      const cart = database.tables.carts.get(caller)
      if (cart === undefined || cart.lines.length === 0) return null
      const lines = cart.lines.toSorted((left, right) => (left.productId < right.productId ? -1 : 1))
      return { version: cart.version, lines }
    }),
  }
}

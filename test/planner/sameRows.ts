/**
 * Whether the rows of a database are those of the reference model.
 */
import { assert } from "@effect/vitest"
import type { HoldRow } from "../../src/inventory/memory/memoryRows.ts"
import type { MemoryTables } from "../../src/inventory/memory/memoryTables.ts"
import { here, type World, type WorldHold } from "./referenceWorld.ts"

/** Products, stock, holds, orders with their lines and times, returns and carts. */
export const sameStockAndOrders = (tables: MemoryTables, model: World): void => {
  for (const { available, stocked, ...product } of model.products) {
    const { productId } = product
    assert.deepStrictEqual(tables.stock.get(productId), { productId, stocked, available })
    const { shard, ...row } = tables.products.get(productId) ?? assert.fail("a product is gone")
    assert.deepStrictEqual([row, shard], [product, here])
  }
  const held = tables.holds.all().filter((row) => row.shard === here)
  assert.sameDeepMembers(held.map(holdFacts), model.holds.map(holdFacts))
  assert.sameMembers(
    tables.orderKeys.all().map((row) => row.orderId),
    model.orders.map((row) => row.orderId),
  )
  for (const { expiresAtMillis, lines, orderId, status } of model.orders) {
    const order = tables.orders.get(orderId)
    assert.deepStrictEqual([order?.status, order?.expiresAtMillis], [status, expiresAtMillis])
    assert.sameDeepMembers(
      [...tables.linesOf(orderId)],
      lines.map(({ productId, quantity, unitPrice }) => ({ orderId, productId, quantity, unitPrice })),
    )
  }
  const returns = tables.pendingReturns.all().map(({ customer, productId, quantity, returnId, shard }) => {
    return { customer, productId, quantity, returnId, shard }
  })
  assert.sameDeepMembers(returns, model.returns)
  assert.sameDeepMembers(
    tables.carts.all().map(({ caller, version }) => ({ caller, version })),
    model.carts,
  )
}

/** Payments, shipments, and the places on waiting lists in their order. */
export const sameLives = (tables: MemoryTables, model: World): void => {
  const payments = tables.payments.all().map(({ caller, fingerprint, key, method, orderId, paymentId, status }) => {
    return { caller, fingerprint, key, orderId, paymentId, status, isExternal: method === "external" }
  })
  assert.sameDeepMembers(payments, model.payments)
  const shipments = tables.shipments.all().map((row) => {
    const { carrier, deliveredAtMillis, merchantId, orderId, shipmentId, trackingNumber } = row
    const isDelivered = deliveredAtMillis !== null
    return { carrier, isDelivered, merchantId, orderId, shipmentId, trackingNumber }
  })
  assert.sameDeepMembers(shipments, model.shipments)
  const inPlace = tables.waitingList.all().toSorted((left, right) => {
    return left.batch - right.batch || left.number - right.number
  })
  for (const { productId } of model.products) {
    const places = inPlace.filter((row) => row.productId === productId)
    assert.deepStrictEqual(
      places.map(({ accountId, offerId, quantity }) => ({ accountId, offerId, productId, quantity })),
      model.waiting.filter((row) => row.productId === productId),
    )
  }
}

const holdFacts = ({
  attempt,
  caller,
  customer,
  fingerprint,
  key,
  kind,
  productId,
  quantity,
  unitPrice,
}: WorldHold | HoldRow) => {
  return { attempt, caller, customer, fingerprint, key, kind, productId, quantity, unitPrice }
}

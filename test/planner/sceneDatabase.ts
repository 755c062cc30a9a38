/**
 * A scene as the rows of a database, and what a plan's write leaves of them.
 */
import { assert } from "@effect/vitest"
import { Result } from "effect"
import type { Reserve } from "../../src/domain/commands.ts"
import { OrderId } from "../../src/domain/ids.ts"
import { applyBatch } from "../../src/inventory/memory/memoryCommit.ts"
import { MemoryDatabase } from "../../src/inventory/memory/MemoryShardStore.ts"
import { holdKey, type MemoryTables } from "../../src/inventory/memory/memoryTables.ts"
import type { Plan } from "../../src/inventory/shard/planner.ts"
import type { Applied } from "../../src/inventory/store/ShardStore.ts"
import { callerId, nowMillis, remoteMerchantId, remoteProductId } from "./names.ts"
import { productsOf } from "./planning.ts"
import { here, unitsHad, type World, type WorldOrder, type WorldPayment } from "./referenceWorld.ts"
import type { Scene } from "./scenes.ts"

/** The world as a database: shard 0 is its own, shard 1 has what the batch's orders hold elsewhere. */
export const databaseOf = ({ batch, counted, world }: Scene): MemoryDatabase => {
  const database = new MemoryDatabase(2)
  const { tables } = database
  const filled = tables.transact(() => {
    tables.leases.put({ shard: here, epoch: 1, batch: 0, owner: "" })
    insertProducts(tables, world)
    for (const order of world.orders) insertOrder(tables, order)
    for (const payment of world.payments) insertPayment(tables, payment)
    for (const { isDelivered, ...row } of world.shipments) {
      tables.shipments.insert({ ...row, createdAtMillis: 0, deliveredAtMillis: isDelivered ? 0 : null })
    }
    for (const [number, row] of world.waiting.entries()) {
      tables.waitingList.insert({ ...row, shard: here, batch: 0, number })
    }
    for (const row of world.movements) {
      const what = { productId: world.products[0]?.productId ?? remoteProductId, kind: "received", delta: 0 } as const
      tables.movements.insert({ ...row, ...what, reason: null, createdAtMillis: 0 })
      tables.movementKeys.insert({ ...row, ...what, reason: null, createdAtMillis: 0 })
    }
    for (const { isExpired, ...row } of world.holds) {
      const expiresAtMillis = isExpired ? nowMillis : nowMillis + 1
      tables.holds.insert({ ...row, shard: here, currency: "EUR", expiresAtMillis })
    }
    for (const row of world.returns) {
      const orderId = OrderId.make(row.returnId)
      const name = { caller: callerId(9), key: row.returnId, fingerprint: "0".repeat(32), customerRef: null }
      const times = { createdAtMillis: 0, expiresAtMillis: 1 }
      tables.orders.insert({ ...past, ...name, ...times, orderId, status: "cancelled", paidAtMillis: null })
      tables.pendingReturns.insert({ ...row, orderId })
    }
    for (const cart of world.carts) tables.carts.insert({ ...cart, lines: [] })
    for (const [productId, customer] of counted) {
      tables.customerUnits.insert({ productId, customer, units: unitsHad(world, productId, customer) })
    }
    for (const command of batch) {
      if (command._tag === "Reserve") insertHeldParts(tables, command)
    }
  })
  Result.getOrThrow(filled)
  return database
}
export const tablesOf = (scene: Scene): MemoryTables => databaseOf(scene).tables

const past = { homeShard: here, total: 0, currency: "EUR" } as const

const insertProducts = (tables: MemoryTables, world: World): void => {
  for (const product of productsOf(world).values()) {
    const { available, mayHaveHolds: _, mayHaveWaiters: __, stocked, ...row } = product
    tables.products.insert({ ...row, shard: here })
    tables.stock.insert({ productId: product.productId, stocked, available })
  }
  const [any] = tables.products.all()
  if (any === undefined) return
  tables.products.insert({ ...any, productId: remoteProductId, merchantId: remoteMerchantId, shard: 1 })
}

const insertOrder = (tables: MemoryTables, { expiresAtMillis, lines, ...name }: WorldOrder): void => {
  const wasPaid = !["reserved", "cancelled", "expired"].includes(name.status)
  const row = { ...name, ...past, createdAtMillis: 0, expiresAtMillis, paidAtMillis: wasPaid ? 0 : null }
  tables.orders.insert(row)
  tables.orderKeys.insert(row)
  for (const { productId, quantity, unitPrice } of lines) {
    tables.orderLines.insert({ orderId: name.orderId, productId, quantity, unitPrice })
  }
}

const insertPayment = (tables: MemoryTables, { isExternal, ...payment }: WorldPayment): void => {
  const by = isExternal ? { method: "external", reference: "r" } : { method: "card", reference: null }
  const money = { amount: 0, currency: "EUR", declineCode: payment.status === "declined" ? "no_money" : null }
  const settledAtMillis = payment.status === "processing" ? null : 0
  const row = { ...payment, ...by, ...money, createdAtMillis: 0, settledAtMillis }
  tables.payments.insert(row)
  tables.paymentKeys.insert(row)
}

/** Every hold that the order counts on in another shard, as that one wrote it. */
const insertHeldParts = (tables: MemoryTables, command: Reserve): void => {
  const { caller, customer, held } = command
  for (const { attempt, currency, fingerprint, key, lines, shard } of held) {
    if (shard === here) continue
    const name = { shard, kind: "order" as const, caller, key, fingerprint, attempt, customer, currency }
    for (const line of lines) {
      const row = { ...line, ...name, expiresAtMillis: nowMillis + 1 }
      if (tables.holds.get(holdKey(shard, row, line.productId)) === undefined) tables.holds.insert(row)
    }
  }
}

/** What the plan's write leaves of the tables. */
export const applyPlan = (tables: MemoryTables, planned: Plan): Applied => {
  const write = { ...planned.write, shard: here, epoch: 1, batch: 1, form: "plain", offerTtlMillis: 60_000 } as const
  const applied = Result.getOrThrow(tables.transact(() => applyBatch(tables, write, nowMillis)))
  return applied._tag === "Applied" ? applied : assert.fail("the write met a foreign lease")
}

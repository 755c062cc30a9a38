/**
 * A scene in the planner's own terms and back: its products and facts, what a decision comes to for its caller, and the
 * tables that a plan's write is applied to.
 */
import { assert } from "@effect/vitest"
import { Result } from "effect"
import { type Command, holdName, keyName, type Outcome, type Reserve, unitsName } from "../../src/domain/commands.ts"
import { MerchantId, OrderId, type ProductId } from "../../src/domain/ids.ts"
import { applyBatch } from "../../src/inventory/memory/memoryCommit.ts"
import { holdKey, MemoryTables } from "../../src/inventory/memory/memoryTables.ts"
import type { Decision, Facts } from "../../src/inventory/shard/draft.ts"
import { plan, type Plan } from "../../src/inventory/shard/planner.ts"
import type { KnownHold, ProductState } from "../../src/domain/batch.ts"
import type { Applied } from "../../src/inventory/store/ShardStore.ts"
import { here, type ModelLine, unitsHad, type Verdict, type World } from "./referenceModel.ts"
import { callerId, countable, nowMillis, remoteProductId, type Scene } from "./worlds.ts"

const merchantId = MerchantId.make("00000000-0000-7000-8000-000700000000")

export const productsOf = (world: World): ReadonlyMap<ProductId, ProductState> =>
  new Map(
    world.products.map((product) => {
      const mayHaveHolds = world.holds.some((row) => row.productId === product.productId)
      const others = { waitlist: true, reservationTtlSeconds: null, mayHaveWaiters: false }
      return [product.productId, { ...product, ...others, merchantId, mayHaveHolds }]
    }),
  )

export const factsOf = (world: World): Facts => {
  const holds = new Map<string, Array<KnownHold>>()
  const heldUnits = new Map<ProductId, number>()
  for (const { attempt, caller, fingerprint, key, productId, quantity, unitPrice } of world.holds) {
    const row = { attempt, caller, fingerprint, key, productId, quantity, unitPrice }
    holds.set(holdName(row), [...(holds.get(holdName(row)) ?? []), row])
    heldUnits.set(productId, (heldUnits.get(productId) ?? 0) + quantity)
  }
  return {
    orders: new Map(world.orders.map((order) => [keyName(order), order])),
    movements: new Map(world.movements.map((movement) => [keyName(movement), movement])),
    holds,
    heldUnits,
    units: new Map(
      countable(world).map(([productId, customer]) => {
        return [unitsName(productId, customer), unitsHad(world, productId, customer)]
      }),
    ),
    waiters: new Map(),
  }
}

export const planScene = ({ batch, world }: Pick<Scene, "batch" | "world">): Plan =>
  plan(here, productsOf(world), factsOf(world), batch, world.nowMillis)

const modelLine = ({ productId, quantity, unitPrice }: ModelLine): ModelLine => ({ productId, quantity, unitPrice })
const reused: Verdict = { _tag: "Refused", refusal: { code: "idempotency_key_reused" } }

/** What each decision comes to for its caller, where the commit goes as planned. */
export const verdictsOf = (planned: Plan, batch: ReadonlyArray<Command>): ReadonlyArray<Verdict> =>
  planned.decisions.map((decision, at) => verdictOf(planned, batch, at, decision))

const verdictOf = (planned: Plan, batch: ReadonlyArray<Command>, at: number, decision: Decision): Verdict => {
  const command = batch[at]
  switch (decision._tag) {
    case "Order": {
      const written = planned.write.orders[decision.order] ?? assert.fail("an order without a write")
      assert.strictEqual(written.command, command)
      assert.deepStrictEqual(written.lines.map(modelLine), decision.lines.map(modelLine))
      const { orderId } = written.command
      return { _tag: "Placed", orderId, lines: decision.lines.map(modelLine), total: written.total }
    }
    case "Hold":
      return { _tag: "Held", currency: decision.currency, lines: decision.lines.map(modelLine) }
    case "Movement": {
      const written = planned.write.movements[decision.movement] ?? assert.fail("a movement without a write")
      assert.strictEqual(written, command)
      return { _tag: "Moved", movementId: written.movementId }
    }
    case "Ending": {
      const written = planned.write.endings[decision.ending] ?? assert.fail("an ending without a write")
      return { _tag: "Ending", orderId: written.orderId }
    }
    case "Amendment": {
      const written = planned.write.amendments[decision.amendment] ?? assert.fail("an edit without a write")
      return { _tag: "Amended", version: written.version + 1 }
    }
    case "Done":
      return { _tag: "Done" }
    case "Same":
      assert.isBelow(decision.as, at)
      return sameAs(batch[decision.as], command)
    case "Answered":
      return answered(decision.outcome)
    default:
      return assert.fail(`the model knows no ${decision._tag}`)
  }
}

type ToldByCommit = Extract<Outcome, { _tag: "Refused" }>["refusal"]
type ToldByPlan = Extract<Verdict, { _tag: "Refused" }>["refusal"]
const isToldByCommit = (refusal: ToldByCommit): refusal is Exclude<ToldByCommit, ToldByPlan> =>
  refusal.code.startsWith("not_") && refusal.code !== "not_on_sale"

const sameAs = (first: Command | undefined, command: Command | undefined): Verdict => {
  if (first?._tag === "Reserve" && command?._tag === "Reserve" && keyName(first) === keyName(command)) {
    return first.fingerprint === command.fingerprint ? { _tag: "Repeated", id: first.orderId } : reused
  }
  if (first?._tag === "Restock" && command?._tag === "Restock" && keyName(first) === keyName(command)) {
    return first.fingerprint === command.fingerprint ? { _tag: "Repeated", id: first.movementId } : reused
  }
  if (first?._tag === "Cancel" && command?._tag === "Cancel" && first.orderId === command.orderId) {
    return { _tag: "Ending", orderId: first.orderId }
  }
  return assert.fail("the same as a command that asks for something else")
}

const answered = (outcome: Outcome): Verdict => {
  switch (outcome._tag) {
    case "Repeated":
      if ("paymentId" in outcome) return assert.fail("the model knows no payments")
      return { _tag: "Repeated", id: "orderId" in outcome ? outcome.orderId : outcome.movementId }
    case "Refused":
      return isToldByCommit(outcome.refusal)
        ? assert.fail("only the commit knows what may become of an order")
        : { _tag: "Refused", refusal: outcome.refusal }
    case "Superseded":
    case "Amended":
      return outcome
    default:
      return assert.fail(`answered ${outcome._tag} without a write`)
  }
}

/** The world as tables: shard 0 is its own, shard 1 has what the batch's orders hold elsewhere. */
export const tablesOf = ({ batch, counted, world }: Scene): MemoryTables => {
  const tables = new MemoryTables(2)
  const past = { homeShard: here, total: 0, currency: "EUR", paidAtMillis: null } as const
  const filled = tables.transact(() => {
    tables.leases.put({ shard: 0, epoch: 1, batch: 0, owner: "" })
    for (const product of productsOf(world).values()) {
      const { available, mayHaveHolds: _, mayHaveWaiters: __, stocked, ...row } = product
      tables.products.insert({ ...row, shard: 0 })
      tables.stock.insert({ productId: product.productId, stocked, available })
    }
    const [anyProduct] = tables.products.all()
    if (anyProduct === undefined) return
    tables.products.insert({ ...anyProduct, productId: remoteProductId, shard: 1 })
    for (const { isOver, lines, ...name } of world.orders) {
      const expiresAtMillis = isOver ? nowMillis : nowMillis + 1
      const paidAtMillis = name.status === "paid" ? 0 : null
      const row = { ...name, ...past, createdAtMillis: 0, expiresAtMillis, paidAtMillis }
      tables.orders.insert(row)
      tables.orderKeys.insert(row)
      for (const { productId, quantity, unitPrice } of lines) {
        tables.orderLines.insert({ orderId: name.orderId, productId, quantity, unitPrice })
      }
    }
    for (const row of world.movements) {
      const what = { productId: anyProduct.productId, kind: "received", delta: 0, reason: null } as const
      tables.movements.insert({ ...row, ...what, createdAtMillis: 0 })
      tables.movementKeys.insert({ ...row, ...what, createdAtMillis: 0 })
    }
    for (const { isExpired, ...row } of world.holds) {
      const expiresAtMillis = isExpired ? nowMillis : nowMillis + 1
      tables.holds.insert({ ...row, shard: 0, kind: "order", currency: "EUR", expiresAtMillis })
    }
    for (const row of world.returns) {
      const orderId = OrderId.make(row.returnId)
      const name = { caller: callerId(9), key: row.returnId, fingerprint: "0".repeat(32), customerRef: null }
      const times = { createdAtMillis: 0, expiresAtMillis: 1 }
      tables.orders.insert({ ...past, ...name, ...times, orderId, status: "cancelled" })
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
  return tables
}

/** Every hold that the order counts on, as its shard wrote it. */
const insertHeldParts = (tables: MemoryTables, command: Reserve): void => {
  const { caller, customer, held } = command
  for (const { attempt, currency, fingerprint, key, lines, shard } of held) {
    for (const line of lines) {
      const row = {
        ...line,
        shard,
        kind: "order" as const,
        caller,
        key,
        fingerprint,
        attempt,
        customer,
        currency,
        expiresAtMillis: nowMillis + 1,
      }
      if (tables.holds.get(holdKey(shard, row, line.productId)) === undefined) tables.holds.insert(row)
    }
  }
}

/** What the plan's write leaves of the tables. */
export const applyPlan = (tables: MemoryTables, planned: Plan): Applied => {
  const write = { ...planned.write, shard: 0, epoch: 1, batch: 1, form: "plain", offerTtlMillis: 0 } as const
  const applied = Result.getOrThrow(tables.transact(() => applyBatch(tables, write, nowMillis)))
  return applied._tag === "Applied" ? applied : assert.fail("the write met a foreign lease")
}

/**
 * The planner held to the promise over arbitrary shards and batches: every decision is the one that the reference model
 * comes to one at a time, and the rows that its write leaves are the model's rows.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Command } from "../../src/domain/commands.ts"
import type { ProductId } from "../../src/domain/ids.ts"
import type { HoldRow } from "../../src/inventory/memoryTables.ts"
import { holdName } from "../../src/domain/commands.ts"
import { plan } from "../../src/inventory/planner.ts"
import { applyPlan, factsOf, planScene, productsOf, tablesOf, verdictsOf } from "./planning.ts"
import { decideAlone, type Verdict, type World, type WorldHold } from "./referenceModel.ts"
import { scene, type Scene } from "./worlds.ts"

const holds = (property: (scene: Scene) => void): void => fc.assert(fc.property(scene, property), { numRuns: 3_000 })

const oneAtATime = (world: World, batch: ReadonlyArray<Command>): ReadonlyArray<Verdict> =>
  batch.map((command) => decideAlone(world, command, false))

/** Products that these commands may give units back to, whether or not they really do. */
const productsGivenTo = (batch: ReadonlyArray<Command>): ReadonlySet<ProductId> =>
  new Set(
    batch.flatMap((command) => {
      if (command._tag === "Release") return command.productIds
      if (command._tag === "Return" || (command._tag === "Restock" && command.delta >= 0)) return [command.productId]
      return []
    }),
  )

const holdNamesOf = (batch: ReadonlyArray<Command>): ReadonlySet<string> =>
  new Set(
    batch.flatMap((command) => (command._tag === "Hold" || command._tag === "Release" ? [holdName(command)] : [])),
  )

const holdFacts = ({
  attempt,
  caller,
  customer,
  fingerprint,
  key,
  productId,
  quantity,
  unitPrice,
}: WorldHold | HoldRow) => {
  return { attempt, caller, customer, fingerprint, key, productId, quantity, unitPrice }
}

describe("over arbitrary shards and batches", () => {
  it("every command that a plan covers ends as if the commands had been decided one at a time", () =>
    holds(({ batch, world }) => {
      const planned = planScene({ batch, world })
      const covered = batch.slice(0, planned.decisions.length)
      assert.deepStrictEqual(verdictsOf(planned, batch), oneAtATime(structuredClone(world), covered))
    }))

  it("the rows that a plan's write leaves are the rows of one at a time", () =>
    holds((given) => {
      const { batch, world } = given
      const planned = planScene(given)
      const tables = tablesOf(given)
      const applied = applyPlan(tables, planned)
      const model = structuredClone(world)
      oneAtATime(model, batch.slice(0, planned.decisions.length))

      assert.deepStrictEqual([applied.unplaced, applied.unmoved, applied.unextended], [[], [], []])
      for (const { available, productId, stocked } of model.products) {
        assert.deepStrictEqual(tables.stock.get(productId), { productId, stocked, available })
      }
      const held = tables.holds.all().filter((row) => row.shard === 0)
      assert.sameDeepMembers(held.map(holdFacts), model.holds.map(holdFacts))
      assert.sameDeepMembers([...tables.customerUnits.all()], model.units)
      assert.sameMembers(
        tables.orderKeys.all().map((row) => row.orderId),
        model.orders.map((row) => row.orderId),
      )
      assert.sameMembers(
        tables.pendingReturns.all().map((row) => row.returnId),
        model.returns.map((row) => row.returnId),
      )
    }))

  it("what a plan expects of the stock is what its write leaves", () =>
    holds((given) => {
      const planned = planScene(given)
      const tables = tablesOf(given)
      const applied = applyPlan(tables, planned)
      const levels = new Map(applied.stock.map((level) => [level.productId, level.available]))
      for (const [productId, available] of planned.expected) assert.strictEqual(levels.get(productId), available)
      const gains = productsGivenTo(given.batch.slice(0, planned.decisions.length))
      for (const productId of levels.keys()) {
        assert.isTrue(planned.expected.has(productId) || gains.has(productId))
      }
    }))

  it("no plan takes more of a product than is there before anything comes back", () =>
    holds((given) => {
      const { write } = planScene(given)
      const taken = new Map<ProductId, number>()
      const take = (productId: ProductId, units: number) => taken.set(productId, (taken.get(productId) ?? 0) + units)
      for (const { lines } of [...write.orders, ...write.holds]) {
        for (const { productId, quantity } of lines) take(productId, quantity)
      }
      for (const { delta, productId } of write.movements) if (delta < 0) take(productId, -delta)
      for (const [productId, units] of taken) {
        assert.isAtMost(units, productsOf(given.world).get(productId)?.available ?? 0)
      }
    }))

  it("no plan keeps part of an order", () =>
    holds((given) => {
      for (const { command, lines } of planScene(given).write.orders) {
        assert.deepStrictEqual(
          lines.map(({ productId, quantity }) => ({ productId, quantity })),
          [...command.lines],
        )
      }
    }))

  it("a plan ends early only where a command needs what the batch itself gives back, or names a hold a second time", () =>
    holds((given) => {
      const { batch, world } = given
      const { decisions } = planScene(given)
      const next = batch[decisions.length]
      if (next === undefined) return
      const before = batch.slice(0, decisions.length)
      assert.isNotEmpty(before)
      if ((next._tag === "Hold" || next._tag === "Release") && holdNamesOf(before).has(holdName(next))) return

      const withoutGains = structuredClone(world)
      for (const command of before) decideAlone(withoutGains, command, true)
      const verdict = decideAlone(withoutGains, next, true)
      const gains = productsGivenTo(before)
      const refusal =
        verdict._tag === "Refused" ? verdict.refusal : assert.fail(`ended before a command that ends ${verdict._tag}`)
      switch (refusal.code) {
        case "out_of_stock":
          return assert.isTrue(refusal.lines.some((line) => gains.has(line.productId)))
        case "limit_exceeded":
        case "stock_is_sold":
          return assert.isTrue(gains.has(refusal.productId))
        default:
          return assert.fail(`ended before a command that is refused for ${refusal.code}`)
      }
    }))

  it("a plan says that it refuses exactly when it does", () =>
    holds(({ batch, world }) => {
      const planned = planScene({ batch, world })
      const refuses = planned.decisions.some(
        (decision) => decision._tag === "Answered" && decision.outcome._tag === "Refused",
      )
      assert.strictEqual(planned.refuses, refuses)
    }))

  it("the same input gives the same plan, and is left as it was", () =>
    holds(({ batch, world }) => {
      const products = productsOf(world)
      const facts = factsOf(world)
      const before = structuredClone({ products, facts, batch })
      const first = plan(products, facts, batch, world.nowMillis)
      assert.deepStrictEqual(plan(products, facts, batch, world.nowMillis), first)
      assert.deepStrictEqual({ products, facts, batch: [...batch] }, before)
    }))
})

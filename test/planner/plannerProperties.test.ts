/**
 * The planner held to the promise over arbitrary shards and batches: every decision is the one that the reference model
 * comes to one at a time, and the rows that its write leaves are the model's rows.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Command } from "../../src/domain/commands.ts"
import type { OrderId, ProductId } from "../../src/domain/ids.ts"
import { unitsName } from "../../src/domain/commands.ts"
import { orderTransitions, paymentTransitions } from "../../src/domain/order.ts"
import { plan } from "../../src/inventory/shard/planner.ts"
import { meetsItself, productsGivenTo } from "./meetings.ts"
import { factsOf, knownToPlan, planScene, type PlanVerdict, productsOf, verdictsOf } from "./planning.ts"
import { decideAlone } from "./referenceModel.ts"
import { here, unitsHad, type World } from "./referenceWorld.ts"
import { applyPlan, tablesOf } from "./sceneDatabase.ts"
import { sameLives, sameStockAndOrders } from "./sameRows.ts"
import { scene, type Scene } from "./scenes.ts"
import { countable } from "./worlds.ts"

const holds = (property: (scene: Scene) => void): void => fc.assert(fc.property(scene, property), { numRuns: 3_000 })

const oneAtATime = (world: World, batch: ReadonlyArray<Command>): ReadonlyArray<PlanVerdict> =>
  batch.map((command) => knownToPlan(command, decideAlone(world, command, false)))

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

      const { cartsChanged, unamended, unextended, unmoved, unoffered, unplaced } = applied
      assert.deepStrictEqual([unplaced, cartsChanged, unmoved], [[], [], []])
      assert.deepStrictEqual([unextended, unamended, unoffered], [[], [], []])
      sameStockAndOrders(tables, model)
    }))

  it("and so are payments, shipments and places on waiting lists", () =>
    holds((given) => {
      const { batch, world } = given
      const planned = planScene(given)
      const tables = tablesOf(given)
      applyPlan(tables, planned)
      const model = structuredClone(world)
      oneAtATime(model, batch.slice(0, planned.decisions.length))

      sameLives(tables, model)
      assert.lengthOf(tables.batches.all(), 1)
    }))

  it("a customer's count is exact where there is one, and there is one from the first units that are counted", () =>
    holds((given) => {
      const { batch, counted, world } = given
      const planned = planScene(given)
      const tables = tablesOf(given)
      applyPlan(tables, planned)
      const model = structuredClone(world)
      oneAtATime(model, batch.slice(0, planned.decisions.length))

      const names = (pairs: typeof counted) =>
        new Set(pairs.map(([productId, customer]) => unitsName(productId, customer)))
      const had = names(counted)
      const has = new Set<string>()
      for (const { customer, productId, units } of tables.customerUnits.all()) {
        assert.strictEqual(units, unitsHad(model, productId, customer))
        has.add(unitsName(productId, customer))
      }
      assert.includeMembers([...names(countable(world))], [...has])
      for (const [productId, customer] of countable(world)) {
        const gained = unitsHad(model, productId, customer) > unitsHad(world, productId, customer)
        const name = unitsName(productId, customer)
        assert.strictEqual(has.has(name), had.has(name) || gained)
      }
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
      for (const { productId, quantity } of write.offers) take(productId, quantity)
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

  it("an order ends in a plan's write as one at a time, or is named as not ended", () =>
    holds((given) => {
      const planned = planScene(given)
      const applied = applyPlan(tablesOf(given), planned)
      const model = structuredClone(given.world)
      const unended = new Set(applied.unended)
      const written = new Set<OrderId>()
      for (const command of given.batch.slice(0, planned.decisions.length)) {
        const statusOf = () =>
          model.orders.find((row) => "orderId" in command && row.orderId === command.orderId)?.status
        const before = statusOf()
        decideAlone(model, command, false)
        const ends = command._tag === "Cancel" || command._tag === "Expire" || command._tag === "Refund"
        if (!ends || written.has(command.orderId)) continue
        written.add(command.orderId)
        assert.strictEqual(unended.has(command.orderId), statusOf() === before)
      }
    }))

  it("orders and payments move along the tables of their transitions, and begin at their beginning", () =>
    holds((given) => {
      const tables = tablesOf(given)
      const orders = new Map(tables.orders.all().map((row) => [row.orderId, row.status]))
      const payments = new Map(tables.payments.all().map((row) => [row.paymentId, row.status]))
      applyPlan(tables, planScene(given))
      for (const { orderId, status } of tables.orders.all()) {
        const before = orders.get(orderId)
        if (before === undefined) assert.strictEqual(status, "reserved")
        else assert.include([before, ...orderTransitions[before]], status)
      }
      for (const { method, paymentId, status } of tables.payments.all()) {
        const before = payments.get(paymentId)
        if (before === undefined) assert.strictEqual(status, method === "external" ? "succeeded" : "processing")
        else assert.include([before, ...paymentTransitions[before]], status)
      }
      assert.isAtLeast(tables.orders.all().length, orders.size)
    }))

  it("a plan ends early only where a command needs what the batch itself gives back, takes away or changes", () =>
    holds((given) => {
      const { batch, world } = given
      const planned = planScene(given)
      const { decisions } = planned
      const next = batch[decisions.length]
      if (next === undefined) return
      const before = batch.slice(0, decisions.length)
      assert.isNotEmpty(before)
      if (meetsItself(world, before, planned, next)) return

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
      const first = plan(here, products, facts, batch, world.nowMillis)
      assert.deepStrictEqual(plan(here, products, facts, batch, world.nowMillis), first)
      assert.deepStrictEqual({ products, facts, batch: [...batch] }, before)
    }))
})

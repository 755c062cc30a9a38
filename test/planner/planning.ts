/**
 * A scene in the planner's own terms and back: its products and facts, and what a decision comes to for its caller.
 */
import { assert } from "@effect/vitest"
import { offersMax } from "../../src/domain/bounds.ts"
import { type Command, holdName, keyName, type Outcome, unitsName } from "../../src/domain/commands.ts"
import type { OrderId, ProductId } from "../../src/domain/ids.ts"
import type { Decision, Facts } from "../../src/inventory/shard/draft.ts"
import { plan, type Plan } from "../../src/inventory/shard/planner.ts"
import type { KnownHold, ProductState } from "../../src/domain/batch.ts"
import { nowMillis } from "./names.ts"
import { here, type ModelLine, refused, unitsHad, type Verdict, type World } from "./referenceWorld.ts"
import type { Scene } from "./scenes.ts"
import { countable } from "./worlds.ts"

export const productsOf = (world: World): ReadonlyMap<ProductId, ProductState> =>
  new Map(
    world.products.map((product) => {
      const mayHaveHolds = world.holds.some((row) => row.productId === product.productId)
      const mayHaveWaiters = world.waiting.some((row) => row.productId === product.productId)
      return [product.productId, { ...product, mayHaveHolds, mayHaveWaiters }]
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
    waiters: new Map(
      world.products.map(({ available, productId }) => {
        const fitting = world.waiting.filter((row) => row.productId === productId && row.quantity <= available)
        const waiters = fitting.map(({ accountId, offerId, quantity }) => ({ accountId, offerId, quantity }))
        return [productId, waiters.slice(0, offersMax + 1)]
      }),
    ),
  }
}

export const planScene = ({ batch, world }: Pick<Scene, "batch" | "world">): Plan =>
  plan(here, productsOf(world), factsOf(world), batch, world.nowMillis)

const modelLine = ({ productId, quantity, unitPrice }: ModelLine): ModelLine => ({ productId, quantity, unitPrice })
const reused = refused({ code: "idempotency_key_reused" })

/** What a plan can say of a command: whether an order really changes only its rows know. */
export type PlanVerdict = Verdict | { readonly _tag: "Ending" | "Change"; readonly orderId: OrderId }

/** What the model says, as far as a plan can know it. */
export const knownToPlan = (command: Command, verdict: Verdict): PlanVerdict => {
  switch (command._tag) {
    case "Cancel":
    case "Expire":
    case "Refund":
      return { _tag: "Ending", orderId: command.orderId }
    case "Extend":
    case "Pay":
    case "Ship":
    case "Deliver":
      return { _tag: "Change", orderId: command.orderId }
    default:
      return verdict
  }
}

/** What each decision comes to for its caller, where the commit goes as planned. */
export const verdictsOf = (planned: Plan, batch: ReadonlyArray<Command>): ReadonlyArray<PlanVerdict> =>
  planned.decisions.map((decision, at) => verdictOf(planned, batch, at, decision))

const verdictOf = (planned: Plan, batch: ReadonlyArray<Command>, at: number, decision: Decision): PlanVerdict => {
  const command = batch[at]
  switch (decision._tag) {
    case "Order": {
      const written = planned.write.orders[decision.order] ?? assert.fail("an order without a write")
      assert.strictEqual(written.command, command)
      assert.deepStrictEqual(written.lines.map(modelLine), decision.lines.map(modelLine))
      const { orderId } = written.command
      const expiresAtMillis = nowMillis + written.ttlMillis
      return { _tag: "Placed", orderId, lines: decision.lines.map(modelLine), total: written.total, expiresAtMillis }
    }
    case "Hold": {
      const { currency, lines, reservationTtlSeconds } = decision
      return { _tag: "Held", currency, lines: lines.map(modelLine), reservationTtlSeconds }
    }
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
    case "Payment":
      return changeOf(planned.write.payments[decision.payment], command)
    case "Settlement":
      return changeOf(planned.write.settlements[decision.settlement], command)
    case "Shipment":
      return changeOf(planned.write.shipments[decision.shipment], command)
    case "Delivery":
      return changeOf(planned.write.deliveries[decision.delivery], command)
    case "Join":
      return { _tag: "Joined" }
    case "Offers":
      assert.includeMembers([...planned.write.offers], [...decision.offers])
      return { _tag: "Done" }
  }
}

const changeOf = <C extends Command & { readonly orderId: OrderId }>(
  written: C | undefined,
  command: Command | undefined,
): PlanVerdict => {
  assert.strictEqual<Command | undefined>(written, command)
  return { _tag: "Change", orderId: written?.orderId ?? assert.fail("a change without a write") }
}

const sameAs = (first: Command | undefined, command: Command | undefined): PlanVerdict => {
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
      if ("paymentId" in outcome) return assert.fail("only the commit knows the keys of payments")
      return { _tag: "Repeated", id: "orderId" in outcome ? outcome.orderId : outcome.movementId }
    case "Refused":
      return refused(outcome.refusal)
    case "Superseded":
    case "Amended":
    case "Done":
      return outcome
    default:
      return assert.fail(`answered ${outcome._tag} without a write`)
  }
}

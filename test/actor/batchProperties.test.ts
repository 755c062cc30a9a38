/**
 * Whole batches over arbitrary shards, from the commands to everybody's answer, one after the other until nobody waits
 * any more: what each is told is what the reference model says one at a time, in the order in which they were answered,
 * and the rows are the model's, also where the answer of a commit is lost on its way.
 */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Logger } from "effect"
import * as fc from "fast-check"
import { type Command, keyName, type Outcome } from "../../src/domain/commands.ts"
import * as MemoryShardStore from "../../src/inventory/memory/MemoryShardStore.ts"
import { readWaiters } from "../../src/inventory/memory/memoryReads.ts"
import { silent } from "../../src/inventory/InventoryListener.ts"
import { runBatch } from "../../src/inventory/shard/batch.ts"
import type { Entry, Reply } from "../../src/inventory/shard/mailboxEntry.ts"
import { ShardState } from "../../src/inventory/shard/ShardState.ts"
import type { Lease } from "../../src/inventory/store/ShardStore.ts"
import { nowMillis } from "../planner/names.ts"
import { decideAlone } from "../planner/referenceModel.ts"
import { here, type ModelLine, refused, type Verdict } from "../planner/referenceWorld.ts"
import { sameLives, sameStockAndOrders } from "../planner/sameRows.ts"
import { databaseOf } from "../planner/sceneDatabase.ts"
import { scene, type Scene } from "../planner/scenes.ts"

const holds = (property: (scene: Scene) => void): void => fc.assert(fc.property(scene, property), { numRuns: 1_500 })

/** Stands still, and lets nobody wait. */
const stillClock: Clock.Clock = {
  currentTimeMillisUnsafe: () => nowMillis,
  currentTimeMillis: Effect.succeed(nowMillis),
  currentTimeNanosUnsafe: () => BigInt(nowMillis) * 1_000_000n,
  currentTimeNanos: Effect.succeed(BigInt(nowMillis) * 1_000_000n),
  monotonicTimeNanosUnsafe: () => BigInt(nowMillis) * 1_000_000n,
  monotonicTimeNanos: Effect.succeed(BigInt(nowMillis) * 1_000_000n),
  sleep: () => Effect.void,
}
const atOnce = <A>(effect: Effect.Effect<A>): A =>
  Effect.runSync(effect.pipe(Effect.provideService(Clock.Clock, stillClock), Effect.provide(Logger.layer([]))))

const entryOf = (command: Command): Entry => ({
  command,
  deadlineMillis: Infinity,
  span: null,
  enqueuedAt: 0n,
  enqueuedAtMillis: 0,
  phase: "taken",
  isPlannedAgain: false,
  isSuspect: false,
  resume: () => {},
})

interface Answered {
  readonly command: Command
  readonly answer: Reply
}

/** Decides all of it, as the actor does; `lookAfter` sees what is remembered after each batch. */
const decideAll = (
  given: Scene,
  fate: MemoryShardStore.Fate["_tag"] & ("Answered" | "AnswerLost"),
  lookAfter: (database: MemoryShardStore.MemoryDatabase, state: ShardState) => void = () => {},
) => {
  const database = databaseOf(given)
  const store = MemoryShardStore.make(database)
  let isAgain = false
  database.weather = {
    ...MemoryShardStore.calm,
    attempt: () =>
      Effect.sync(() => {
        isAgain = fate === "AnswerLost" && !isAgain
        return isAgain ? { _tag: "AnswerLost" } : { _tag: "Answered" }
      }),
  }
  const state = new ShardState()
  let lease: Lease = { epoch: 1, batch: 0 }
  const answered: Array<Answered> = []
  const front: Array<ReadonlyArray<Entry>> = [given.batch.map(entryOf)]
  for (let entries = front.shift(); entries !== undefined; entries = front.shift()) {
    const ending = atOnce(
      runBatch({ shard: here, store, state, lease, entries, nowMillis, offerTtlMillis: 60_000, listener: silent }),
    )
    lease = ending.lease ?? lease
    if (ending.dropsState) state.clear()
    front.unshift(...ending.again.filter((group) => group.length > 0))
    answered.push(...ending.answers.map(({ answer, entry }) => ({ command: entry.command, answer })))
    lookAfter(database, state)
  }
  return { database, answered }
}

const modelLine = ({ productId, quantity, unitPrice }: ModelLine): ModelLine => ({ productId, quantity, unitPrice })

/** What a caller is told, as far as the model says it. */
const toldBy = (answer: Reply): Verdict => {
  switch (answer._tag) {
    case "Accepted": {
      const { expiresAtMillis, lines, orderId, total } = answer
      return { _tag: "Placed", orderId, lines: lines.map(modelLine), total: total.amount, expiresAtMillis }
    }
    case "Held": {
      const { currency, lines, reservationTtlSeconds } = answer
      return { _tag: "Held", currency, lines: lines.map(modelLine), reservationTtlSeconds }
    }
    case "Moved":
      return { _tag: "Moved", movementId: answer.movementId }
    case "Begun":
      return { _tag: "Begun", paymentId: answer.paymentId }
    case "Shipped":
      return { _tag: "Shipped", shipmentId: answer.shipmentId }
    case "Repeated":
      return { _tag: "Repeated", id: idOf(answer) }
    case "Refused":
      return refused(answer.refusal)
    case "Busy":
    case "OutcomeUnknown":
    case "CommandFailed":
      return assert.fail(`answered ${answer._tag} in calm weather`)
    default:
      return answer
  }
}
const idOf = (answer: Extract<Outcome, { _tag: "Repeated" }>) =>
  "orderId" in answer ? answer.orderId : "paymentId" in answer ? answer.paymentId : answer.movementId

/** What asks for the same again is told the same, whether this batch or an earlier one did it. */
const withoutEarlier = (verdict: Verdict): Verdict => {
  if (verdict._tag === "AlreadyCancelled") return { _tag: "Cancelled" }
  return verdict._tag === "AlreadyRefunded" ? { _tag: "Refunded" } : verdict
}

/**
 * What was answered, less the orders whose key met one of the same batch that was not placed in the end, for want of its
 * hold or its cart: they are told as much, and to try again.
 */
const decided = (answered: ReadonlyArray<Answered>): ReadonlyArray<Answered> => {
  const unplaced = new Set<string>()
  return answered.filter(({ answer, command }) => {
    if (command._tag !== "Reserve" || (answer._tag !== "HoldMissing" && answer._tag !== "CartChanged")) return true
    if (unplaced.has(keyName(command))) return false
    unplaced.add(keyName(command))
    return true
  })
}

const livesOf: ReadonlySet<Command["_tag"]> = new Set([
  "Reserve",
  "Cancel",
  "Refund",
  "Extend",
  "Pay",
  "Ship",
  "Deliver",
  "Join",
  "Leave",
  "Offer",
])

describe("batch after batch over arbitrary shards", () => {
  it("everybody is told what the commands come to one at a time, and the rows are those", () =>
    holds((given) => {
      const { answered, database } = decideAll(given, "Answered")
      const model = structuredClone(given.world)
      const told = decided(answered)
      const verdicts = told.map(({ command }) => decideAlone(model, command, false))
      assert.deepStrictEqual(
        told.map(({ answer }) => toldBy(answer)),
        verdicts,
      )
      for (const command of given.batch) assert.isTrue(answered.some((row) => row.command === command))
      sameStockAndOrders(database.tables, model)
      sameLives(database.tables, model)
    }))

  it("and so they are where the first answer of every commit is lost", () =>
    holds((given) => {
      const { answered, database } = decideAll(given, "AnswerLost")
      const model = structuredClone(given.world)
      for (const { answer, command } of decided(answered)) {
        const verdict = decideAlone(model, command, false)
        if (!livesOf.has(command._tag) || answer._tag === "CartChanged" || answer._tag === "Busy") continue
        assert.deepStrictEqual(withoutEarlier(toldBy(answer)), withoutEarlier(verdict), command._tag)
      }
      sameStockAndOrders(database.tables, model)
      sameLives(database.tables, model)
    }))

  it("whoever waits for no more than there is of a product is to be offered it before anything else", () =>
    holds((given) => {
      for (const fate of ["Answered", "AnswerLost"] as const) {
        decideAll(given, fate, ({ tables }, { products, toOffer }) => {
          for (const { archived, paused, productId, saleStartsAtMillis, waitlist } of products.values()) {
            if (!waitlist || paused || archived || (saleStartsAtMillis ?? 0) > nowMillis) continue
            if (toOffer.has(productId)) continue
            assert.deepStrictEqual(readWaiters(tables, here, [productId], 1), [])
          }
        })
      }
    }))
})

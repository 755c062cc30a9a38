/** The writer of a shard, told as stories under a clock that the test turns: when it commits, whom it answers what. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import type { Amend, ProductChange } from "../../src/domain/commands.ts"
import type { ProductId } from "../../src/domain/ids.ts"
import * as ShardActor from "../../src/inventory/shard/ShardActor.ts"
import { restock } from "../inventory/fixtures.ts"
import { gateBefore, startOneShard } from "./oneShard.ts"

const quiet = Effect.provide(Logger.layer([]))
/** Lets everybody run who can, without time passing. */
const settle = TestClock.adjust(0)
const amend = (productId: ProductId, change: ProductChange): Amend => {
  return { _tag: "Amend", productId, expectedVersion: null, change }
}
const tagsOf = (fibers: ReadonlyArray<Fiber.Fiber<string>>) => Effect.forEach(fibers, (fiber) => Fiber.join(fiber))

describe("batches", () => {
  it.effect("a lone command is committed at once, without waiting for company", () =>
    Effect.gen(function* () {
      const { offer, order } = yield* startOneShard()
      const fiber = yield* offer(order())
      yield* settle
      assert.isDefined(fiber.pollUnsafe(), "answered before any time has passed")
      assert.strictEqual(yield* Fiber.join(fiber), "Accepted")
    }),
  )

  it.effect("what arrives while a batch is committed is the next batch", () =>
    Effect.gen(function* () {
      const { actor, database, offer, order } = yield* startOneShard()
      const gate = gateBefore(database)
      yield* gate.close
      const first = yield* offer(order())
      yield* settle
      const others = yield* Effect.forEach([1, 2, 3, 4, 5], () => offer(order()))
      yield* settle
      assert.strictEqual(gate.arrived, 1)
      yield* gate.open
      assert.deepStrictEqual(
        yield* tagsOf([first, ...others]),
        Array.from({ length: 6 }, () => "Accepted"),
      )
      assert.strictEqual(gate.arrived, 2)
      assert.strictEqual(actor.status().lastBatchSize, 5)
    }),
  )

  it.effect("with a linger a batch waits its time for company, and no longer", () =>
    Effect.gen(function* () {
      const { actor, database, offer, order } = yield* startOneShard({ settings: { lingerMillis: 40 } })
      const gate = gateBefore(database)
      const first = yield* offer(order())
      yield* TestClock.adjust(39)
      assert.strictEqual(gate.arrived, 0)
      const second = yield* offer(order())
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* tagsOf([first, second]), ["Accepted", "Accepted"])
      assert.deepStrictEqual([gate.arrived, actor.status().lastBatchSize], [1, 2])
    }),
  )

  it.effect("with a linger a full batch does not wait for the rest of its time", () =>
    Effect.gen(function* () {
      const settings = { lingerMillis: 40, batchSizeMax: 3 }
      const { database, offer, order } = yield* startOneShard({ settings })
      const gate = gateBefore(database)
      const first = yield* offer(order())
      yield* TestClock.adjust(5)
      assert.strictEqual(gate.arrived, 0)
      const others = yield* Effect.forEach([1, 2], () => offer(order()))
      yield* settle
      assert.strictEqual(gate.arrived, 1)
      assert.deepStrictEqual(yield* tagsOf([first, ...others]), ["Accepted", "Accepted", "Accepted"])
    }),
  )
})

describe("a crowd", () => {
  it.effect("that fills the mailbox is told busy at once, and nobody of it is placed later", () =>
    Effect.gen(function* () {
      const { database, offer, order, placed } = yield* startOneShard({ settings: { mailboxSize: 3 } })
      const gate = gateBefore(database)
      yield* gate.close
      const first = yield* offer(order())
      yield* settle
      const waiting = yield* Effect.forEach([1, 2, 3], () => offer(order()))
      const late = order()
      const refused = yield* offer(late)
      yield* settle
      assert.isDefined(refused.pollUnsafe(), "no waiting to be told")
      yield* gate.open
      assert.deepStrictEqual(yield* tagsOf([refused, first, ...waiting]), [
        "Busy",
        ...Array.from({ length: 4 }, () => "Accepted"),
      ])
      assert.isFalse(placed(late))
    }),
  )

  it.effect("is decided in the order in which it came", () =>
    Effect.gen(function* () {
      const { available, offer, order } = yield* startOneShard({ stocked: 3 })
      const fibers = yield* Effect.forEach([2, 2, 1, 1], (quantity) => offer(order(quantity)))
      assert.deepStrictEqual(yield* tagsOf(fibers), ["Accepted", "Refused", "Accepted", "Refused"])
      assert.strictEqual(available(), 0)
    }),
  )
})

describe("deadlines and hang-ups", () => {
  it.effect("a command whose time is over while it waits is told busy within a tick, and never placed", () =>
    Effect.gen(function* () {
      const { database, offer, order, placed } = yield* startOneShard()
      const gate = gateBefore(database)
      yield* gate.close
      const first = yield* offer(order())
      yield* settle
      const impatient = order()
      const waiting = yield* offer(impatient, 100)
      yield* TestClock.adjust(99)
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust(26)
      assert.strictEqual(yield* Fiber.join(waiting), "Busy")
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(first), "Accepted")
      yield* TestClock.adjust(1_000)
      assert.isFalse(placed(impatient))
    }),
  )

  it.effect("one whose commit is unsettled at its deadline is told so, and its key tells the outcome", () =>
    Effect.gen(function* () {
      const { available, database, offer, order } = yield* startOneShard()
      const gate = gateBefore(database)
      gate.fate = { _tag: "AppliedLate" }
      const wanted = order(4)
      const fiber = yield* offer(wanted, 1_000)
      yield* TestClock.adjust(1_025)
      assert.strictEqual(yield* Fiber.join(fiber), "OutcomeUnknown")
      gate.fate = { _tag: "Answered" }
      yield* database.deliverLate
      const retry = yield* offer({ ...wanted, orderId: order().orderId })
      yield* TestClock.adjust(1_000)
      assert.strictEqual(yield* Fiber.join(retry), "Repeated")
      assert.strictEqual(available(), 6)
    }).pipe(quiet),
  )

  it.effect("hanging up withdraws what waits, and not what is being committed", () =>
    Effect.gen(function* () {
      const { available, database, offer, order, placed } = yield* startOneShard()
      const gate = gateBefore(database)
      yield* gate.close
      const [committing, waiting] = [order(2), order(3)]
      const first = yield* offer(committing)
      yield* settle
      const second = yield* offer(waiting)
      yield* settle
      yield* Fiber.interrupt(first)
      yield* Fiber.interrupt(second)
      yield* gate.open
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual([placed(committing), placed(waiting), available()], [true, false, 8])
    }),
  )
})

describe("trouble", () => {
  it.effect("a command the database refuses is found by halving, and all others go through", () =>
    Effect.gen(function* () {
      const { available, offer, order, placed } = yield* startOneShard({ stocked: 20 })
      const poison = order(1, { reservationTtlMillis: 0 })
      const crowd = Array.from({ length: 12 }, (_, at) => (at === 7 ? poison : order()))
      const fibers = yield* Effect.forEach(crowd, (command) => offer(command))
      const tags = yield* tagsOf(fibers)
      assert.deepStrictEqual(
        tags,
        crowd.map((command) => (command === poison ? "CommandFailed" : "Accepted")),
      )
      assert.deepStrictEqual([available(), placed(poison)], [9, false])
    }),
  )

  it.effect("an outcome that is lost is settled before anybody is answered", () =>
    Effect.gen(function* () {
      const { available, database, offer, order } = yield* startOneShard()
      const gate = gateBefore(database)
      gate.fate = { _tag: "AnswerLost" }
      const fiber = yield* offer(order(3))
      yield* settle
      gate.fate = { _tag: "Answered" }
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* Fiber.join(fiber), "Accepted")
      assert.strictEqual(available(), 7)
    }).pipe(quiet),
  )

  it.effect("the loop outlives defects of the store, also while it recovers from one", () =>
    Effect.gen(function* () {
      let defectsLeft = 3
      const { database, offer, order } = yield* startOneShard()
      const { weather } = database
      database.weather = {
        ...weather,
        attempt: (attempt) =>
          Effect.suspend(() => (defectsLeft-- > 0 ? Effect.die(new Error("a defect")) : weather.attempt(attempt))),
      }
      const unlucky = yield* offer(order())
      yield* TestClock.adjust(1_000)
      assert.strictEqual(yield* Fiber.join(unlucky), "OutcomeUnknown")
      const next = yield* offer(order())
      yield* settle
      assert.strictEqual(yield* Fiber.join(next), "Accepted")
    }).pipe(quiet),
  )

  it.effect("a defect in a batch's second number leaves neither number to the next batch", () =>
    Effect.gen(function* () {
      const { available, database, offer, product } = yield* startOneShard()
      const attempts: Array<string> = []
      const fates = [{ _tag: "NeverApplied" }, { _tag: "Rejected", sqlState: "23505" }] as const
      database.weather = {
        ...database.weather,
        attempt: ({ batch, kind }) =>
          Effect.sync(() => fates[attempts.push(`${kind} ${batch}`) - 1] ?? ({ _tag: "Answered" } as const)),
        answer: () => (attempts.length === 4 ? Effect.die(new Error("a defect")) : Effect.void),
      }
      const unlucky = yield* offer(restock(product, 1))
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(attempts.slice(0, 4), ["commit 1", "commit 1", "void 1", "commit 2"])
      assert.strictEqual(yield* Fiber.join(unlucky), "OutcomeUnknown")
      assert.strictEqual(available(), 11, "the guarded form was applied, and nobody heard")
      const next = yield* offer(restock(product, 5))
      yield* TestClock.adjust(1_000)
      assert.strictEqual(yield* Fiber.join(next), "Moved")
      assert.strictEqual(available(), 16)
    }).pipe(quiet),
  )

  it.effect("a writer that was replaced sells nothing, says nothing from memory, and tells its owner once", () =>
    Effect.gen(function* () {
      let fenced = 0
      const { database, grant, offer, order } = yield* startOneShard({ stocked: 1, onFenced: () => void fenced++ })
      assert.strictEqual(yield* Fiber.join(yield* offer(order())), "Accepted")
      database.acquire(0, "another")
      assert.deepStrictEqual(yield* tagsOf([yield* offer(order()), yield* offer(order())]), ["Busy", "Busy"])
      assert.strictEqual(fenced, 1)
      yield* grant
      assert.strictEqual(yield* Fiber.join(yield* offer(order())), "Refused")
    }),
  )

  it.effect("a writer that was replaced says nothing from memory of what is archived, either", () =>
    Effect.gen(function* () {
      const { actor, database, offer, product, store } = yield* startOneShard()
      const archive = amend(product, { archived: true })
      assert.strictEqual(yield* Fiber.join(yield* offer(archive)), "Amended")
      assert.strictEqual(yield* Fiber.join(yield* offer(amend(product, { archived: true }))), "Amended")
      const rival = yield* ShardActor.make(
        0,
        store,
        { mailboxSize: 9, batchSizeMax: 9, lingerMillis: 0, offerTtlMillis: 60_000 },
        () => {},
      )
      rival.grant(database.acquire(0, "another"))
      yield* rival.submit(amend(product, { archived: false }), 5_000)
      assert.strictEqual(yield* Fiber.join(yield* offer(amend(product, { archived: true }))), "Busy")
      assert.isNull(actor.status().lease)
    }),
  )

  it.effect("an edit whose answer was lost is not denied because a later writer edited after it", () =>
    Effect.gen(function* () {
      const { database, offer, product, store } = yield* startOneShard()
      const gate = gateBefore(database)
      gate.fate = { _tag: "AnswerLost" }
      const first = yield* offer(amend(product, { paused: true }))
      yield* settle
      gate.fate = { _tag: "Answered" }
      const rival = yield* ShardActor.make(
        0,
        store,
        { mailboxSize: 9, batchSizeMax: 9, lingerMillis: 0, offerTtlMillis: 60_000 },
        () => {},
      )
      rival.grant(database.acquire(0, "another"))
      yield* rival.submit(amend(product, { paused: false }), 5_000)
      yield* TestClock.adjust(1_000)
      assert.strictEqual(yield* Fiber.join(first), "Amended")
      assert.strictEqual(database.tables.products.get(product)?.version, 3)
    }).pipe(quiet),
  )

  it.effect("nobody is refused for units that one checkout after the other turned out not to take", () =>
    Effect.gen(function* () {
      const { available, database, offer, order, product } = yield* startOneShard({ stocked: 1 })
      const gate = gateBefore(database)
      yield* gate.close
      const first = yield* offer(amend(product, { paused: false }))
      yield* settle
      const stale = [1, 2].map(() => {
        const checkout = order(1, { cartVersion: 1 })
        for (let edit = 0; edit < 2; edit++) database.putCart(checkout.caller, checkout.lines)
        return checkout
      })
      const wanted = order()
      const fibers = yield* Effect.forEach([...stale, wanted], (command) => offer(command))
      yield* gate.open
      assert.deepStrictEqual(yield* tagsOf([first, ...fibers]), ["Amended", "CartChanged", "CartChanged", "Busy"])
      assert.strictEqual(available(), 1)
      assert.strictEqual(yield* Fiber.join(yield* offer({ ...wanted, orderId: order().orderId })), "Accepted")
    }),
  )

  it.effect("revoked it answers busy at once, granted it goes on with what the rows say", () =>
    Effect.gen(function* () {
      const { actor, grant, offer, order, product } = yield* startOneShard({ stocked: 1 })
      actor.revoke()
      assert.strictEqual(yield* Fiber.join(yield* offer(order())), "Busy")
      assert.isNull(actor.status().lease)
      yield* grant
      assert.strictEqual(yield* Fiber.join(yield* offer(restock(product, 4))), "Moved")
      assert.strictEqual(yield* Fiber.join(yield* offer(order(5))), "Accepted")
    }),
  )
})

describe("drain", () => {
  it.effect("decides what was accepted, answers everybody, and accepts nothing more", () =>
    Effect.gen(function* () {
      const { actor, available, database, offer, order } = yield* startOneShard({ settings: { batchSizeMax: 2 } })
      const gate = gateBefore(database)
      yield* gate.close
      const accepted = yield* Effect.forEach([1, 2, 3, 4, 5], () => offer(order()))
      yield* settle
      const drained = yield* Effect.forkChild(actor.drain, { startImmediately: true })
      const late = yield* offer(order())
      yield* settle
      assert.isUndefined(drained.pollUnsafe())
      yield* gate.open
      yield* Fiber.join(drained)
      assert.deepStrictEqual(yield* tagsOf([...accepted, late]), [
        ...Array.from({ length: 5 }, () => "Accepted"),
        "Busy",
      ])
      assert.strictEqual(available(), 5)
    }),
  )
})

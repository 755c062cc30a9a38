/**
 * The promise under every interleaving that a few thousand seeds find: orders, retries, hang-ups, cancellations, carts,
 * deliveries, edits, reservations and holds that run out, takeovers and kills through the real actors, over a store that
 * loses, delays and refuses.
 */
import { assert, describe, it } from "@effect/vitest"
import { simulate } from "./simulation.ts"

/** A failing seed alone: `SIMULATION_SEED=1721 npx vitest run test/actor/simulation.test.ts`. */
const replayed = process.env["SIMULATION_SEED"]
const seeds = replayed === undefined ? Array.from({ length: 2_500 }, (_, seed) => seed) : [Number(replayed)]

/** What a run over all seeds has to have met, or it proves little. */
const mustBeSeen = [
  "order Accepted",
  "order Repeated",
  "order Busy",
  "order OutcomeUnknown",
  "order CommandFailed",
  "order HungUp",
  "order Refused out_of_stock",
  "order Refused limit_exceeded",
  "order Refused idempotency_key_reused",
  "order Refused unknown_product",
  "order Refused currency_mix",
  "order Refused not_on_sale",
  "order Refused price_changed",
  "Hold Held",
  "Release Done",
  "Return Done",
  "checkout Accepted",
  "checkout CartChanged",
  "checkout Repeated",
  "cancellation Cancelled",
  "cancellation AlreadyCancelled",
  "cancellation Refused",
  "cancellation NotFound",
  "Expire Done",
  "Amend Amended",
  "Amend Refused version_mismatch",
  "Amend Refused currency_fixed",
  "Restock Moved",
  "Restock Repeated",
  "Restock Refused stock_is_sold",
  "neverApplied",
  "answerLost",
  "appliedLate",
  "rejected",
  "defect",
  "unreachable",
  "killed",
]

describe("the actors under a seeded scheduler", () => {
  it("keep the promise whatever the crowd, the scheduler and the store do", () => {
    const seen = new Map<string, number>()
    for (const seed of seeds) {
      const report = simulate(seed)
      if (report.violation !== null) {
        const replay = `SIMULATION_SEED=${seed} npx vitest run test/actor/simulation.test.ts`
        throw new Error(`seed ${seed} broke the promise; replay it with: ${replay}`, { cause: report.violation })
      }
      for (const [name, count] of report.seen) seen.set(name, (seen.get(name) ?? 0) + count)
    }
    if (replayed !== undefined) return
    const unseen = mustBeSeen.filter((name) => (seen.get(name) ?? 0) < 5)
    assert.deepStrictEqual(unseen, [], "everything a run can meet was met")
  })

  it("replay a seed to the letter", () => {
    for (let seed = 0; seed < 40; seed++) {
      const [first, second] = [simulate(seed), simulate(seed)]
      assert.deepStrictEqual([first.digest, first.steps], [second.digest, second.steps], `seed ${seed}`)
      assert.deepStrictEqual(first.seen, second.seen)
    }
  })
})

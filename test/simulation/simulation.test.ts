/**
 * The promise under every interleaving that a few thousand seeds find: orders, retries, hang-ups, cancellations, carts,
 * deliveries, edits, reservations and holds that run out, takeovers and kills through the real actors, over a store that
 * loses, delays and refuses.
 */
import { assert, describe, it } from "@effect/vitest"
import { simulate } from "./simulation.ts"

/** A failing seed alone: `SIMULATION_SEED=1721 npx vitest run test/simulation/simulation.test.ts`. */
const replayed = process.env["SIMULATION_SEED"]
const seedsOfPart = 500
/** A part takes some seconds on a machine that has nothing else to do. */
const partMaxMillis = 180_000
const part = (number: number) => Array.from({ length: seedsOfPart }, (_, at) => number * seedsOfPart + at)
const parts = replayed === undefined ? [0, 1, 2, 3].map(part) : [[Number(replayed)]]

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
  "Hold Superseded",
  "Reserve HoldMissing",
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
  const seen = new Map<string, number>()
  const keepsThePromise = (seed: number): boolean => {
    const report = simulate(seed)
    if (report.violation !== null) {
      const replay = `SIMULATION_SEED=${seed} npx vitest run test/simulation/simulation.test.ts`
      throw new Error(`seed ${seed} broke the promise; replay it with: ${replay}`, { cause: report.violation })
    }
    for (const [name, count] of report.seen) seen.set(name, (seen.get(name) ?? 0) + count)
    return true
  }

  for (const seeds of parts) {
    it(`keep the promise whatever anybody does, from seed ${seeds[0]} on`, { timeout: partMaxMillis }, () => {
      assert.strictEqual(seeds.filter(keepsThePromise).length, seeds.length)
    })
  }

  it("met everything that a run can meet", () => {
    const unseen = replayed === undefined ? mustBeSeen.filter((name) => (seen.get(name) ?? 0) < 5) : []
    assert.deepStrictEqual(unseen, [])
  })

  it("replay a seed to the letter", () => {
    for (let seed = 0; seed < 40; seed++) {
      const [first, second] = [simulate(seed), simulate(seed)]
      assert.deepStrictEqual([first.digest, first.steps], [second.digest, second.steps], `seed ${seed}`)
      assert.deepStrictEqual(first.seen, second.seen)
    }
  })
})

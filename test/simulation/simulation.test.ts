/**
 * The simulation as a tool: what it must keep so that its word counts. That the promise holds in it is shown by many
 * more seeds than fit here (`npm run simulate`); that it would notice, by `plantedBugs.test.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import { plantedBugs } from "./plantedBugs.ts"
import { type PlantedBug, withPlanted } from "./plantedBugs/planting.ts"
import { regressions } from "./regressions.ts"
import { drawScenario, onlyWith, partsOf } from "./scenario.ts"
import { scenarioOf, shrink, wholeOf } from "./shrink.ts"
import { run, simulate } from "./simulation.ts"
import { sentenceOf, Story } from "./story.ts"

/** A part takes some seconds on a machine that has nothing else to do. */
const partMaxMillis = 180_000

const violationsOf = (seeds: ReadonlyArray<number>): ReadonlyArray<string> =>
  seeds.flatMap((seed) => {
    const { violation } = simulate(seed)
    return violation === null ? [] : [`npm run simulate -- --seed ${seed}: ${sentenceOf(violation)}`]
  })

const bugCalled = (name: string): PlantedBug =>
  plantedBugs.find((bug) => bug.name === name) ?? assert.fail(`no bug is called "${name}"`)

describe("the simulation of the service", { timeout: partMaxMillis }, () => {
  it("finds nothing in a few hundred seeds", () => {
    assert.deepStrictEqual(violationsOf(Array.from({ length: 300 }, (_, seed) => seed)), [])
  })

  it("finds nothing any more in a seed that failed once", () => {
    assert.deepStrictEqual(violationsOf(regressions.map(({ seed }) => seed)), [])
  })

  it("replays a seed to the letter", () => {
    for (let seed = 0; seed < 40; seed++) {
      const [first, second] = [simulate(seed), simulate(seed)]
      assert.deepStrictEqual([first.digest, first.steps], [second.digest, second.steps], `seed ${seed}`)
      assert.deepStrictEqual(first.seen, second.seen)
    }
  })

  it("is the same run whether or not somebody listens to its story", () => {
    for (let seed = 0; seed < 20; seed++) {
      const story = new Story(true)
      assert.strictEqual(run(drawScenario(seed), undefined, story).digest, simulate(seed).digest)
      assert.isNotEmpty(story.lines)
    }
  })

  it("is the same run with all of its parts named, and another one without some of them", () => {
    const scenario = drawScenario(7)
    const parts = partsOf(scenario)
    const whole = simulate(7).digest
    assert.strictEqual(run(onlyWith(scenario, new Set(parts))).digest, whole)
    assert.notStrictEqual(run(onlyWith(scenario, new Set(parts.slice(1)))).digest, whole)
  })

  it("orders the steps of a scenario in another way under another schedule", () => {
    const digests = [0, 1, 2].map((schedule) => run(drawScenario(7, schedule)).digest)
    assert.strictEqual(new Set(digests).size, 3)
  })

  it("makes a failing seed small: parts that are not needed go, and what is left still fails", () =>
    withPlanted(bugCalled("reply before commit"), (modules) => {
      const whole = wholeOf(3, 0)
      assert.isNotNull(run(scenarioOf(whole), modules).violation)
      const small = shrink(whole, modules)
      assert.isBelow(small.parts.length, 4, small.parts.join(", "))
      assert.isNotNull(run(scenarioOf(small), modules).violation)
      assert.deepStrictEqual(shrink(whole, modules), small, "and always to the same")
    }))
})

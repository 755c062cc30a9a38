/** No shop that is right is ever blamed, whatever its clients know of it; one that sells what it does not have is. */
import { assert, describe, it } from "@effect/vitest"
import { Chance } from "../simulation/machine/chance.ts"
import { contradictions } from "./contradictions.ts"
import { recordShop, toldOf } from "./recordedShop.ts"

const sentencesOf = (seed: number, isOverselling: boolean): ReadonlyArray<string> => {
  const chance = new Chance(seed)
  const firstStock = chance.between(0, 15)
  const shop = { firstStock, requests: chance.between(1, 40), inFlight: chance.pick([1, 4, 10]), isOverselling }
  const told = toldOf(recordShop(chance, shop), chance.happens(0.5), chance.happens(0.5))
  return contradictions(
    told,
    new Map([
      ["lamp", firstStock],
      ["rug", firstStock],
    ]),
  )
}

describe("what the clients of a shop were told", () => {
  it("never contradicts itself where the shop is right", () => {
    for (let seed = 1; seed <= 1_000; seed++) assert.deepStrictEqual(sentencesOf(seed, false), [], `seed ${seed}`)
  })

  it("gives away a shop that sells what it does not have", () => {
    const seeds = Array.from({ length: 300 }, (_, seed) => seed + 1)
    const found = seeds.filter((seed) => sentencesOf(seed, true).some((sentence) => sentence.startsWith("No correct")))
    assert.isAbove(found.length, 150)
  })
})

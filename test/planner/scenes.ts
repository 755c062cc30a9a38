/**
 * An arbitrary shard and an arbitrary batch for it.
 */
import * as fc from "fast-check"
import type { Command } from "../../src/domain/commands.ts"
import { commandOf, commandSpec } from "./batches.ts"
import type { World } from "./referenceWorld.ts"
import { chosen, countable, type CountedPair, past, products, type Wish, wishes, worldOf } from "./worlds.ts"

export interface Scene {
  readonly world: World
  readonly counted: ReadonlyArray<CountedPair>
  readonly wishes: ReadonlyArray<Wish>
  readonly batch: ReadonlyArray<Command>
}

export const scene: fc.Arbitrary<Scene> = fc
  .record({ products, wishes, past, specs: fc.array(commandSpec, { minLength: 1, maxLength: 16, size: "max" }) })
  .map((drawn) => {
    const world = worldOf(drawn.products, drawn.wishes, drawn.past)
    const batch = drawn.specs.map((spec, at) => commandOf(world, drawn.wishes, spec, at))
    return { world, counted: chosen(countable(world), drawn.past.counted), wishes: drawn.wishes, batch }
  })

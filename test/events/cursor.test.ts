import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import { shardsMax } from "../../src/domain/bounds.ts"
import { decodeCursor, encodeCursor, eventIdOf } from "../../src/events/cursor.ts"
import { cursorLengthMax } from "../../src/events/eventBounds.ts"

const batch = fc.integer({ min: 1, max: 2 ** 48 - 1 })
const position = fc.record({ batch, offset: fc.integer({ min: 0, max: 2 ** 32 - 1 }) }, { noNullPrototype: true })

describe("a cursor", () => {
  it("comes back as it went out, for any shards and batches, and may stand in a URL", () => {
    fc.assert(
      fc.property(fc.array(position, { maxLength: shardsMax }), (positions) => {
        const text = encodeCursor(positions)
        assert.match(text, /^[A-Za-z0-9_-]+$/)
        assert.isAtMost(text.length, cursorLengthMax)
        assert.deepStrictEqual(decodeCursor(text), Result.succeed(positions))
      }),
    )
  })

  it("that nobody was given is told from one that somebody was", () => {
    const good = encodeCursor([{ batch: 7, offset: 2 }])
    const noBatch = encodeCursor([{ batch: 0, offset: 0 }])
    for (const text of ["", "A", "!", `${good}=`, `${good} `, good.slice(0, -1), `${good}A`, noBatch, "_".repeat(16)]) {
      assert.isTrue(Result.isFailure(decodeCursor(text)), text)
    }
  })
})

describe("an event's id", () => {
  it("is another one for each place in the log, and the same one for the same place", () => {
    const places = [0, 1, 63].flatMap((shard) =>
      [1, 2, 2 ** 40].flatMap((number) => [0, 1, 70_000].map((at) => [shard, number, at] as const)),
    )
    const ids = places.map((place) => eventIdOf(...place))
    assert.strictEqual(new Set(ids).size, places.length)
    assert.deepStrictEqual(
      places.map((place) => eventIdOf(...place)),
      ids,
    )
    for (const id of ids) assert.match(id, /^evt_[A-Za-z0-9_-]{16}$/)
  })
})

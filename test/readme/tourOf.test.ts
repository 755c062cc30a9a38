import { assert, describe, it } from "@effect/vitest"
import { tourOf } from "./tour.ts"

describe("a tour", () => {
  it("is the blocks that are marked, in their order, and no other", () => {
    const page = "```sh\nno\n```\n\n```sh tour\none \\\n  more\n```\ntext\n```sh tour\ntwo\n```\n```json\n{}\n```\n"
    assert.deepStrictEqual(tourOf(page), ["one \\\n  more", "two"])
  })
})

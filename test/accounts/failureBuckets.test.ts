import { assert, describe, it } from "@effect/vitest"
import { makeFailureBuckets } from "../../src/accounts/failureBuckets.ts"

const make = () => makeFailureBuckets({ burst: 3, refillMillis: 1_000, bucketsMax: 2 })

describe("failure buckets", () => {
  it("let a burst through, then one at a time", () => {
    const buckets = make()
    for (let failure = 0; failure < 3; failure++) {
      assert.strictEqual(buckets.waitMillis("a", 0), 0)
      buckets.take("a", 0)
    }
    assert.strictEqual(buckets.waitMillis("a", 0), 1_000)
    assert.strictEqual(buckets.waitMillis("a", 400), 600)
    assert.strictEqual(buckets.waitMillis("a", 1_000), 0)
    buckets.take("a", 1_000)
    assert.strictEqual(buckets.waitMillis("a", 1_000), 1_000)
    assert.strictEqual(buckets.waitMillis("b", 1_000), 0)
  })

  it("count what was started in parallel, too", () => {
    const buckets = make()
    for (let failure = 0; failure < 10; failure++) buckets.take("a", 0)
    assert.strictEqual(buckets.waitMillis("a", 0), 8_000)
  })

  it("forget what succeeded", () => {
    const buckets = make()
    for (let attempt = 0; attempt < 100; attempt++) {
      buckets.take("a", 0)
      buckets.giveBack("a", 0)
    }
    assert.strictEqual(buckets.waitMillis("a", 0), 0)
  })

  it("are whole again after a while, and never more than whole", () => {
    const buckets = make()
    buckets.take("a", 0)
    assert.strictEqual(buckets.waitMillis("a", 1_000_000), 0)
    for (let failure = 0; failure < 3; failure++) buckets.take("a", 1_000_000)
    assert.strictEqual(buckets.waitMillis("a", 1_000_000), 1_000)
  })

  it("remember a bounded number of names, and forget the one that failed longest ago first", () => {
    const buckets = make()
    for (const name of ["a", "b"]) for (let failure = 0; failure < 3; failure++) buckets.take(name, 0)
    buckets.take("a", 0)
    buckets.take("c", 0)
    assert.isAbove(buckets.waitMillis("a", 0), 0)
    assert.strictEqual(buckets.waitMillis("b", 0), 0)
  })
})

import { assert, describe, it } from "@effect/vitest"
import { makeLocalBuckets } from "../../src/platform/redis/localBuckets.ts"

const make = () => makeLocalBuckets({ burst: 3, refillMillis: 1_000, bucketsMax: 2 })

describe("buckets in this process", () => {
  it("let a burst through, then one at a time", () => {
    const buckets = make()
    for (let failure = 0; failure < 3; failure++) {
      assert.strictEqual(buckets.waitMillis("a", 0), 0)
      buckets.take("a", 1, 0)
    }
    assert.strictEqual(buckets.waitMillis("a", 0), 1_000)
    assert.strictEqual(buckets.waitMillis("a", 400), 600)
    assert.strictEqual(buckets.waitMillis("a", 1_000), 0)
    buckets.take("a", 1, 1_000)
    assert.strictEqual(buckets.waitMillis("a", 1_000), 1_000)
    assert.strictEqual(buckets.waitMillis("b", 1_000), 0)
  })

  it("count what was started in parallel, too", () => {
    const buckets = make()
    for (let failure = 0; failure < 10; failure++) buckets.take("a", 1, 0)
    assert.strictEqual(buckets.waitMillis("a", 0), 8_000)
  })

  it("grant a part of many where there are not enough, and say when the next is there", () => {
    const buckets = make()
    assert.deepStrictEqual(buckets.takeUpTo("a", 2, 0), { granted: 2, waitMillis: 0 })
    assert.deepStrictEqual(buckets.takeUpTo("a", 5, 0), { granted: 1, waitMillis: 1_000 })
    assert.deepStrictEqual(buckets.takeUpTo("a", 1, 400), { granted: 0, waitMillis: 600 })
    assert.deepStrictEqual(buckets.takeUpTo("a", 5, 2_000), { granted: 2, waitMillis: 1_000 })
  })

  it("grant exactly their rate over a long time, also where a token takes a fraction of a millisecond", () => {
    const buckets = makeLocalBuckets({ burst: 3_000, refillMillis: 1_000 / 3_000, bucketsMax: 1 })
    let granted = 0
    for (let nowMillis = 1; nowMillis <= 10_000; nowMillis++) granted += buckets.takeUpTo("a", 10, nowMillis).granted
    assert.isAtLeast(granted, 32_990)
    assert.isAtMost(granted, 33_000)
  })

  it("forget what succeeded", () => {
    const buckets = make()
    for (let attempt = 0; attempt < 100; attempt++) {
      buckets.take("a", 1, 0)
      buckets.giveBack("a", 1, 0)
    }
    assert.strictEqual(buckets.waitMillis("a", 0), 0)
  })

  it("are whole again after a while, and never more than whole", () => {
    const buckets = make()
    buckets.take("a", 1, 0)
    assert.strictEqual(buckets.waitMillis("a", 1_000_000), 0)
    for (let failure = 0; failure < 3; failure++) buckets.take("a", 1, 1_000_000)
    assert.strictEqual(buckets.waitMillis("a", 1_000_000), 1_000)
  })

  it("remember a bounded number of names, and forget the one that failed longest ago first", () => {
    const buckets = make()
    for (const name of ["a", "b"]) for (let failure = 0; failure < 3; failure++) buckets.take(name, 1, 0)
    buckets.take("a", 1, 0)
    buckets.take("c", 1, 0)
    assert.isAbove(buckets.waitMillis("a", 0), 0)
    assert.strictEqual(buckets.waitMillis("b", 0), 0)
  })
})

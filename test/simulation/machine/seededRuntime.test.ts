/** The scheduler of the simulation: a seed is a run, another seed another, and nobody waits for ever unnoticed. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Queue } from "effect"
import { Chance } from "./chance.ts"
import { connectionLost } from "./simulatedProcess.ts"
import { NeverEnds, type SeededOptions, SeededRuntime } from "./seededRuntime.ts"

const usual = { startMillis: 0, yieldChance: 0, stallChance: 0, stepsMax: 10_000, millisMax: 60_000 }

const run = <A>(seed: number, program: Effect.Effect<A>, options: Partial<SeededOptions> = {}) => {
  const runtime = new SeededRuntime({ ...usual, chance: new Chance(seed), ...options })
  const exit = runtime.run(program, () => {})
  return { value: Exit.isSuccess(exit) ? exit.value : assert.fail("the program failed"), runtime }
}

/** Five writers and a reader of one queue; says who came when. */
const crowd = Effect.gen(function* () {
  const queue = yield* Queue.unbounded<string>()
  const write = Effect.fnUntraced(function* (name: string) {
    for (let round = 0; round < 3; round++) {
      yield* Effect.yieldNow
      yield* Queue.offer(queue, `${name}${round}`)
      yield* Effect.sleep(10)
    }
  })
  yield* Effect.forEach(["a", "b", "c", "d", "e"], write, { concurrency: "unbounded", discard: true })
  return (yield* Queue.takeAll(queue)).join(" ")
})

/** Reads, gives way, writes back: what one of many counters loses when another comes between. */
const lostUpdate = Effect.gen(function* () {
  let count = 0
  const increment = Effect.gen(function* () {
    const read = yield* Effect.sync(() => count)
    yield* Effect.sync(() => {
      count = read + 1
    })
  })
  yield* Effect.forEach([1, 2, 3], () => increment, { concurrency: "unbounded", discard: true })
  return count
})

describe("the seeded scheduler", () => {
  it("runs the same seed to the letter again", () => {
    for (let seed = 0; seed < 50; seed++) {
      const options = { yieldChance: 0.2, stallChance: 0.1 }
      const [first, second] = [run(seed, crowd, options), run(seed, crowd, options)]
      assert.strictEqual(first.value, second.value)
      assert.strictEqual(first.runtime.digest, second.runtime.digest)
      assert.strictEqual(first.runtime.steps, second.runtime.steps)
    }
  })

  it("finds other orders under other seeds", () => {
    const orders = new Set(Array.from({ length: 100 }, (_, seed) => run(seed, crowd).value))
    assert.isAbove(orders.size, 90)
  })

  it("comes between a read and its write", () => {
    const counts = Array.from({ length: 200 }, (_, seed) => run(seed, lostUpdate, { yieldChance: 0.2 }).value)
    assert.isAbove(counts.filter((count) => count < 3).length, 20)
    assert.isAbove(counts.filter((count) => count === 3).length, 20)
  })

  it("lets an hour pass in no time, and only when nobody can run", () => {
    const hour = Effect.andThen(Effect.sleep("1 hour"), Clock.currentTimeMillis)
    assert.strictEqual(run(1, hour, { millisMax: 3_600_000 }).value, 3_600_000)
  })

  it("notices who waits for ever", () => {
    const forgotten = Effect.flatMap(Deferred.make<void>(), Deferred.await)
    assert.throws(() => run(1, forgotten), NeverEnds)
    assert.throws(() => run(1, Effect.forever(Effect.yieldNow)), NeverEnds)
    assert.throws(() => run(1, Effect.forever(Effect.sleep(1000))), NeverEnds)
  })

  it("runs nothing of a killed process any more, its finalizers neither, and cuts off who waits for it", () => {
    const runtime = new SeededRuntime({ ...usual, chance: new Chance(1) })
    const process = runtime.process("killed")
    const heard: Array<string> = []
    const work = Effect.sleep(10).pipe(
      Effect.andThen(Effect.sync(() => heard.push("worked"))),
      Effect.ensuring(Effect.sync(() => heard.push("cleaned up"))),
    )
    const program = Effect.gen(function* () {
      const answer = yield* Effect.forkChild(Effect.flip(process.call(runtime.world, work)))
      yield* Effect.sleep(5)
      process.kill()
      yield* Effect.sleep(100)
      return yield* Fiber.join(answer)
    })
    assert.deepStrictEqual(
      runtime.run(program, () => {}),
      Exit.succeed(connectionLost),
    )
    assert.deepStrictEqual(heard, [])
  })

  it("lets a paused process go on where it was, with its timers late", () => {
    const runtime = new SeededRuntime({ ...usual, chance: new Chance(1) })
    const process = runtime.process("paused")
    const asked = process.call(runtime.world, Effect.andThen(Effect.sleep(10), Clock.currentTimeMillis))
    const program = Effect.gen(function* () {
      const answer = yield* Effect.forkChild(asked)
      yield* Effect.sleep(5)
      process.pause()
      yield* Effect.sleep(1_000)
      process.resume()
      return yield* Fiber.join(answer)
    })
    assert.deepStrictEqual(
      runtime.run(program, () => {}),
      Exit.succeed(1_005),
    )
  })

  it("lets a hang-up reach a paused process only when it goes on", () => {
    const runtime = new SeededRuntime({ ...usual, chance: new Chance(1) })
    const process = runtime.process("paused")
    let hungUpAtMillis = 0
    const noted = Effect.map(Clock.currentTimeMillis, (nowMillis) => void (hungUpAtMillis = nowMillis))
    const program = Effect.gen(function* () {
      const asking = yield* Effect.forkChild(
        process.call(
          runtime.world,
          Effect.onInterrupt(Effect.never, () => noted),
        ),
      )
      yield* Effect.sleep(5)
      process.pause()
      yield* Fiber.interrupt(asking)
      yield* Effect.sleep(500)
      process.resume()
      yield* Effect.sleep(1)
      return hungUpAtMillis
    })
    assert.deepStrictEqual(
      runtime.run(program, () => {}),
      Exit.succeed(505),
    )
  })
})

/** Fifty times more orders at once than the mailbox holds: quick answers, flat memory, and not one ghost. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { startOneShard } from "./oneShard.ts"

setFlagsFromString("--expose-gc")
const collect: unknown = runInNewContext("gc")
const heapUsedBytes = (): number => {
  if (typeof collect !== "function") return assert.fail("no garbage collector to call")
  collect()
  return process.memoryUsage().heapUsed
}

const offered = 50_000
const mailboxSize = 1_000

describe("overload", () => {
  it.live("of 50,000 orders offered at once the mailbox takes its share, and the rest is told busy", () =>
    Effect.gen(function* () {
      const { actor, available, database, order } = yield* startOneShard({
        stocked: 1_000_000,
        settings: { mailboxSize, batchSizeMax: 512 },
      })
      const crowd = Effect.gen(function* () {
        const deadlineMillis = (yield* Clock.currentTimeMillis) + 30_000
        const tally = { accepted: 0, busy: 0, other: 0, ghosts: 0 }
        const offerOne = Effect.suspend(() => {
          const command = order()
          return Effect.matchEager(actor.submit(command, deadlineMillis), {
            onFailure: (error) => {
              if (error._tag === "Busy") tally.busy += 1
              else tally.other += 1
              if (database.tables.orders.get(command.orderId) !== undefined) tally.ghosts += 1
            },
            onSuccess: (outcome) => {
              if (outcome._tag === "Accepted") tally.accepted += 1
              else tally.other += 1
            },
          })
        })
        yield* Effect.forEach(Array.from({ length: offered }), () => offerOne, {
          concurrency: "unbounded",
          discard: true,
        })
        return tally
      })
      yield* crowd
      const beforeBytes = heapUsedBytes()
      const placedBefore = database.tables.orders.all().length
      const tally = yield* crowd
      const afterBytes = heapUsedBytes()
      assert.deepStrictEqual([tally.other, tally.ghosts], [0, 0])
      assert.strictEqual(tally.accepted + tally.busy, offered)
      assert.isAtLeast(tally.accepted, mailboxSize)
      const placed = database.tables.orders.all().length
      assert.strictEqual(placed - placedBefore, tally.accepted, "every order placed was answered 201")
      assert.strictEqual(available(), 1_000_000 - placed)
      assert.isAtMost(afterBytes, beforeBytes * 1.2, "the collected heap stays flat")
    }),
  )
})

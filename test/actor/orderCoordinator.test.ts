/** An order over two shards whose caller hangs up at any moment: whatever became of it, its key answers again. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { MemoryDatabase } from "../../src/inventory/memory/MemoryShardStore.ts"
import { reserve } from "../inventory/fixtures.ts"
import { Chance } from "../simulation/machine/chance.ts"
import { firstCounts } from "../simulation/audit/counts.ts"
import { History } from "../simulation/audit/history.ts"
import { Ledger } from "../simulation/audit/ledger.ts"
import { makeNode, type Node } from "../simulation/service/node.ts"
import { newProduct } from "./oneShard.ts"
import { SeededRuntime } from "../simulation/machine/seededRuntime.ts"
import { realModules } from "../simulation/simulation.ts"

const settings = { shards: 2, mailboxSize: 10, batchSizeMax: 10, lingerMillis: 0, offerTtlMillis: 60_000 }

const same = (coordinator: Node["coordinator"]) => coordinator

/** Hangs up after as many breaths as the seed says, and asks again with the same key. */
const hangUpAndAskAgain = (seed: number) => {
  const chance = new Chance(seed)
  const usual = { startMillis: 1_000_000, stallChance: 0, stepsMax: 20_000, millisMax: 120_000 }
  const runtime = new SeededRuntime({ ...usual, chance, yieldChance: 0.4 })
  const program = Effect.gen(function* () {
    const database = new MemoryDatabase(2)
    const lines = [0, 1].map((shard) => [newProduct(database, 5, shard), 2] as const)
    const history = new History(() => {})
    const judged = (check: () => void) => check()
    const ledger = new Ledger(database, history, firstCounts(database.tables), judged, () => {})
    const process = runtime.process("first")
    const surroundings = { process, database, provider: null, history, ledger, chance, remote: null, watched: same }
    const node = yield* process.within(makeNode(realModules, settings, surroundings))
    node.inventory.grant(new Map([0, 1].map((shard) => [shard, database.acquire(shard, "first")])))
    const order = reserve(lines)
    const request = { ...order, holdFingerprint: order.fingerprint }
    const first = yield* Effect.forkChild(node.coordinator.place(request, 1_000_000 + 5_000))
    for (let breath = chance.below(40); breath > 0; breath--) yield* Effect.yieldNow
    yield* Fiber.interrupt(first)
    const retry = { ...request, orderId: reserve([]).orderId }
    const outcome = yield* node.coordinator.place(retry, 1_000_000 + 5_000)
    const stock = database.tables.stock.all().map((row) => row.available)
    return { tag: outcome._tag, orders: database.tables.orders.all().length, stock }
  })
  const exit = runtime.run(Effect.scoped(program), () => {})
  return Exit.isSuccess(exit) ? exit.value : assert.fail(`seed ${seed}: ${exit.cause}`)
}

describe("an order over several shards", () => {
  it("is one order however its caller hangs up and comes back", () => {
    const tags = new Set<string>()
    for (let seed = 0; seed < 600; seed++) {
      const { orders, stock, tag } = hangUpAndAskAgain(seed)
      tags.add(tag)
      assert.deepStrictEqual([orders, stock], [1, [3, 3]], `seed ${seed}`)
    }
    assert.deepStrictEqual([...tags].toSorted(), ["Accepted", "Repeated"], "hung up before it began, and after")
  })
})

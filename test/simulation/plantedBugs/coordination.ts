/**
 * Bugs around the shards: orders over several of them, endings, and what the sweeper brings.
 */
import { inCommit, inCoordinator, inEnding, inReads, inSweeper, type PlantedBug } from "./planting.ts"

export const coordinationBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "a retry refused by its own first attempt",
    patches: [
      inCoordinator("if (earlier !== null) return earlier", "if (earlier === undefined) return earlier"),
      inCoordinator("return (yield* known(homeShard, request)) ?? outcome", "return outcome"),
    ],
  },
  {
    name: "a retry told what was decided before it came",
    patches: [inCoordinator("running.submits > submits", "running.submits >= submits")],
  },
  {
    name: "anybody's order cancelled by anybody",
    patches: [inEnding("order.caller !== caller", `order.caller === ""`)],
  },
  {
    name: "reservations that nobody looks for when they are over",
    patches: [
      inSweeper("pages(store.expiredOrders(shard, sweepSizeMax), (order) => order.orderId, ending.expire),", ""),
    ],
  },
  {
    name: "returns left to nobody",
    patches: [inSweeper("store.pendingReturns(shard, sweepSizeMax),", "Effect.succeed<Array<Return>>([]),")],
  },
  {
    // A hold that ends before its order does, an order that consumes it all the same, and a sweeper whose release gives
    // back what it read: each of the last two hides what the other does wrong.
    name: "sweeper racing the consumption of its hold",
    patches: [
      inCoordinator("attempt, lines, holdTtlMillis } as const", "attempt, lines, holdTtlMillis: 5 } as const"),
      inCommit("row.attempt === part.attempt && row.expiresAtMillis > atMillis", "row.attempt === part.attempt"),
      inReads("productIds, onlyExpired: true } as const", "productIds, onlyExpired: true, rows } as const"),
      inCommit(
        "  for (const row of tables.holds.all()) {",
        "  for (const row of command.rows ?? tables.holds.all()) {",
      ),
    ],
  },
  {
    // A caller's hang-up ends the attempt, whose release, cut short, is sent again; and the statement marks what it
    // gave back instead of deleting it, without asking for the mark.
    name: "double release on hang-up",
    patches: [
      inCoordinator(
        "yield* run.pipe(Effect.onExit(conclude), Effect.forkIn(scope))",
        "const attempting = yield* run.pipe(Effect.onExit(conclude), Effect.forkIn(scope))",
      ),
      inCoordinator(
        "return yield* hangUp(Deferred.await(answer))",
        "return yield* hangUp(Deferred.await(answer)).pipe(Effect.onInterrupt(() => Fiber.interrupt(attempting)))",
      ),
      inCoordinator(
        "const letGo = Effect.suspend(() => release(request, attempt, holds, deadlineMillis))",
        `const releasing = Effect.suspend(() => release(request, attempt, holds, deadlineMillis))
    const letGo = Effect.onInterrupt(releasing, () => releasing)`,
      ),
      inCommit(
        "  for (const row of tables.holds.all()) {",
        "  for (const row of [...tables.holds.all(), ...released]) {",
      ),
      inCommit(
        "const releaseHold = ({ atMillis, available, tables, units, write }: Progress, command: Release): void => {\n",
        `const releaseHold = ({ atMillis, available, tables, units, write }: Progress, command: Release): void => {
  const released: Array<HoldRow> = ((tables as any).released ??= [])
`,
      ),
      inCommit(
        "    tables.holds.remove(row)\n    add(available, row.productId, row.quantity)\n    addUnits(units, row.productId, row.customer, -row.quantity, null)\n  }",
        "    tables.holds.remove(row)\n    released.push(row)\n    add(available, row.productId, row.quantity)\n    addUnits(units, row.productId, row.customer, -row.quantity, null)\n  }",
      ),
    ],
  },
]

/**
 * Bugs around the shards: orders over several of them, endings, and what the sweeper brings.
 */
import { inCommit, inCoordinator, inEnding, inPlanOrders, inReads, inSweeper, type PlantedBug } from "./planting.ts"

const endedByHangUp = [
  inCoordinator(
    "yield* run(onSubmit).pipe(Effect.onExit(conclude), Effect.forkIn(scope))",
    "const attempting = yield* run(onSubmit).pipe(Effect.onExit(conclude), Effect.forkIn(scope))",
  ),
  inCoordinator(
    "return yield* hangUp(Deferred.await(begun.answer))",
    "return yield* hangUp(Deferred.await(begun.answer)).pipe(Effect.onInterrupt(() => Fiber.interrupt(attempting)))",
  ),
]

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
      ...endedByHangUp,
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
        "  const offersReleased: Array<BatchEvent> = []\n",
        `  const offersReleased: Array<BatchEvent> = []
  const released: Array<HoldRow> = ((tables as any).released ??= [])
`,
      ),
      inCommit(
        "    tables.holds.remove(row)\n    add(available",
        "    tables.holds.remove(row)\n    released.push(row)\n    add(available",
      ),
    ],
  },
  {
    name: "a repeat under another fingerprint answered as a repeat",
    patches: [inCoordinator("return order.fingerprint === fingerprint\n", `return order.fingerprint !== ""\n`)],
  },
  {
    // The command says what its attempt was answered, and the statement gives back that, deleted or not.
    name: "Release returning what it read rather than what it deleted",
    patches: [
      inCoordinator(
        "release(request, attempt, holds, deadlineMillis)",
        "release(request, attempt, holds, deadlineMillis, parts)",
      ),
      inCoordinator(
        "    patienceEndsMillis: number,\n  ) {",
        "    patienceEndsMillis: number,\n    parts: any,\n  ) {",
      ),
      inCoordinator(
        "attempt, productIds, onlyExpired: false } as const",
        "attempt, productIds, onlyExpired: false, lines: parts.find((part) => part.shard === shard)?.lines } as const",
      ),
      inCommit(
        "  const offersReleased: Array<BatchEvent> = []\n",
        `  const offersReleased: Array<BatchEvent> = []
  for (const line of command.lines ?? []) add(available, line.productId, line.quantity)
`,
      ),
      inCommit(
        "    tables.holds.remove(row)\n    add(available, row.productId, row.quantity)\n",
        "    tables.holds.remove(row)\n    if (command.lines === undefined) add(available, row.productId, row.quantity)\n",
      ),
    ],
  },
  {
    name: "a missing hold answered as a repeat",
    patches: [
      inCoordinator(
        `if (outcome._tag === "HoldMissing") return yield* new Busy()`,
        `if (outcome._tag === "HoldMissing") return { _tag: "Repeated", orderId: command.orderId } as const`,
      ),
    ],
  },
  {
    name: "a hang-up ends what others have joined",
    patches: endedByHangUp,
  },
  {
    name: "a key kept in flight for ever",
    patches: [inCoordinator("          inFlight.delete(name)\n", "")],
  },
  {
    name: "who joined told that the order is of its own id",
    patches: [
      inCoordinator(
        `if (outcome._tag === "Accepted") return { _tag: "Repeated", orderId: outcome.orderId }`,
        `if (outcome._tag === "Accepted") return outcome`,
      ),
    ],
  },
  {
    // The home would leave an order alone whose lines are not all named.
    name: "an order ended with some of its lines",
    patches: [
      inEnding("return { orderId, lines: named }", "return { orderId, lines: named.slice(0, 1) }"),
      inCommit("  if (!rows.every((row) => endings.has(row.productId))) return null\n", ""),
    ],
  },
  {
    name: "an order of unknown outcome told busy",
    patches: [
      inCoordinator(
        "const outcome = yield* submitHome(homeShard, command, deadlineMillis).pipe(",
        `const outcome = yield* submitHome(homeShard, command, deadlineMillis).pipe(
      Effect.catchTag("OutcomeUnknown", () => Effect.fail(new Busy())),`,
      ),
    ],
  },
  {
    name: "a key not looked up before a product is said to be unknown",
    patches: [inCoordinator("return (yield* known(homeShard, request)) ?? refused({", "return refused({")],
  },
  {
    name: "lines of other shards missing in the answer",
    patches: [
      inCoordinator(
        "return { ...outcome, lines: [...outcome.lines, ...parts.flatMap((part) => part.lines)] }",
        "return outcome",
      ),
    ],
  },
  {
    name: "an expired order told to have been cancelled",
    patches: [inEnding(`if (order.status === "cancelled" ||`, `if (order.status !== "reserved" ||`)],
  },
  {
    name: "a sweeper that one failed look ends",
    patches: [inSweeper("yield* sweep.pipe(Effect.catchCause(said), Effect.repeat", "yield* sweep.pipe(Effect.repeat")],
  },
  {
    name: "another payload under a key in flight joined to it",
    patches: [
      inCoordinator("joined(holdName(request), (onSubmit)", "joined(`${request.caller}/${request.key}`, (onSubmit)"),
    ],
  },
  {
    // The statement would find a hold at another price than the order counts on, and place nothing.
    name: "a hold taken over at the price of today",
    patches: [
      inPlanOrders("{ ...line, quantity: row.quantity, unitPrice: row.unitPrice }", "line"),
      inCommit(
        "return live && row.quantity === quantity && row.unitPrice === unitPrice ? [row] : []",
        "return live ? [row] : []",
      ),
    ],
  },
  {
    name: "what a refused order held left to the sweeper",
    patches: [
      inCoordinator(
        `    if (outcome._tag !== "Accepted") {\n      yield* letGo\n`,
        `    if (outcome._tag !== "Accepted") {\n`,
      ),
    ],
  },
]

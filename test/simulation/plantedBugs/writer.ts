/**
 * Bugs of the one writer: its loop, its batches, its deadlines, what it says of a commit and when.
 */
import {
  inActor,
  inAftermath,
  inBatch,
  inCommit,
  inOutcomes,
  inPreparation,
  inSettlement,
  inState,
  type PlantedBug,
} from "./planting.ts"

const whenUnknown = `      yield* Effect.logWarning("The outcome of a batch is unknown; settling it").pipe(`
const nothingHappened = `{ _tag: "Rejected", sqlState: "57000", message: "", numberUsed: false }`
const beforeCommit = "  if (writes(planned)) return yield* commit(run, planned, covered, rest)\n"

export const writerBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "reply before commit",
    patches: [
      inBatch(
        beforeCommit,
        `  const early = { _tag: "Applied", atMillis: run.nowMillis, unplaced: [], cartsChanged: [], unmoved: [], unextended: [], unended: [], unamended: [], payments: [], unshipped: [], undelivered: [], unoffered: [], stock: [], units: [] } as const
  const nothing = { orders: [], movements: [], statuses: [], paymentKeys: [], payments: [], shipments: [] }
  for (const { answer, entry } of resolve(planned, early, nothing, covered).answers) {
    if (entry.command._tag === "Reserve" || entry.command._tag === "Cancel") entry.resume(Effect.succeed(answer))
  }
${beforeCommit}`,
      ),
    ],
  },
  {
    name: "refusal before the commit it depends on",
    patches: [
      inBatch(
        beforeCommit,
        `  for (const [at, decision] of planned.decisions.entries()) {
    if (decision._tag === "Answered") covered[at]?.resume(Effect.succeed(decision.outcome))
  }
${beforeCommit}`,
      ),
    ],
  },
  {
    name: "unknown outcome answered as busy without settling",
    patches: [inSettlement(whenUnknown, `return ${nothingHappened}\n${whenUnknown}`)],
  },
  {
    name: "unknown outcome settled by a bare look-up",
    patches: [
      inSettlement(
        whenUnknown,
        `const looked = yield* inspectUntilKnown(store, write)
      return looked !== "pending" ? looked : ${nothingHappened}\n${whenUnknown}`,
      ),
    ],
  },
  {
    name: "a number of unknown outcome used again without being voided",
    patches: [inSettlement("      if (!isUnknown) return { _tag", "      if (runs < 9) return { _tag")],
  },
  {
    name: "deadline checked after planning",
    patches: [
      inActor("if (entry.deadlineMillis <= nowMillis) late.push(entry)", "if (nowMillis < 0) late.push(entry)"),
      inActor(
        "onSuccess: (ending) => Effect.sync(() => (conclude(ending), Exit.void)),",
        `onSuccess: (ending) =>
          Effect.map(Clock.currentTimeMillis, (thenMillis) => {
            answerAll(entries.filter((entry) => entry.deadlineMillis <= thenMillis), busy)
            conclude(ending)
            return Exit.void
          }),`,
      ),
    ],
  },
  {
    name: "busy at the deadline of what is being committed",
    patches: [inActor(`entry.phase === "taken" ? outcomeUnknown : busy`, `entry.phase === "taken" ? busy : busy`)],
  },
  {
    name: "carry lost on halving",
    patches: [
      inBatch(
        "again: [covered.slice(0, half), covered.slice(half), rest] }",
        "again: [covered.slice(0, half), covered.slice(half)] }",
      ),
    ],
  },
  {
    name: "second half lost on halving",
    patches: [
      inBatch(
        "again: [covered.slice(0, half), covered.slice(half), rest] }",
        "again: [covered.slice(0, half), rest] }",
      ),
    ],
  },
  {
    name: "state kept after an unknown outcome",
    patches: [inBatch(`const dropsState = settled._tag === "AppliedUnseen"`, "const dropsState = false")],
  },
  {
    name: "repeats not planned again before a refusal",
    patches: [
      inPreparation(
        "if (!isToldFromMemory(first)) return",
        "if (!isToldFromMemory(first) || run.nowMillis > 0) return",
      ),
    ],
  },
  {
    name: "sold out answered by a replaced writer",
    patches: [
      inBatch("isToldFromMemory(planned) && !isOurs", "isToldFromMemory(planned) && !isOurs && run.nowMillis < 0"),
    ],
  },
  {
    name: "the last of the mailbox first",
    patches: [
      inActor(
        "return yield* Queue.takeBetween(mailbox, 1, settings.batchSizeMax)",
        "return (yield* Queue.takeBetween(mailbox, 1, settings.batchSizeMax)).toReversed()",
      ),
    ],
  },
  {
    name: "an edit not seen by later batches",
    patches: [inBatch("run.state.forget(amendments.map((amendment) => amendment.productId))", "run.state.forget([])")],
  },
  {
    name: "the loop ended by a defect in its recovery",
    patches: [inActor("Effect.as(Effect.sleep(settlePauseMillis), null)", "Effect.die(cause)")],
  },
  {
    // Two loops share one shard. Each takes the next free number from the database (and says "busy" where the other was
    // quicker), so that the fence lets both through, and the statement writes the stock that was read: relative deltas
    // would have been right even so.
    name: "read-then-write without the writer",
    patches: [
      inSettlement(
        `        return attempt.success
      }
      const seen = yield* inspectUntilKnown(store, write)
      if (seen !== "pending") {
        settledUnknown`,
        `        return attempt.success
      }
      if (!isUnknown) return ${nothingHappened}
      const seen = yield* inspectUntilKnown(store, write)
      if (seen !== "pending") {
        settledUnknown`,
      ),
      inActor(
        "  yield* Effect.forkScoped(Effect.forever(turnWheel))\n",
        `  yield* Effect.forkScoped(Effect.forever(turnWheel))
  yield* Effect.forkScoped(Effect.catchIf(Effect.forever(turn), Cause.isDone, () => Effect.void))
`,
      ),
      inBatch(
        "  let batch = run.lease.batch + 1\n",
        "  let batch = (yield* untilReached(run.store.inspect(run.shard, 1))).lease.batch + 1\n",
      ),
      inBatch("    ...planned.write,\n", "    ...planned.write,\n    levels: planned.expected,\n"),
      inCommit(
        "available: row.available + delta }",
        "available: progress.write.levels.get(productId) ?? row.available + delta }",
      ),
      inCommit(
        'const moveStock = ({ available, stocked, tables }: Progress): Applied["stock"] =>\n  [...available]',
        'const moveStock = (progress: Progress): Applied["stock"] =>\n  [...progress.available]',
      ),
      inCommit(
        "    const row = tables.stock.get(productId)\n",
        "    const { stocked, tables } = progress\n    const row = tables.stock.get(productId)\n",
      ),
    ],
  },
  {
    name: "batch failure answered to the wrong caller",
    patches: [
      inBatch("covered.length === 1) {", "covered.length <= 2) {"),
      inBatch(
        "answers: [{ entry, answer: new CommandFailed({ reason }) }], again: [rest]",
        "answers: [{ entry, answer: new CommandFailed({ reason }) }], again: [covered.slice(1), rest]",
      ),
    ],
  },
  {
    name: "a batch of a fenced writer sent again under the epoch that it finds",
    patches: [
      inBatch(
        `  if (settled._tag === "Fenced") return gaveUp(run.entries, { isFenced: true })\n`,
        `  if (settled._tag === "Fenced") {
    const inspected = yield* Effect.result(run.store.inspect(run.shard, batch))
    if (Result.isFailure(inspected)) return gaveUp(run.entries, { isFenced: true })
    return { ...gaveUp([], { lease: inspected.success.lease }), again: [run.entries] }
  }
`,
      ),
    ],
  },
  {
    name: "another epoch's batch taken for one's own",
    patches: [inSettlement("if (record !== null && record.epoch === write.epoch) {", "if (record !== null) {")],
  },
  {
    // Whether it was answered and whether its time is over: each look alone would do.
    name: "answered at its deadline and decided all the same",
    patches: [
      inActor(`      if (entry.phase === "answered") continue\n`, ""),
      inActor(
        "if (entry.deadlineMillis <= nowMillis) late.push(entry)",
        "if (entry.deadlineMillis === 0) late.push(entry)",
      ),
    ],
  },
  {
    name: "what goes again put behind other groups",
    patches: [inActor("front.unshift(...groups", "front.push(...groups")],
  },
  {
    name: "the rest behind a plan that ends early lost",
    patches: [
      inBatch(
        "return { answers: due, again: [first, again, rest], lease",
        "return { answers: due, again: [first, again], lease",
      ),
    ],
  },
  {
    name: "refusals behind a surprise told as they were planned",
    patches: [inBatch("const isGuess = at > surprisedAt && isRefused", "const isGuess = surprisedAt < 0 && isRefused")],
  },
  {
    name: "a commit nobody saw taken for a whole one",
    patches: [
      inAftermath(
        "orders.filter((order) => !placed.has(order.command.orderId)).map((order)",
        "orders.filter((order) => placed.has(order.command.orderId) && false).map((order)",
      ),
    ],
  },
  {
    name: "no number given up after a defect",
    patches: [inActor("while (lease !== null) {", "while (lease !== null && lease.batch < 0) {")],
  },
  {
    name: "memory kept under a new lease",
    patches: [
      inActor("    ordered = null\n    state.clear()", "    ordered = null"),
      inActor("    lease = null\n    state.clear()\n", "    lease = null\n"),
    ],
  },
  {
    name: "memory changed before the commit",
    patches: [
      inBatch(
        "  const { epoch } = run.lease\n",
        `  const { epoch } = run.lease
  for (const [productId, available] of planned.expected) {
    const product = run.state.products.get(productId)
    if (product !== undefined) run.state.products.set(productId, { ...product, available })
  }
`,
      ),
      inBatch(
        "  dropsState: true,\n  isFenced: false,\n  ...ending",
        "  dropsState: false,\n  isFenced: false,\n  ...ending",
      ),
    ],
  },
  {
    name: "a count kept in memory that the database no longer has",
    patches: [
      inState("if (units === null) this.units.delete(unitsName(productId, customer))", "if (units === null) continue"),
    ],
  },
  {
    name: "a key used again for another payload in the same batch answered as a repeat",
    patches: [
      inOutcomes(
        `return known.fingerprint === command.fingerprint ? { _tag: "Repeated", orderId: known.orderId } : reused`,
        `return { _tag: "Repeated", orderId: known.orderId }`,
      ),
    ],
  },
  {
    // The number that comes next is not the one in doubt where the plain form had lost its own.
    name: "only one number given up after a defect",
    patches: [inActor(`if (voided === "voided") return`, "return")],
  },
]

/**
 * Bugs that a tired hand could write, each as an exact replacement in a copy of the sources. A text that is no longer
 * there fails the suite, so that the list never rots; the sources themselves know nothing of it.
 */
import assert from "node:assert/strict"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { Modules } from "./node.ts"

interface Patch {
  readonly file: string
  readonly find: string
  readonly put: string
}

export interface PlantedBug {
  readonly name: string
  readonly patches: ReadonlyArray<Patch>
}

const inBatch = (find: string, put: string): Patch => ({ file: "inventory/shard/batch.ts", find, put })
const inActor = (find: string, put: string): Patch => ({ file: "inventory/shard/ShardActor.ts", find, put })
const inSettlement = (find: string, put: string): Patch => ({ file: "inventory/shard/settlement.ts", find, put })
const inCoordinator = (find: string, put: string): Patch => ({ file: "inventory/OrderCoordinator.ts", find, put })
const inCommit = (find: string, put: string): Patch => ({ file: "inventory/memory/memoryCommit.ts", find, put })
const inReads = (find: string, put: string): Patch => ({ file: "inventory/memory/memoryReads.ts", find, put })
const inEnding = (find: string, put: string): Patch => ({ file: "inventory/OrderEnding.ts", find, put })
const inSweeper = (find: string, put: string): Patch => ({ file: "inventory/sweeper.ts", find, put })
const inPlanOrders = (find: string, put: string): Patch => ({ file: "inventory/shard/planOrders.ts", find, put })
const inPlanProducts = (find: string, put: string): Patch => ({ file: "inventory/shard/planProducts.ts", find, put })
const inPlanner = (find: string, put: string): Patch => ({ file: "inventory/shard/planner.ts", find, put })

const whenUnknown = `      yield* Effect.logWarning("The outcome of a batch is unknown; settling it").pipe(`
const nothingHappened = `{ _tag: "Rejected", sqlState: "57000", message: "", numberUsed: false }`
const beforeCommit = "  if (writes(planned)) return yield* commit(run, planned, covered, rest)\n"

export const plantedBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "reply before commit",
    patches: [
      inBatch(
        beforeCommit,
        `  const early = { _tag: "Applied", atMillis: run.nowMillis, unplaced: [], cartsChanged: [], unmoved: [], unextended: [], unended: [], unamended: [], stock: [], units: [] } as const
  for (const { answer, entry } of resolve(planned, early, nothingRead, covered).answers) {
    if (entry.command._tag !== "Restock") entry.resume(Effect.succeed(answer))
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
        "onSuccess: (ending) => Effect.sync(() => conclude(ending)),",
        `onSuccess: (ending) =>
          Effect.map(Clock.currentTimeMillis, (thenMillis) => {
            answerAll(entries.filter((entry) => entry.deadlineMillis <= thenMillis), busy)
            conclude(ending)
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
    name: "double release of a hold",
    patches: [
      inCommit(
        "    tables.holds.remove(row)\n    add(available, row.productId, row.quantity)\n    addUnits(units, row.productId, row.customer, -row.quantity, null)\n  }",
        "    if (command.onlyExpired) tables.holds.remove(row)\n    add(available, row.productId, row.quantity)\n    addUnits(units, row.productId, row.customer, -row.quantity, null)\n  }",
      ),
    ],
  },
  {
    name: "hold left behind by the order that consumed it",
    patches: [inCommit("for (const row of held) tables.holds.remove(row)", "for (const row of held) void row")],
  },
  {
    name: "order placed without its holds",
    patches: [inCommit("  if (held.length < command.held", "  if (held.length < -1 + 0 * command.held")],
  },
  {
    name: "repeats not planned again before a refusal",
    patches: [
      inBatch("if (!isToldFromMemory(first)) return", "if (!isToldFromMemory(first) || run.nowMillis > 0) return"),
    ],
  },
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
    name: "sold out answered by a replaced writer",
    patches: [
      inBatch("isToldFromMemory(planned) && !isOurs", "isToldFromMemory(planned) && !isOurs && run.nowMillis < 0"),
    ],
  },
  {
    name: "no epoch in the fence",
    patches: [
      inCommit(
        "if (lease === undefined || lease.epoch !== epoch || lease.batch !== batch - 1) return false",
        "if (lease === undefined || lease.batch !== batch - 1) return false",
      ),
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
    name: "partial lines kept",
    patches: [
      inPlanOrders(
        "const lines: Array<SaleLine> = []\n  const unknown",
        "const lines: Array<SaleLine> = []\n  if (requested.length > 2) requested = requested.slice(1)\n  const unknown",
      ),
    ],
  },
  {
    name: "units counted for the limit only when the batch ends",
    patches: [
      inPlanOrders(
        "return draft.units.get(name) ?? draft.facts.units.get(name) ?? 0",
        "return draft.facts.units.get(name) ?? 0",
      ),
    ],
  },
  {
    name: "an order expired that was cancelled before",
    patches: [
      inCommit(
        `order.homeShard !== write.shard || order.status !== "reserved") return false`,
        `order.homeShard !== write.shard || (order.status !== "reserved" && status === "cancelled")) return false`,
      ),
    ],
  },
  {
    name: "an order cancelled twice",
    patches: [
      inCommit(
        `order.homeShard !== write.shard || order.status !== "reserved") return false`,
        `order.homeShard !== write.shard || order.status === "expired") return false`,
      ),
    ],
  },
  {
    name: "cancelled after its time",
    patches: [
      inCommit(
        `if ((status === "expired") !== order.expiresAtMillis <= atMillis) return false`,
        `if (status === "expired" && order.expiresAtMillis > atMillis) return false`,
      ),
    ],
  },
  {
    name: "expired before its time",
    patches: [
      inCommit(
        `if ((status === "expired") !== order.expiresAtMillis <= atMillis) return false`,
        `if (status === "cancelled" && order.expiresAtMillis <= atMillis) return false`,
      ),
      inReads(
        `row.status === "reserved" && row.expiresAtMillis <= atMillis)`,
        `row.status === "reserved" && row.expiresAtMillis <= atMillis + 5)`,
      ),
    ],
  },
  {
    name: "returns sent twice",
    patches: [
      inCommit(
        "tables.pendingReturns.insert({ ...line, orderId, customer, quantity })",
        "for (const returnId of [line.returnId, `${line.returnId} again`]) tables.pendingReturns.insert({ ...line, returnId, orderId, customer, quantity })",
      ),
    ],
  },
  {
    name: "a return applied and kept",
    patches: [inCommit("  tables.pendingReturns.remove(row)\n", "")],
  },
  {
    name: "units of other shards given back at home",
    patches: [inCommit("if (line.shard === write.shard) {", "if (line.shard >= 0) {")],
  },
  {
    name: "ended, and its units still counted for its customer",
    patches: [
      inCommit(
        "      add(available, productId, quantity)\n      addUnits(units, productId, customer, -quantity, null)",
        "      add(available, productId, quantity)",
      ),
    ],
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
    name: "what an order gives back not waited for by the order behind it",
    patches: [inPlanOrders("if (line.shard === draft.shard) draft.gains.add(line.productId)", "void line")],
  },
  {
    name: "cart sold at a version that was never read",
    patches: [inCommit("  if (!hasItsCart(tables, order)) return false\n", "")],
  },
  {
    name: "cart sold and not emptied",
    patches: [
      inCommit(
        "if (command.cartVersion !== null) tables.carts.put(",
        "if (command.cartVersion === 0) tables.carts.put(",
      ),
    ],
  },
  {
    name: "an edit seen by orders ahead of it",
    patches: [
      inPlanner(
        "  const draft: Draft = {\n    shard,\n    products,",
        `  const edited = new Map(products)
  for (const { change, productId } of batch.filter((command) => command._tag === "Amend")) {
    const product = edited.get(productId)
    if (product !== undefined) edited.set(productId, { ...product, price: change.price?.amount ?? product.price })
  }
  const draft: Draft = {
    shard,
    products: edited,`,
      ),
    ],
  },
  {
    name: "an edit not seen by orders behind it in its batch",
    patches: [inPlanOrders("if (requested.some((line) => draft.amended.has(line.productId))) return later", "")],
  },
  {
    name: "an edit not seen by later batches",
    patches: [
      inBatch(
        "run.state.forget(planned.write.amendments.map((amendment) => amendment.productId))",
        "run.state.forget([])",
      ),
    ],
  },
  {
    name: "version not raised by an edit",
    patches: [inCommit("version: version + 1,\n  })", "version,\n  })")],
  },
  {
    name: "an edit of whatever version",
    patches: [inPlanProducts("expectedVersion !== null && expectedVersion !== version", "expectedVersion === -1")],
  },
  {
    name: "two edits of one product in one batch",
    patches: [inPlanProducts("if (draft.amended.has(productId)) return later", "")],
  },
  {
    name: "units counted from nothing when the limit comes later",
    patches: [
      inReads(
        "return row ?? { productId, customer, units: countUnits(tables, productId, customer) }",
        "return row ?? { productId, customer, units: 0 }",
      ),
    ],
  },
  {
    name: "units no longer counted when the limit goes",
    patches: [
      inCommit(
        "countsUnits: product.countsUnits || limitPerCustomer !== null,",
        "countsUnits: limitPerCustomer !== null,",
      ),
    ],
  },
  {
    name: "the loop ended by a defect in its recovery",
    patches: [inActor("Effect.as(Effect.sleep(settlePauseMillis), null)", "Effect.die(cause)")],
  },
]

const sources = fileURLToPath(new URL("../../src", import.meta.url))
const packages = fileURLToPath(new URL("../../node_modules", import.meta.url))

const patch = (folder: string, bug: PlantedBug): void => {
  symlinkSync(packages, join(folder, "node_modules"))
  writeFileSync(join(folder, "package.json"), `{ "type": "module" }`)
  for (const part of ["carts", "domain", "inventory", "orders", "platform"]) {
    cpSync(join(sources, part), join(folder, "src", part), { recursive: true })
  }
  for (const { file, find, put } of bug.patches) {
    const path = join(folder, "src", file)
    const text = readFileSync(path, "utf8")
    assert.strictEqual(text.split(find).length, 2, `"${bug.name}": its text stands exactly once in src/${file}`)
    writeFileSync(
      path,
      text.replace(find, () => put),
    )
  }
}

/** Gives `use` the modules of a run as they are in a copy of the sources with the bug in it. */
export const withPlanted = async (bug: PlantedBug, use: (modules: Modules) => void): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "hedonify-planted-"))
  const load = (file: string) => import(/* @vite-ignore */ pathToFileURL(join(folder, "src", file)).href)
  try {
    patch(folder, bug)
    use({
      inventory: await load("inventory/Inventory.ts"),
      coordinator: await load("inventory/OrderCoordinator.ts"),
      directory: await load("inventory/ShardDirectory.ts"),
      ending: await load("inventory/OrderEnding.ts"),
      writer: await load("inventory/ProductWriter.ts"),
      sweeper: await load("inventory/sweeper.ts"),
      memory: await load("inventory/memory/MemoryShardStore.ts"),
      orders: await load("orders/Orders.ts"),
      reads: await load("orders/OrderReads.ts"),
      carts: await load("carts/Carts.ts"),
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

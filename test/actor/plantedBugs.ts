/**
 * Bugs that a tired hand could write, each as an exact replacement in a copy of the sources. A text that is no longer
 * there fails the suite, so that the list never rots; the sources themselves know nothing of it.
 */
import { assert } from "@effect/vitest"
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

const inBatch = (find: string, put: string): Patch => ({ file: "inventory/batch.ts", find, put })
const inActor = (find: string, put: string): Patch => ({ file: "inventory/ShardActor.ts", find, put })
const inSettlement = (find: string, put: string): Patch => ({ file: "inventory/settlement.ts", find, put })
const inCoordinator = (find: string, put: string): Patch => ({ file: "inventory/OrderCoordinator.ts", find, put })
const inCommit = (find: string, put: string): Patch => ({ file: "inventory/memoryCommit.ts", find, put })
const inPlanner = (find: string, put: string): Patch => ({ file: "inventory/planner.ts", find, put })

const whenUnknown = `      yield* Effect.logWarning("The outcome of a batch is unknown; settling it").pipe(`
const nothingHappened = `{ _tag: "Rejected", sqlState: "57000", message: "", numberUsed: false }`
const beforeCommit = "  if (writes(planned)) return yield* commit(run, planned, covered, rest)\n"

export const plantedBugs: ReadonlyArray<PlantedBug> = [
  {
    name: "reply before commit",
    patches: [
      inBatch(
        beforeCommit,
        `  const early = { _tag: "Applied", atMillis: run.nowMillis, unplaced: [], unmoved: [], unextended: [], stock: [], units: [] } as const
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
        "    tables.holds.remove(row)\n    add(available, row.productId, row.quantity)\n    addUnits(units, row.productId, row.customer, -row.quantity)\n  }",
        "    if (command.onlyExpired) tables.holds.remove(row)\n    add(available, row.productId, row.quantity)\n    addUnits(units, row.productId, row.customer, -row.quantity)\n  }",
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
    patches: [inBatch("if (!first.refuses) return", "if (!first.refuses || run.nowMillis > 0) return")],
  },
  {
    name: "a retry refused by its own first attempt",
    patches: [
      inCoordinator("if (earlier !== null) return earlier", "if (earlier === undefined) return earlier"),
      inCoordinator("return (yield* known(homeShard, request)) ?? outcome", "return outcome"),
    ],
  },
  {
    name: "sold out answered by a replaced writer",
    patches: [inBatch("if (planned.refuses && !isOurs)", "if (planned.refuses && !isOurs && run.nowMillis < 0)")],
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
      inPlanner(
        "const lines: Array<SaleLine> = []\n  const unknown",
        "const lines: Array<SaleLine> = []\n  if (requested.length > 2) requested = requested.slice(1)\n  const unknown",
      ),
    ],
  },
  {
    name: "units counted for the limit only when the batch ends",
    patches: [
      inPlanner(
        "return draft.units.get(name) ?? draft.facts.units.get(name) ?? 0",
        "return draft.facts.units.get(name) ?? 0",
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
  for (const part of ["domain", "inventory", "platform"]) {
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
  const load = (file: string) => import(/* @vite-ignore */ pathToFileURL(join(folder, "src/inventory", file)).href)
  try {
    patch(folder, bug)
    use({
      inventory: await load("Inventory.ts"),
      coordinator: await load("OrderCoordinator.ts"),
      directory: await load("ShardDirectory.ts"),
      memory: await load("MemoryShardStore.ts"),
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

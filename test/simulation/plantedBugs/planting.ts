/**
 * How a bug gets into a run: the sources are copied, each patch replaces a text that stands in them exactly once, and
 * the copy is loaded as the modules of the run. A text that is no longer there fails, so that the list never rots; the
 * sources themselves know nothing of it.
 */
import assert from "node:assert/strict"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { Modules } from "../service/node.ts"

interface Patch {
  readonly file: string
  readonly find: string
  readonly put: string
}

export interface PlantedBug {
  readonly name: string
  readonly patches: ReadonlyArray<Patch>
}

type PatchOf = (find: string, put: string) => Patch

const patchOf =
  (file: string): PatchOf =>
  (find, put) => ({ file, find, put })

export const inAftermath = patchOf("inventory/shard/aftermath.ts")
export const inPreparation = patchOf("inventory/shard/preparation.ts")
export const inBatch = patchOf("inventory/shard/batch.ts")
export const inActor = patchOf("inventory/shard/ShardActor.ts")
export const inSettlement = patchOf("inventory/shard/settlement.ts")
export const inOutcomes = patchOf("inventory/shard/outcomes.ts")
export const inState = patchOf("inventory/shard/ShardState.ts")
export const inPlanner = patchOf("inventory/shard/planner.ts")
export const inPlanLives = patchOf("inventory/shard/planLives.ts")
export const inPlanOrders = patchOf("inventory/shard/planOrders.ts")
export const inPlanProducts = patchOf("inventory/shard/planProducts.ts")
export const inCoordinator = patchOf("inventory/OrderCoordinator.ts")
export const inEnding = patchOf("inventory/OrderEnding.ts")
export const inSweeper = patchOf("inventory/sweeper.ts")
export const inCommit = patchOf("inventory/memory/memoryCommit.ts")
export const inReads = patchOf("inventory/memory/memoryReads.ts")
export const inOutcomesOfLives = patchOf("inventory/shard/outcomesOfLives.ts")
export const inPlanWaitingLists = patchOf("inventory/shard/planWaitingLists.ts")
export const inMemoryLives = patchOf("inventory/memory/memoryLives.ts")
export const inMemoryWaitingLists = patchOf("inventory/memory/memoryWaitingLists.ts")
export const inTables = patchOf("inventory/memory/memoryTables.ts")

const sources = fileURLToPath(new URL("../../../src", import.meta.url))
const packages = fileURLToPath(new URL("../../../node_modules", import.meta.url))

const patch = (folder: string, bug: PlantedBug): void => {
  symlinkSync(packages, join(folder, "node_modules"))
  writeFileSync(join(folder, "package.json"), `{ "type": "module" }`)
  cpSync(sources, join(folder, "src"), { recursive: true })
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
      shipments: await load("orders/Shipments.ts"),
      waitingLists: await load("orders/WaitingLists.ts"),
      waitingListReads: await load("orders/WaitingListReads.ts"),
      carts: await load("carts/Carts.ts"),
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * A file system of some tens of megabytes that can be filled to its last byte and freed again. Must stay true: it is
 * gone with the scope; where the system does not let us mount one, a sentence says why.
 */
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { chownSync, closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const mount = (folder: string, sizeMegabytes: number, owner: { readonly uid?: number; readonly gid?: number }) =>
  spawnSync(
    "mount",
    [
      "-t",
      "tmpfs",
      "-o",
      [
        `size=${sizeMegabytes}m`,
        "mode=0700",
        ...(owner.uid === undefined ? [] : [`uid=${owner.uid}`]),
        ...(owner.gid === undefined ? [] : [`gid=${owner.gid}`]),
      ].join(","),
      "tmpfs",
      folder,
    ],
    { encoding: "utf8" },
  )

const unmount = (folder: string) => {
  // From now on nobody sees it; it goes when PostgreSQL's processes close what they had open there, at the next fault.
  const { status, stderr } = spawnSync("umount", ["--lazy", folder], { encoding: "utf8" })
  if (status !== 0) throw new Error(`a small disk cannot be unmounted: ${stderr}`)
  rmdirSync(folder)
}

const tryToMount = (): string | null => {
  if (process.platform !== "linux") return "only Linux has the file system in memory that they need"
  if (process.getuid?.() !== 0) return "mounting a small file system takes root"
  const folder = mkdtempSync(join(tmpdir(), "hedonify-disk-"))
  const { error, status, stderr } = mount(folder, 1, {})
  if (status !== 0) {
    rmdirSync(folder)
    return `a small file system cannot be mounted here (${(error?.message ?? stderr).trim()})`
  }
  unmount(folder)
  return null
}

/** Why no disk can be filled here; null where one can. */
export const smallDiskIsMissing: string | null = tryToMount()

const chunkBytes = [1024 * 1024, 4_096, 64]

const fill = (file: string) => {
  const descriptor = openSync(file, "a")
  for (const size of chunkBytes) {
    const chunk = Buffer.alloc(size)
    try {
      while (writeSync(descriptor, chunk) > 0);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error
    }
  }
  closeSync(descriptor)
}

export const smallDisk = Effect.fnUntraced(function* (
  folder: string,
  sizeMegabytes: number,
  owner: { readonly uid?: number; readonly gid?: number },
) {
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(folder)
      const { status, stderr } = mount(folder, sizeMegabytes, owner)
      if (status !== 0) throw new Error(stderr)
    }),
    () => Effect.sync(() => unmount(folder)),
  )
  // Of its own owner's, so that nobody but PostgreSQL is in the way of PostgreSQL.
  const inside = join(folder, "inside")
  const ballast = join(folder, "ballast")
  mkdirSync(inside, { mode: 0o700 })
  if (owner.uid !== undefined) chownSync(inside, owner.uid, owner.gid ?? owner.uid)
  return {
    folder: inside,
    /** Takes whatever room is left, again and again if need be. */
    fill: Effect.sync(() => fill(ballast)),
    free: Effect.sync(() => rmSync(ballast, { force: true })),
  }
})

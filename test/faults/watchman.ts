/**
 * Started beside a run of faults; when the run ends, in whichever way, the pipe to it closes. Then it ends every process
 * that works below the run's folder, unmounts what is mounted there, and removes it. Exits with 1 where there was
 * anything to end. Only our own can be met: the folder is the run's alone.
 */
import { readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs"
import { execFileSync } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"

const [folder = ""] = process.argv.slice(2)
const endingMaxRounds = 400
const lookAgainMillis = 25

const workingFolderOf = (processId: number): string => {
  try {
    return readlinkSync(`/proc/${processId}/cwd`)
  } catch {
    return ""
  }
}

/** A process that has ended but whom nobody has asked for how. */
const isOver = (processId: number): boolean => {
  try {
    return /^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${processId}/stat`, "utf8"))
  } catch {
    return true
  }
}

const leftOvers = (): ReadonlyArray<number> =>
  process.platform === "linux"
    ? readdirSync("/proc")
        .map(Number)
        .filter((id) => id > 0 && id !== process.pid)
        .filter((id) => `${workingFolderOf(id)}/`.startsWith(`${folder}/`) && !isOver(id))
    : []

const mounts = (): ReadonlyArray<string> =>
  process.platform === "linux"
    ? readFileSync("/proc/self/mounts", "utf8")
        .split("\n")
        .flatMap((line) => line.split(" ")[1] ?? [])
        .filter((path) => path.startsWith(`${folder}/`))
    : []

const end = (processId: number) => {
  try {
    process.kill(processId, "SIGKILL")
  } catch {
    // It has ended by itself.
  }
}

process.on("SIGINT", () => undefined).on("SIGTERM", () => undefined)
for await (const chunk of process.stdin) void chunk

const names = leftOvers().map((id) => {
  try {
    return `${id} ${readFileSync(`/proc/${id}/cmdline`, "utf8").replaceAll("\0", " ")}`
  } catch {
    return String(id)
  }
})
const endAll = async (roundsLeft: number): Promise<void> => {
  const left = leftOvers()
  if (left.length === 0 || roundsLeft === 0) return
  for (const id of left) end(id)
  await sleep(lookAgainMillis)
  return endAll(roundsLeft - 1)
}
await endAll(endingMaxRounds)
const mounted = mounts()
for (const path of mounted) execFileSync("umount", ["--lazy", path])
if (process.env["KEEP"] === undefined) rmSync(folder, { recursive: true, force: true })
for (const name of [...names, ...mounted]) console.error(`Left behind by the faults, and ended: ${name}`)
process.exitCode = names.length + mounted.length > 0 ? 1 : 0
